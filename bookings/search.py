"""Finding a server: what it is, when it is free, and what it costs for that window, in one query."""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Least
from django.db.models.lookups import LessThanOrEqual
from django.http import QueryDict
from django.utils.translation import gettext
from django_countries import countries

from bookings.availability import WHILE_SILENT, Block, blocks_of, free_windows, whole_minute
from bookings.filters import FAR, WITHIN_DAYS, ListingFilter, Wish, order, without_nonsense
from bookings.models import AUTOMATIC, Booking
from common.formats import language, when
from machines import pricing
from machines.models import AgentStatus, Listing, ListingQuerySet, ListingStatus, MaintenanceWindow

MONEY = DecimalField(max_digits=14, decimal_places=2)
HOUR = timedelta(hours=1)
#: The filters that stand beside the results and fold away on a phone.
FACETS = ("verified", "reliability", "gpu", "cpu", "ram_gb", "disk_gb", "currency", "country")


@dataclass
class Row:
    """One result: a listing, its calendar, the buyer's window in it and the price of that window."""

    listing: Listing
    blocks: list[Block]
    start: datetime | None
    end: datetime | None
    price: Decimal | None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """Everything that is read from the database for this row: while it is the same, the row looks the same."""
        machine = self.listing.machine
        return (
            *_columns(self.listing),
            *_columns(machine),
            *_columns(machine.verified_benchmark),
            *self.blocks,
            self.start,
            self.end,
        )


@dataclass(frozen=True)
class Facet:
    value: str
    label: str
    count: int
    chosen: bool


#: A GPU's slug and name, a country's code, and how many listings on offer there are of them.
Offers = tuple[str | None, str | None, str, int]


@dataclass
class Search:
    """What was asked for and what was found."""

    filter: ListingFilter
    listings: ListingQuerySet
    wish: Wish
    sort: str
    now: datetime
    offers: list[Offers]
    ignored: list[str] = field(default_factory=list)

    @property
    def duration(self) -> timedelta | None:
        return self.wish.duration

    @property
    def is_plain(self) -> bool:
        """Nothing was asked for: only then do the facets' counts say how many results there are."""
        return not any(self.filter.form.cleaned_data.get(name) for name in self.filter.filters if name != "sort")

    @property
    def chosen(self) -> int:
        """How many of the facets beside the results are set."""
        return sum(bool(self.filter.form.cleaned_data.get(name)) for name in FACETS)


def search(query: QueryDict, *, now: datetime) -> Search:
    """Read the query string and prepare the results. Nothing that a person can type makes this fail."""
    offers = _offers()
    gpus = sorted({(slug, name) for slug, name, _, _ in offers if slug and name}, key=lambda gpu: gpu[1])
    listing_filter, ignored = without_nonsense(query, gpus)
    cleaned = listing_filter.form.cleaned_data
    wish = _wish(cleaned, now=now, ignored=ignored)
    listings: ListingQuerySet = listing_filter.qs
    listings = listings.active_or_unverified() if cleaned.get("verified") == "any" else listings.active()
    listings = bookable(listings, wish, now=now)
    listings = priced(listings, wish.duration)
    if cleaned.get("price_max") is not None:
        listings = listings.filter(LessThanOrEqual(F("price"), cleaned["price_max"]))
    sort = cleaned.get("sort") or "price"
    return Search(listing_filter, order(listings, sort), wish, sort, now, offers, ignored)


def _wish(cleaned: dict[str, Any], *, now: datetime, ignored: list[str]) -> Wish:
    start, end, days = cleaned.get("start"), cleaned.get("end"), cleaned.get("days")
    length = _hours(float(days) * 24) if days else None
    if any(moment and abs(moment - now) > FAR for moment in (start, end)):
        ignored.append(gettext("The window: it is too far away. Servers can be booked up to a year ahead."))
        start = end = None
    elif start or end:
        if start and end is None and length:
            end = start + length
        if start and end:
            start, end = whole_minute(start), whole_minute(end)
            if end <= start:
                ignored.append(gettext("The window: it ends before it starts."))
            elif start < now - HOUR or end <= whole_minute(now):
                ignored.append(gettext("The window: %(start)s has passed.") % {"start": when(start)})
            elif end - start > timedelta(days=366):
                ignored.append(gettext("The window: it is longer than a year."))
            else:
                return Wish(start=_not_passed(start, now=now, ignored=ignored), end=end)
            return Wish()
        ignored.append(gettext("The window: say both when it starts and when it ends, or for how many days."))
    if length:
        within = timedelta(days=float(cleaned.get("within") or WITHIN_DAYS))
        return Wish(length=length, within=max(within, length))
    return Wish()


