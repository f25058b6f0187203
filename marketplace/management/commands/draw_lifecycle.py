"""``manage.py draw_lifecycle``: the states of a booking as a Mermaid diagram, for ``docs/architecture.md``."""

from typing import Any

from django.core.management.base import BaseCommand

from bookings.lifecycle import TRANSITIONS, BookingStatus


def diagram() -> str:
    """The table of transitions, drawn: a booking begins pending, and is over in the states that it can stay in."""
    lines = ["stateDiagram-v2", f"    [*] --> {BookingStatus.PENDING.value}"]
    for before in BookingStatus:
        lines += [f"    {before.value} --> {after.value}" for after in BookingStatus if after in TRANSITIONS[before]]
    lines += [f"    {status.value} --> [*]" for status in (BookingStatus.COMPLETED, BookingStatus.CANCELED)]
    return "\n".join(lines)


class Command(BaseCommand):
    help = "Print the states of a booking and the steps between them as a Mermaid diagram."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(diagram())
