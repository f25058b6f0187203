"""What a provider has earned, as the pages and the CSV tell it. Reads only; amounts are without tax, by currency."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from babel.dates import get_month_names
from django.db.models import DateTimeField, Max, Min, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.translation import gettext, pgettext

from accounts.models import User
from billing.models import AccountKind, LedgerEntry, Payout, PayoutLine, PayoutStatus
from billing.services.owed import Owed, due_at, owed_for, owing, with_earnings
from billing.services.payout_accounts import account_for, can_be_paid
from billing.services.payouts import least_of
from common.charts import BarChart, make_bars
from common.formats import language, locale, money
from common.languages import in_english
from common.money import Currency, rounded
from common.spreadsheets import Cell, csv_lines
from machines.models import Machine

ZERO = Decimal(0)


@dataclass
class Totals:
    """Where the money of one currency is at this moment, and what keeps it there."""

    currency: str
    upcoming: Decimal = ZERO
    held: Decimal = ZERO
    due: Decimal = ZERO
    scheduled: Decimal = ZERO
    sent: Decimal = ZERO
    received: Decimal = ZERO
    failed: Decimal = ZERO
    next_at: datetime | None = None
    waits: str = ""
    waits_for_account: bool = False
    can_be_paid: bool = True


@dataclass(frozen=True)
class Row:
    """One booking: what it earned, and where that is."""

    booking: Any
    tone: str
    words: str
    detail: str = ""
    at: datetime | None = None
    payout: Payout | None = None


@dataclass
class MachineTotals:
    """What one machine earned in one currency."""

    machine: Machine
    currency: str
    earned: Decimal = ZERO
    received: Decimal = ZERO


@dataclass(frozen=True)
class Choice:
    """What the page is narrowed to. ``None``: everything."""

    year: int | None = None
    machine: UUID | None = None

    def of_bookings(self, path: str = "") -> dict[str, Any]:
        prefix = f"{path}__" if path else ""
        return {f"{prefix}machine": self.machine} if self.machine else {}

    def of_year(self, field_name: str) -> dict[str, Any]:
        if self.year is None:
            return {}
        zone = timezone.get_current_timezone()
        first, after = (datetime(year, 1, 1, tzinfo=zone) for year in (self.year, self.year + 1))
        return {f"{field_name}__gte": first, f"{field_name}__lt": after}


def movements(user: User, choice: Choice) -> QuerySet[LedgerEntry]:
    """What the ledger says of the provider's account. What they are owed is a credit, and negative there."""
    mine = LedgerEntry.objects.filter(account__kind=AccountKind.PROVIDER_PAYABLE, account__owner=user)
    return mine.filter(**choice.of_year("transaction__at"), **choice.of_bookings("booking"))


def years(user: User) -> list[int]:
    """Those in which something was earned, newest first."""
    ends = movements(user, Choice()).aggregate(first=Min("transaction__at"), last=Max("transaction__at"))
    if ends["first"] is None:
        return []
    first, last = (timezone.localtime(ends[end]).year for end in ("first", "last"))
    return list(range(last, first - 1, -1))


# At this moment ------------------------------------------------------------------------------------------


def totals(user: User, choice: Choice, *, now: datetime) -> list[Totals]:
    """One for each currency in which the provider has earned anything."""
    found: dict[str, Totals] = {}

    def of(currency: str) -> Totals:
        return found.setdefault(currency, Totals(currency))

    open_ones = owing(provider=user.pk).filter(**choice.of_bookings())
    for owed in owed_for(open_ones.select_related("machine"), now=now):
        _add(of(owed.booking.currency), owed)
    lines = PayoutLine.objects.filter(payout__provider=user, payout__retry=None, **choice.of_bookings("booking"))
    summed = lines.values("payout__currency", "payout__status").annotate(total=Sum("amount")).order_by()
    for line in summed:
        total = of(line["payout__currency"])
        setattr(total, line["payout__status"], getattr(total, line["payout__status"]) + line["total"])
    for total in found.values():
        _say_what_it_waits_for(total, user)
    return sorted(found.values(), key=lambda total: in_order(total.currency))


def in_order(currency: str) -> int:
    """Currencies come in one order everywhere."""
    return list(Currency.values).index(currency)


def _add(total: Totals, owed: Owed) -> None:
    total.held += owed.held
    total.upcoming += owed.upcoming
    total.due += owed.payable
    if owed.upcoming and (total.next_at is None or owed.due_at < total.next_at):
        total.next_at = owed.due_at


def _say_what_it_waits_for(total: Totals, user: User) -> None:
    if total.due < 0:
        total.waits = gettext("taken off the next payout")
    if total.due <= 0:
        return
    total.can_be_paid = can_be_paid(total.currency)
    if not total.can_be_paid:
        total.waits = gettext("cannot be paid here yet")
    elif account_for(user, total.currency) is None:
        total.waits, total.waits_for_account = gettext("waits for an account"), True
    elif total.due < least_of(total.currency):
        total.waits = gettext("from %(amount)s on") % {"amount": money(least_of(total.currency), total.currency)}


# Over time -----------------------------------------------------------------------------------------------


def by_month(user: User, choice: Choice, year: int) -> list[BarChart]:
    """What was earned in each month of a year, less what was given back: a chart for each currency."""
    zone: tzinfo = timezone.get_current_timezone()
    rows = (
        movements(user, Choice(year, choice.machine))
        .filter(transaction__payout=None)
        .annotate(month=TruncMonth("transaction__at", tzinfo=zone, output_field=DateTimeField()))
        .values("month", "currency")
        .annotate(total=Sum("amount"))
        .order_by("currency", "month")
    )
    earned: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for row in rows:
        earned[row["currency"]][row["month"].month] = -row["total"]
    return [
        make_bars(
            gettext("Earned in %(year)s, %(currency)s") % {"year": year, "currency": currency},
            [(name, months.get(place, ZERO)) for place, name in _month_names()],
            write=partial(money, currency=currency),
        )
        for currency, months in sorted(earned.items(), key=lambda pair: in_order(pair[0]))
    ]


