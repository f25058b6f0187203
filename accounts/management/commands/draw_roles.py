from typing import Any

from django.core.management.base import BaseCommand

from accounts.permissions import tables


class Command(BaseCommand):
    help = "Prints the tables of who may do what, as docs/roles.md has them."

    def handle(self, *args: Any, **options: Any) -> None:
        for head, rows in tables():
            self.stdout.write(_line(head))
            self.stdout.write(_line(["---", *(":-:" for _ in head[1:])]))
            for row in rows:
                self.stdout.write(_line(row))
            self.stdout.write("")


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
