"""``manage.py seed_perf`` under ``perf.settings``: see :mod:`perf.seed`."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from perf.seed import seed


class Command(BaseCommand):
    help = "Fill a throw-away database with what perf/run.py measures on, and print what its clients need to know."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--listings", type=int, required=True)
        parser.add_argument("--buyers", type=int, required=True)

    def handle(self, *args: Any, listings: int, buyers: int, **options: Any) -> None:
        self.stdout.write(json.dumps(seed(listings=listings, buyers=buyers, now=timezone.now())))
