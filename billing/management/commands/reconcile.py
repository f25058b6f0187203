"""``manage.py reconcile``: compare our rows with the payment processor's objects, both ways."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.services.reconcile import EVERY_DAY, reconcile


class Command(BaseCommand):
    help = (
        "Lists every difference between our payments, refunds, payouts, chargebacks and plans and what the payment "
        "processor holds, and every mistake in the ledger. Ends with status 1 if there is one, with 2 if it could not "
        "be finished. Repairs nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        when = parser.add_mutually_exclusive_group()
        when.add_argument("--since", help=f"ISO date or time in UTC; without it the last {EVERY_DAY.days} days")
        when.add_argument("--all", action="store_true", help="everything there has ever been")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        since = None if options["all"] else now - EVERY_DAY
        if options["since"]:
            since = moment(options["since"])
        run = reconcile(now=now, since=since)
        for thing, count in run.compared.items():
            self.stdout.write(f"{thing}: {count}")
        for difference in run.differences.iterator(chunk_size=1000):
            self.stdout.write(self.style.ERROR(f"{difference.kind}: {difference.what}"))
        if run.error:
            self.stdout.write(self.style.ERROR(f"Not finished: {run.error}"))
            raise SystemExit(2)
        count = run.differences.count()
        words = "no difference" if not count else "1 difference" if count == 1 else f"{count} differences"
        self.stdout.write((self.style.ERROR if count else self.style.SUCCESS)(f"Reconciled: {words}."))
        if count:
            raise SystemExit(1)


def moment(text: str) -> datetime:
    """
    Raises:
        CommandError: it is neither a date nor a time.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"“{text}” is neither a date nor a time, as in 2026-11-21 or 2026-11-21T08:00Z.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