def _not_passed(start: datetime, *, now: datetime, ignored: list[str]) -> datetime:
    """The start, or now if it was a while ago: whoever searched for now reads the results a little later."""
    if start >= now.replace(second=0, microsecond=0):
        return start
    soonest = whole_minute(now)
    ignored.append(
        gettext("The time before now: %(start)s has passed, so the window begins %(soonest)s.")
        % {"start": when(start), "soonest": when(soonest)}
    )
    return soonest


def _hours(hours: float) -> timedelta:
    return timedelta(hours=max(1, round(hours)))


def bookable(listings: ListingQuerySet, wish: Wish, *, now: datetime) -> ListingQuerySet:
    """Only those that the wished window can be booked on: limits kept, and the machine free, turnaround included.

    ``soonest`` is from when on each can be booked at all.
    """
    if wish.duration is None:
        return listings
    listings = listings.filter(
        min_hours__lte=wish.duration // HOUR, max_hours__gte=pricing.begun_hours(now, now + wish.duration)
    ).annotate(soonest=_soonest(now))
    if wish.start and wish.end:
        ahead = (wish.start - now) / timedelta(days=1)
        return listings.filter(
            _is_free(Value(wish.start), Value(wish.end)),
            LessThanOrEqual(F("soonest"), max(wish.start, whole_minute(now))),
            max_ahead_days__gte=max(0, ahead),
        )
    assert wish.length is not None
    assert wish.within is not None
    return listings.filter(has_gap(wish.length, until=whole_minute(now) + wish.within))


def has_gap(length: timedelta, *, until: datetime) -> Any:
    """Whether the outer listing's machine is free for ``length`` somewhere in ``[soonest, until)``.

    If there is a gap at all, there is one that begins at ``soonest``, where a booking's turnaround ends, or where
    announced maintenance does.
    """

    def free_from(moment: str) -> Q:
        return _is_free(OuterRef(moment), _sum(OuterRef(moment), Value(length)))

    at_once = free_from("soonest") & Q(soonest__lte=until - length)
    after_booking = Booking.objects.holding().filter(
        free_from("blocked_until"),
        machine=OuterRef("machine"),
        blocked_until__gte=OuterRef("soonest"),
        blocked_until__lte=until - length,
    )
    after_upkeep = MaintenanceWindow.objects.announced().filter(
        free_from("end"), machine=OuterRef("machine"), end__gte=OuterRef("soonest"), end__lte=until - length
    )
    return at_once | Q(Exists(after_booking)) | Q(Exists(after_upkeep))


def _soonest(now: datetime) -> Case:
    """Now; of a machine in quarantine, one turnaround from now: nobody knows yet when it will be clean. A little later
    than now where the agent that is to hand it over is silent.

    The same rule as :func:`bookings.services.request.check_window`.
    """
    first = whole_minute(now)
    in_quarantine = Exists(Booking.objects.awaiting_wipe().filter(machine=OuterRef("machine")))
    is_silent = Q(machine__access_kind__in=AUTOMATIC) & ~Q(machine__provider_agent_status=AgentStatus.ONLINE)
    return Case(
        When(in_quarantine, then=_sum(Value(first), F("machine__turnaround"))),
        When(is_silent, then=Value(first + WHILE_SILENT)),
        default=Value(first),
        output_field=DateTimeField(),
    )


def _is_free(start: Any, end: Any) -> Q:
    """Nothing holds the outer row's machine in ``[start, end)`` or in the turnaround after it."""
    blocked_until = _sum(end, OuterRef("machine__turnaround"))
    rivals: list[QuerySet[Any]] = [
        Booking.objects.holding().filter(machine=OuterRef("machine")).overlapping(start, blocked_until),
        MaintenanceWindow.objects.announced().filter(machine=OuterRef("machine")).overlapping(start, blocked_until),
    ]
    return Q(*[~Exists(rival) for rival in rivals])


def _sum(*parts: Any) -> Any:
    return ExpressionWrapper(reduce(lambda a, b: a + b, parts), output_field=DateTimeField())


