"""What an organization spends, as its page and its files tell it. Reads only; amounts include tax, by currency.

A booking counts with what it costs (:func:`bookings.services.budgets.committed`), at the moment it was asked for, and each
extension at the moment that one was: as in budgets. Days, months and years are those of the calendar in UTC.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from babel.dates import format_skeleton
from django.db.models import Case, Count, DateTimeField, Exists, F, OuterRef, Q, QuerySet, Sum, When
from django.db.models.functions import Greatest, Least, TruncDay, TruncMonth
from django.utils.translation import gettext

from accounts.models import Organization, Project, User
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, BookingQuerySet, Charge, ChargeKind, ChargeStatus
from bookings.services.budgets import AMOUNT, NOTHING, committed, held, total_of
from bookings.stretches import DAY, Stretch
from common.charts import BarChart, make_bars
from common.formats import language, locale, money
from common.money import Currency, rounded
from common.spreadsheets import Cell
from machines.models import Machine

ZERO = Decimal(0)
#: Up to here a chart has a bar a day, from then on one a month.
BY_DAY = 62
#: So many labels fit beneath the bars of a chart on a telephone.
LABELS = 7
#: So many rows has a table; what is more is one row.
MOST = 12


# What ------------------------------------------------------------------------------------------------------


def bookings_of(organization: Organization, *, member: User | None, now: datetime) -> BookingQuerySet:
    """Those of the organization, or of one member, with ``cost``: what each costs. A hold that has lapsed costs nothing."""
    found = Booking.objects.filter(organization=organization)
    if member is not None:
        found = found.filter(buyer=member)
    return found.annotate(cost=_cost(committed(now=now), now=now))


def within(bookings: BookingQuerySet, stretch: Stretch, *, now: datetime) -> BookingQuerySet:
    """Those that were asked for or extended in that time, with what was asked for in it as their ``cost``."""
    in_it = Q(created_at__gte=stretch.start, created_at__lt=stretch.end)
    extended = Exists(Charge.objects.filter(in_it & _extensions(now=now), booking=OuterRef("pk")))
    cost = committed(now=now, start=stretch.start, end=stretch.end)
    return bookings.filter(in_it | Q(extended)).annotate(cost=_cost(cost, now=now))


def _cost(cost: Case, *, now: datetime) -> Case:
    lapsed = Q(status=BookingStatus.PENDING, paid_at=None, hold_expires_at__lte=now)
    return Case(When(lapsed, then=NOTHING), default=cost, output_field=AMOUNT)


def _extensions(*, now: datetime) -> Q:
    """Charges that count at a moment of their own."""
    return Q(kind=ChargeKind.EXTENSION, status=ChargeStatus.PAID) | held(now=now)


def _counted(bookings: BookingQuerySet, *, now: datetime) -> BookingQuerySet:
    """Without what was never paid and is over: it cost nothing, and nobody had anything of it."""
    over = Q(status=BookingStatus.CANCELED) | Q(hold_expires_at__lte=now)
    return bookings.exclude(over, paid_at=None).order_by()


@dataclass(frozen=True)
class Part:
    """A row of a table, or all of one currency. ``share``: of the currency's total."""

    name: str
    currency: str
    bookings: int
    cost: Decimal
    detail: str = ""
    share: Decimal = ZERO

    @property
    def about(self) -> Decimal:
        """The share, as exactly as anybody reads it."""
        return self.share.quantize(Decimal("0.001"))


@dataclass(frozen=True)
class Table:
    """What was spent by one thing, the most first: a part for each that anything was spent on."""

    key: str
    title: str
    column: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Spend:
    totals: tuple[Part, ...]
    charts: tuple[BarChart, ...]
    is_by_day: bool
    tables: tuple[Table, ...]


Names = Callable[[set[Any]], dict[Any, tuple[str, str]]]


