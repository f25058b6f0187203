"""``manage.py replay_webhooks``: have stored events processed once more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing.management.commands.reconcile import moment
from billing.services.webhooks import replay_events


class Command(BaseCommand):
    help = (
        "Has the events that came in a span of time processed again by the sweep. Each is a hint to ask the processor "
        "for the object, so that doing it again changes nothing that is right."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, help="ISO date or time in UTC")
        parser.add_argument("--until", help="ISO date or time in UTC; without it now")
        parser.add_argument(
            "--type", action="append", default=[], help="how the types begin, as charge.dispute.; may be given again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        until = moment(options["until"]) if options["until"] else now
        count = replay_events(since=moment(options["since"]), until=until, types=options["type"], now=now)
        self.stdout.write(self.style.SUCCESS(f"{count} events are processed again by the next sweeps."))