def _month_names() -> list[tuple[int, str]]:
    """``1, Jan``: as short as the active language writes them where a month stands alone."""
    names = get_month_names("abbreviated", context="stand-alone", locale=locale(language()))
    return [(place, names[place]) for place in range(1, 13)]


def by_machine(user: User, choice: Choice) -> list[MachineTotals]:
    """What each machine earned, and what of its earnings arrived, in the chosen time."""
    found: dict[tuple[UUID, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    earned = movements(user, choice).filter(transaction__payout=None, booking__isnull=False)
    for row in earned.values("booking__machine", "currency").annotate(total=Sum("amount")).order_by():
        found[row["booking__machine"], row["currency"]]["earned"] -= row["total"]
    arrived = PayoutLine.objects.filter(
        payout__provider=user,
        payout__status=PayoutStatus.RECEIVED,
        **choice.of_year("payout__received_at"),
        **choice.of_bookings("booking"),
    )
    for line in arrived.values("booking__machine", "payout__currency").annotate(total=Sum("amount")).order_by():
        found[line["booking__machine"], line["payout__currency"]]["received"] += line["total"]
    machines = Machine.objects.in_bulk({machine for machine, _ in found})
    rows = [MachineTotals(machines[machine], currency, **parts) for (machine, currency), parts in found.items()]
    return sorted(rows, key=lambda row: (in_order(row.currency), -row.earned, row.machine.name))


# Booking by booking --------------------------------------------------------------------------------------


def bookings(user: User, choice: Choice) -> QuerySet[Any]:
    """Those that have earned something, newest end first."""
    theirs = movements(user, Choice()).filter(booking__isnull=False)
    return (
        with_earnings(provider=user.pk)
        .filter(pk__in=theirs.values("booking"), **choice.of_bookings(), **choice.of_year("end"))
        .exclude(earned=0, taken=0)
        .select_related("machine")
        .order_by("-end", "-pk")
    )


def rows_of(page: Iterable[Any], *, now: datetime) -> list[Row]:
    """Where each of these bookings' earnings are."""
    listed = list(page)
    lines = PayoutLine.objects.filter(booking__in=listed, payout__retry=None).select_related("payout__account")
    newest = {line.booking_id: line.payout for line in lines.order_by("payout__scheduled_at")}
    waiting = {pk for pk, payout in newest.items() if payout.status == PayoutStatus.SCHEDULED}
    asked = owed_for([row for row in listed if row.left or row.pk in waiting], now=now)
    # Of what is in a payout as a whole, there is something to say only where that cannot be sent.
    owed = {one.booking.pk: one for one in asked if one.amount or one.reaches_into_payouts}
    return [_row(booking, owed.get(booking.pk), newest.get(booking.pk)) for booking in listed]


def _row(booking: Any, owed: Owed | None, payout: Payout | None) -> Row:
    if owed is None:
        if payout is None:
            return Row(booking, "soft", gettext("Nothing kept"))
        return Row(booking, payout.tone, payout.get_status_display(), gettext(payout.failure), payout=payout)
    if owed.amount < 0:
        taken_off = gettext("Given back after it was paid out: taken off the next payout.")
        to_settle = gettext("%(amount)s to settle") % {"amount": money(owed.amount, booking.currency)}
        return Row(booking, "warn", to_settle, taken_off, payout=payout)
    if owed.held or owed.amount == 0:
        part = "" if owed.held in (booking.earned, ZERO) else f"{money(owed.held, booking.currency)}: "
        return Row(booking, "bad", pgettext("payout", "Held"), part + " ".join(owed.why), payout=payout)
    if owed.is_due and not can_be_paid(booking.currency):
        why = gettext("%(currency)s cannot be paid here yet.") % {"currency": booking.currency}
        return Row(booking, "warn", gettext("Waits"), why, payout=payout)
    if owed.is_due:
        return Row(booking, "warn", gettext("With the next payout"), payout=payout)
    return Row(booking, "soft", gettext("Upcoming"), gettext("Paid out from"), at=due_at(booking), payout=payout)


# CSV -----------------------------------------------------------------------------------------------------

COLUMNS = ("Date (UTC)", "Booking", "Machine", "Start (UTC)", "End (UTC)", "Movement", "Payout", *Currency.values)


def as_csv(user: User, choice: Choice) -> Iterator[str]:
    """One line for each movement of each booking, oldest first; an amount in the column of its currency.

    What is the provider's is positive, what was given back or paid out negative: the columns sum to what is owed.
    """
    rows = (
        movements(user, choice)
        .select_related("transaction__payout", "booking__machine")
        .order_by("transaction__at", "transaction_id", "pk")
    )
    return csv_lines(COLUMNS, map(_cells, rows.iterator(chunk_size=500)))


def _cells(entry: LedgerEntry) -> Iterator[Cell]:
    booking, payout = entry.booking, entry.transaction.payout
    with in_english():
        movement = entry.transaction.get_kind_display()
    yield entry.transaction.at
    yield booking.reference if booking else ""
    yield booking.machine.name if booking else ""
    yield booking.start if booking else ""
    yield booking.end if booking else ""
    yield movement
    yield payout.reference if payout else ""
    for currency in Currency.values:
        yield rounded(-entry.amount, currency) if entry.currency == currency else ""