def spend(bookings: BookingQuerySet, stretch: Stretch, *, by_member: bool, now: datetime) -> Spend:
    """All that the page tells of these bookings (:func:`bookings_of`) in that time.

    Args:
        by_member: whether whoever looks may know what each member spent.
    """
    counted = _counted(within(bookings, stretch, now=now), now=now)
    totals = tuple(
        Part(currency, currency, count, rounded(cost, currency)) for currency, _, count, cost in _sums(counted)
    )
    if not totals:
        return Spend((), (), stretch.days <= BY_DAY, ())
    wanted: list[tuple[str, str, str, str, Names]] = [
        ("project", gettext("By project"), gettext("Project"), "project", _projects),
        ("member", gettext("By member"), gettext("Member"), "buyer", _members),
        ("machine", gettext("By server"), gettext("Server"), "machine", _machines),
        ("gpu", gettext("By GPU model"), gettext("GPU model"), "machine__gpu_model", _gpus),
    ]
    tables = [
        Table(key, title, column, _parts(counted, field, names, totals))
        for key, title, column, field, names in wanted
        if by_member or key != "member"
    ]
    charts = _charts(_moments(counted, stretch, now=now), stretch, totals)
    return Spend(totals, charts, stretch.days <= BY_DAY, tuple(tables))


def _sums(counted: QuerySet[Any], by: str | None = None) -> list[tuple[str, Any, int, Decimal]]:
    """Currency, thing, how many bookings, what they cost: the currencies in order, the most first."""
    rows = counted.values("currency", *([by] if by else [])).annotate(count=Count("pk"), total=Sum("cost"))
    found = [(row["currency"], row[by] if by else None, row["count"], row["total"]) for row in rows]
    return sorted(found, key=lambda row: (_place(row[0]), -row[3], str(row[1])))


def _place(currency: str) -> int:
    return list(Currency.values).index(currency)


def _parts(counted: BookingQuerySet, field: str, names: Names, totals: Iterable[Part]) -> tuple[Part, ...]:
    rows = _sums(counted, field)
    whole = {total.currency: total.cost for total in totals}
    shown: list[tuple[str, Any, int, Decimal]] = []
    others: dict[str, list[tuple[str, Any, int, Decimal]]] = {}
    for currency, group in groupby(rows, key=lambda row: row[0]):
        listed = list(group)
        cut = MOST if len(listed) > MOST + 1 else len(listed)
        shown += listed[:cut]
        others[currency] = listed[cut:]
    known = names({thing for _, thing, _, _ in shown})
    parts = []
    for currency, group in groupby(shown, key=lambda row: row[0]):
        for _, thing, count, cost in group:
            name, detail = known[thing]
            parts.append(Part(name, currency, count, rounded(cost, currency), detail, _share(cost, whole[currency])))
        if rest := others[currency]:
            cost = sum((row[3] for row in rest), ZERO)
            name = gettext("%(count)s others") % {"count": len(rest)}
            count = sum(row[2] for row in rest)
            parts.append(Part(name, currency, count, rounded(cost, currency), "", _share(cost, whole[currency])))
    return tuple(parts)


def _share(cost: Decimal, whole: Decimal) -> Decimal:
    return cost / whole if whole else ZERO


def _projects(ids: set[UUID | None]) -> dict[Any, tuple[str, str]]:
    found = Project.objects.in_bulk([pk for pk in ids if pk])
    return {None: (gettext("No project"), ""), **{pk: (row.name, row.grant) for pk, row in found.items()}}


def _members(ids: set[UUID]) -> dict[Any, tuple[str, str]]:
    return {pk: (user.known_as, "") for pk, user in User.objects.in_bulk(list(ids)).items()}


def _machines(ids: set[UUID]) -> dict[Any, tuple[str, str]]:
    return {pk: (machine.title, machine.name) for pk, machine in Machine.objects.in_bulk(list(ids)).items()}


def _gpus(models: set[str]) -> dict[Any, tuple[str, str]]:
    return {model: (model or gettext("No GPU"), "") for model in models}


# Over time -------------------------------------------------------------------------------------------------