def priced(listings: ListingQuerySet, duration: timedelta | None) -> ListingQuerySet:
    """With ``price``: for the duration by the best bundle, or for an hour; and ``price_per_tflops`` (fp32, verified).

    The same mixes as :class:`machines.pricing.BestBundle`, so that a row and the quote say the same.
    """
    if duration is None:
        price: Any = F("price_hour")
    else:
        hours = -(-duration // HOUR)
        # LEAST leaves NULLs out: a mix that needs a rate which is not offered.
        price = Least(*[_mix_price(mix) for mix in pricing.mixes(hours)], Value(None, output_field=MONEY))
    listings = listings.annotate(price=ExpressionWrapper(price, output_field=MONEY))
    return listings.annotate(
        price_per_tflops=ExpressionWrapper(
            F("price") / F("machine__verified_benchmark__gpu_throughput_fp32"),
            output_field=DecimalField(max_digits=14, decimal_places=6),
        )
    )


def _mix_price(mix: pricing.Mix) -> Any:
    parts = [
        F(rate) * Value(quantity)
        for rate, quantity in (("price_week", mix.weeks), ("price_day", mix.days), ("price_hour", mix.hours))
        if quantity
    ]
    return ExpressionWrapper(reduce(lambda a, b: a + b, parts), output_field=MONEY)


def rows(found: Search, listings: Iterable[Listing], horizon: tuple[datetime, datetime]) -> list[Row]:
    """The results of one page with their calendars: three queries, however many they are."""
    now, listings = found.now, list(listings)
    until = horizon[1]
    if found.wish.within and listings:  # a gap is only known to be one when what follows it is in view
        turnaround = max(listing.machine.turnaround for listing in listings)
        until = max(until, whole_minute(now) + found.wish.within + turnaround)
    calendars = blocks_of([listing.machine_id for listing in listings], horizon[0], until, now=now)
    result = []
    for listing in listings:
        taken = calendars[listing.machine_id]
        start, end = _window_in(taken, listing, found.wish)
        price = getattr(listing, "price", None) if found.duration else None
        result.append(Row(listing, taken, start, end, price))
    return result


def _columns(row: Model | None) -> Iterator[Hashable]:
    for name, value in vars(row).items() if row else ():
        if name != "_state":
            yield value if isinstance(value, Hashable) else repr(value)


def _window_in(taken: list[Block], listing: Listing, wish: Wish) -> tuple[datetime | None, datetime | None]:
    """The wished window, or for a flexible wish the soonest one that the calendar has room for."""
    if wish.start and wish.end:
        return wish.start, wish.end
    if wish.length is None:
        return None, None
    candidate = whole_minute(listing.soonest)  # type: ignore[attr-defined]
    for block in taken:
        if candidate + wish.length + listing.machine.turnaround <= block.start:
            break
        candidate = max(candidate, whole_minute(block.end))
    return candidate, candidate + wish.length


def _offers() -> list[Offers]:
    """How many listings are on offer of each GPU in each country; those that can be looked at without being on offer
    count nothing, but their GPU can be asked for."""
    return list(
        Listing.objects.public()
        .values_list("machine__gpu__slug", "machine__gpu__name", "machine__country")
        .annotate(count=Count("pk", filter=Q(status=ListingStatus.ACTIVE, suspended_at=None)))
        .order_by()
    )


def facets(found: Search) -> dict[str, list[Facet]]:
    """How many listings on offer there are of each GPU and in each country."""
    cleaned = found.filter.form.cleaned_data
    gpus: Counter[tuple[str, str]] = Counter()
    places: Counter[str] = Counter()
    for slug, name, country, count in found.offers:
        if slug and name and count:
            gpus[slug, name] += count
        if country and count:
            places[country] += count
    return {
        "gpu": [
            Facet(slug, name, count, slug in cleaned.get("gpu", []))
            for (slug, name), count in sorted(gpus.items(), key=lambda item: (-item[1], item[0][1]))
        ],
        "country": [
            Facet(code, _country(code, language()), count, code in cleaned.get("country", []))
            for code, count in sorted(places.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


@lru_cache
def _country(code: str, language: str) -> str:
    return str(countries.name(code))


def suggestions(listing: Listing, *, length: timedelta, now: datetime) -> list[tuple[datetime, datetime]]:
    """The soonest windows of ``length`` on this listing."""
    return free_windows(
        listing.machine_id,
        length=length,
        turnaround=listing.machine.turnaround,
        after=now,
        until=now + timedelta(days=listing.max_ahead_days),
    )
