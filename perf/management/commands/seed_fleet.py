"""``manage.py seed_fleet`` under ``perf.settings``: see :mod:`perf.fleet`."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from perf.fleet import fill


class Command(BaseCommand):
    help = "Fill a throw-away database with the machines that perf/heartbeats.py measures with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--machines", type=int, required=True)
        parser.add_argument("--months", type=int, required=True)
        parser.add_argument("--pages", type=int, required=True)

    def handle(self, *args: Any, machines: int, months: int, pages: int, **options: Any) -> None:
        self.stdout.write(json.dumps(fill(machines=machines, months=months, pages=pages, now=timezone.now())))