def _moments(counted: BookingQuerySet, stretch: Stretch, *, now: datetime) -> QuerySet[Charge]:
    """What was asked for in that time, each with its ``moment`` and its ``cost``: first charges stand for their bookings
    without extensions. They add up to what the bookings cost, for what came back was for the newest first.
    """
    later = total_of(
        Q(kind=ChargeKind.EXTENSION, status=ChargeStatus.PAID, number__gt=OuterRef("number")), booking="booking"
    )
    back = Greatest(F("booking__given_back") - later, NOTHING, output_field=AMOUNT)
    is_first = Q(kind=ChargeKind.BOOKING)
    return (
        Charge.objects.filter(is_first | _extensions(now=now), booking__in=counted.values("pk"))
        .annotate(
            moment=Case(When(is_first, then=F("booking__created_at")), default=F("created_at")),
            cost=Case(
                When(is_first, then=F("booking__price_total") - later - back),
                When(status=ChargeStatus.PAID, then=F("amount") - Least(F("amount"), back, output_field=AMOUNT)),
                default=F("amount"),
                output_field=AMOUNT,
            ),
        )
        .filter(moment__gte=stretch.start, moment__lt=stretch.end)
        .order_by()
    )


def _charts(asked: QuerySet[Charge], stretch: Stretch, totals: Iterable[Part]) -> tuple[BarChart, ...]:
    """A chart for each currency: a bar a day, or a month where that would be too many."""
    by_day = stretch.days <= BY_DAY
    trunc = (TruncDay if by_day else TruncMonth)("moment", tzinfo=UTC, output_field=DateTimeField())
    spent: dict[str, dict[date, Decimal]] = defaultdict(dict)
    for currency, moment, _, cost in _sums(asked.annotate(bucket=trunc), "bucket"):
        spent[currency][moment.date()] = cost
    buckets = list(_days(stretch) if by_day else _months(stretch))
    names = [_label(bucket, stretch, by_day=by_day) for bucket in buckets]
    step = -(-len(buckets) // LABELS)
    charts = []
    for total in totals:
        currency = total.currency
        title = gettext("Spent a day, %(currency)s") if by_day else gettext("Spent a month, %(currency)s")
        figures = [(name, spent[currency].get(day, ZERO)) for name, day in zip(names, buckets, strict=True)]
        drawn = make_bars(title % {"currency": currency}, figures, write=partial(_money, currency=currency))
        charts.append(replace(drawn, ticks=drawn.ticks[step // 2 :: step] if len(buckets) > MOST else drawn.ticks))
    return tuple(charts)


def _money(amount: Decimal, currency: str) -> str:
    return money(rounded(amount, currency), currency)


def _days(stretch: Stretch) -> Iterator[date]:
    return (stretch.first + place * DAY for place in range(stretch.days))


def _months(stretch: Stretch) -> Iterator[date]:
    month = stretch.first.replace(day=1)
    while month <= stretch.last:
        yield month
        month = (month + 32 * DAY).replace(day=1)


def _label(bucket: date, stretch: Stretch, *, by_day: bool) -> str:
    one_year = stretch.first.year == stretch.last.year
    skeleton = "MMMd" if by_day else "MMM" if one_year else "yMMM"
    return str(format_skeleton(skeleton, bucket, locale=locale(language())))


# Files -----------------------------------------------------------------------------------------------------


def columns() -> list[str]:
    """In English, as every file is."""
    return [
        "Booking",
        "Asked for (UTC)",
        "Member",
        "Project",
        "Cost centre",
        "Purchase order",
        "Server",
        "GPU",
        "Start (UTC)",
        "End (UTC)",
        "Hours",
        "State",
        "Cost",
        "Currency",
    ]


def rows_of(bookings: BookingQuerySet) -> Iterator[list[Cell]]:
    """A row for each booking (:func:`bookings_of`), in the order in which they were asked for; read a few at a time."""
    found: Any = bookings.select_related("buyer", "project", "machine", "approval").order_by("created_at", "pk")
    for booking in found.iterator(chunk_size=500):
        machine = booking.machine
        yield [
            booking.reference,
            booking.created_at,
            booking.buyer.known_as,
            booking.project.name if booking.project else "",
            booking.cost_centre,
            booking.purchase_order,
            machine.name,
            f"{machine.gpu_count} × {machine.gpu_model}" if machine.gpu_count else "",
            booking.start,
            booking.end,
            (Decimal(booking.booked_duration // timedelta(minutes=1)) / 60).quantize(Decimal("0.01")),
            booking.state_label,
            rounded(booking.cost, booking.currency),
            booking.currency,
        ]
