"""``manage.py money`` under ``perf.settings``: see :mod:`perf.money`."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from perf.money import fill, measured


class Command(BaseCommand):
    help = "Fill a throw-away database with payments, or measure on it, for perf/reconciling.py."

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--fill", type=int, help="so many payments")
        what.add_argument("--measure", type=int, help="so many rounds")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        if options["fill"]:
            self.stdout.write(json.dumps(fill(count=options["fill"], now=now)))
        else:
            self.stdout.write(json.dumps(measured(rounds=options["measure"], now=now)))
