"""``manage.py check_ledger``: prove that the ledger balances and agrees with every row."""

from typing import Any

from django.core.management.base import BaseCommand

from billing.services.check import QUESTIONS, balances, problems


class Command(BaseCommand):
    help = (
        "Prints every account with its balance, and everything in which the ledger and the rows do not agree. "
        "Ends with status 1 if there is anything. Changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        for row in balances():
            name = f"{row.kind} {row.owner}".strip()
            self.stdout.write(f"{name:<60} {row.balance:>16} {row.currency}  ({row.entries} entries)")
        found = problems()
        for problem in found:
            self.stdout.write(self.style.ERROR(f"{problem.kind}: {problem.what}"))
        if found:
            self.stdout.write(self.style.ERROR(f"{len(found)} problems."))
            raise SystemExit(1)
        self.stdout.write(self.style.SUCCESS(f"The ledger is right: {len(QUESTIONS)} questions, no problem."))
