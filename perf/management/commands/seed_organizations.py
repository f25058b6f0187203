"""``manage.py seed_organizations`` under ``perf.settings``: see :mod:`perf.departments`."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from perf.departments import fill


class Command(BaseCommand):
    help = "Give a throw-away database the organizations that perf/organizations.py measures with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--members", type=int, required=True)
        parser.add_argument("--uses", type=int, required=True)

    def handle(self, *args: Any, members: int, uses: int, **options: Any) -> None:
        self.stdout.write(json.dumps(fill(members=members, uses=uses, now=timezone.now())))
