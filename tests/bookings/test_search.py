"""Searching: each parameter finds what it says, when a machine is free, and what its window costs."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookings.filters import Wish
from bookings.lifecycle import HOLDS_MACHINE, BookingStatus
from bookings.models import Booking
from bookings.search import Search, bookable, priced, rows, search
from bookings.views.browse import horizon_of
from common.ids import uuid7
from machines import pricing
from machines.models import AccessKind, AgentStatus, GPUModel, Listing, ListingQuerySet, ListingStatus, Machine
from tests.people import DAY, HOUR, make_benchmark, make_hold, make_listing, make_machine, make_over, make_paid

MINUTE = timedelta(minutes=1)
TURNAROUND = timedelta(minutes=30)

pytestmark = pytest.mark.django_db


def found(now: datetime, **asked: object) -> Search:
    return search(QueryDict(urlencode(asked, doseq=True)), now=now)


def names(now: datetime, **asked: object) -> list[str]:
    """The names of the machines that are found, in order; everything asked was understood."""
    result = found(now, **asked)
    assert result.ignored == []
    return [listing.machine.name for listing in result.listings.with_machine()]


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


# What a listing is --------------------------------------------------------------------------------------


@pytest.fixture
def zoo(provider, other_provider, administrator, now) -> dict[str, Listing]:
    """Three machines that differ in everything that can be asked for."""
    gpus = {
        name: GPUModel.objects.create(slug=name.lower(), name=name, manufacturer="NVIDIA", memory_gb=24)
        for name in ("H100", "L4")
    }
    machines = [
        make_machine(
            provider, "big", gpu=gpus["H100"], gpu_model="H100 SXM", gpu_count=8, gpu_memory_gb=80, ram_gb=2048,
            cpu_model="AMD EPYC 9654", cpu_cores=192, disk_size_gb=16_000, country="DE", region="Bavaria",
            reliability=0.999,
        ),
        make_machine(
            other_provider, "small", gpu=gpus["L4"], gpu_model="L4", gpu_count=1, gpu_memory_gb=24, ram_gb=64,
            cpu_model="Intel Xeon Gold 6430", cpu_cores=32, disk_size_gb=1000, country="FR", region="Paris",
            reliability=0.98,
        ),
        make_machine(
            provider, "plain", gpu_model="", gpu_count=0, gpu_memory_gb=0, ram_gb=512, cpu_model="Ampere Altra",
            cpu_cores=128, disk_size_gb=4000, country="DE", region="Hesse", reliability=None,
        ),
    ]  # fmt: skip
    prices = {"big": ("20", "400", None), "small": ("0.8", None, None), "plain": ("2", "30", "150")}
    tflops = {"big": 480.0, "small": 30.0}
    zoo = {}
    for machine in machines:
        benchmark = make_benchmark(machine, by=administrator, now=now)
        benchmark.gpu_throughput_fp32 = tflops.get(machine.name)
        benchmark.save(update_fields=["gpu_throughput_fp32"])
        hour, day, week = prices[machine.name]
        currency = "USD" if machine.name == "plain" else "EUR"
        zoo[machine.name] = make_listing(
            machine, price_hour=hour, price_day=day, price_week=week, currency=currency, max_hours=200
        )
    return zoo


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"big", "small", "plain"}),
        ({"q": "epyc"}, {"big"}),
        ({"q": "paris"}, {"small"}),
        ({"q": "university h100"}, {"big"}),
        ({"q": "h100 paris"}, set()),
        ({"q": "100%"}, set()),
        ({"q": "_"}, set()),
        ({"gpu": "h100"}, {"big"}),
        ({"gpu": ["h100", "l4"]}, {"big", "small"}),
        ({"gpu_count": 1}, {"big", "small"}),
        ({"gpu_count": 8}, {"big"}),
        ({"gpu_count": 9}, set()),
        ({"vram_gb": 24}, {"big", "small"}),
        ({"vram_gb": 25}, {"big"}),
        ({"ram_gb": 512}, {"big", "plain"}),
        ({"cpu": 128}, {"big", "plain"}),
        ({"cpu": "altra"}, {"plain"}),
        ({"disk_gb": 4000}, {"big", "plain"}),
        ({"country": "FR"}, {"small"}),
        ({"country": ["FR", "DE"]}, {"big", "small", "plain"}),
        ({"price_max": "2"}, {"small", "plain"}),
        ({"price_max": "1.99"}, {"small"}),
        ({"currency": "USD"}, {"plain"}),
        ({"reliability": 99}, {"big"}),
        ({"reliability": "99.9"}, {"big"}),
        ({"reliability": "99.99"}, set()),
        ({"reliability": "1"}, {"big", "small"}),  # one percent, not all of it
        ({"reliability": "0.98"}, {"big", "small"}),
        ({"gpu": "h100", "country": "FR"}, set()),
    ],
)
def test_each_parameter_narrows_the_results(zoo, now, asked, expected):
    assert set(names(now, **asked)) == expected


def test_the_price_limit_is_for_the_whole_window(zoo, now):
    window = {"start": at(now + DAY), "end": at(now + DAY + 24 * HOUR)}
    # A day: big 400, small 24 × 0.80 = 19.20, plain 30.
    assert set(names(now, price_max="19.20", **window)) == {"small"}
    assert set(names(now, price_max="19.19", **window)) == set()
    assert set(names(now, price_max="30", **window)) == {"small", "plain"}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["small", "big", "plain"]),
        ("price", ["small", "big", "plain"]),  # EUR before USD: prices are compared within one currency
        ("tflops", ["small", "big", "plain"]),
        ("reliability", ["big", "small", "plain"]),
        ("newest", ["plain", "small", "big"]),
    ],
)
def test_sorts(zoo, now, sort, expected):
    assert names(now, sort=sort) == expected


def test_the_price_for_a_tflops_follows_the_window(zoo, now):
    # An hour: big 20 / 480 = 0.042, small 0.8 / 30 = 0.027. A day: big 400 / 480 = 0.83, small 19.2 / 30 = 0.64.
    zoo["small"].price_hour = Decimal("1.20")
    zoo["small"].save(update_fields=["price_hour"])
    assert names(now, sort="tflops", currency="EUR") == ["small", "big"]
    day = {"start": at(now + DAY), "end": at(now + 2 * DAY)}
    assert names(now, sort="tflops", currency="EUR", **day) == ["big", "small"]


def test_only_what_is_on_offer_is_found(zoo, now, provider):
    for name, status in (("big", ListingStatus.PAUSED), ("small", ListingStatus.ARCHIVED)):
        Listing.objects.filter(pk=zoo[name].pk).update(status=status)
    assert names(now) == ["plain"]
    assert names(now, verified="any") == ["plain"]  # paused by its provider, not for want of a benchmark


def test_those_not_yet_verified_are_found_when_asked_for(zoo, now, provider):
    waiting = make_listing(make_machine(provider, "new"), status=ListingStatus.PAUSED)
    assert waiting.machine.verified_benchmark is None
    assert "new" not in names(now)
    assert "new" in names(now, verified="any")


# When it is free ------------------------------------------------------------------------------------------


@pytest.fixture
def booked(listing, buyer, now) -> Booking:
    """Four hours in two days' time; the machine is taken for half an hour more."""
    start = (now + 2 * DAY).replace(minute=0, second=0)
    return make_paid(listing, buyer, start=start, asked=now)


@pytest.mark.parametrize(
    ("start", "end", "is_free"),
    [
        (-300, -30, True),  # ends half an hour, the turnaround, before the booking
        (-300, -29, False),
        (-300, 0, False),
        (60, 120, False),
        (240, 360, False),  # begins at the booking's end, within its turnaround
        (269, 360, False),
        (270, 360, True),  # touches the end of the turnaround
        (-300, 600, False),
    ],
)
def test_a_window_is_free_if_it_and_its_turnaround_touch_nothing(booked, listing, now, start, end, is_free):
    """Minutes from the start of a booking of four hours."""
    result = found(now, start=at(booked.start + start * MINUTE), end=at(booked.start + end * MINUTE))
    assert result.ignored == []
    assert list(result.listings) == ([listing] if is_free else [])


def test_an_unpaid_hold_takes_the_window_and_a_canceled_booking_gives_it_back(listing, buyer, now):
    hold = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    window = {"start": at(hold.start), "end": at(hold.end)}
    assert names(now, **window) == []
    Booking.objects.filter(pk=hold.pk).update(status=BookingStatus.CANCELED, canceled_at=now)
    assert names(now, **window) == [listing.machine.name]


def test_the_listings_limits_are_kept(listing, now):
    Listing.objects.filter(pk=listing.pk).update(min_hours=4, max_hours=24, max_ahead_days=10)
    start = now.replace(minute=0, second=0) + DAY

    def offered(length: timedelta, start: datetime = start) -> bool:
        return bool(names(now, start=at(start), end=at(start + length)))

    assert not offered(4 * HOUR - MINUTE)
    assert offered(4 * HOUR)
    assert offered(24 * HOUR)
    assert not offered(24 * HOUR + MINUTE)
    assert offered(4 * HOUR, now + 10 * DAY - MINUTE)
    assert not offered(4 * HOUR, now + 10 * DAY + MINUTE)


def test_a_window_with_a_start_and_a_length(listing, now):
    result = found(now, start=at(now + DAY), days=2)
    assert result.duration == 2 * DAY
    assert list(result.listings) == [listing]


def test_a_machine_in_quarantine_is_offered_only_as_soon_as_it_can_be_booked(listing, buyer, now):
    make_over(listing, buyer, end=now - 10 * MINUTE)
    turnaround = listing.machine.turnaround
    too_soon = now.replace(second=0) + turnaround - MINUTE
    assert names(now, start=at(too_soon), end=at(too_soon + 2 * HOUR)) == []
    soonest = now.replace(second=0) + turnaround + MINUTE
    assert names(now, start=at(soonest), end=at(soonest + 2 * HOUR)) == [listing.machine.name]

    result = found(now, days=1, within=7)
    assert list(result.listings) == [listing]
    (row,) = rows(result, result.listings.with_machine(), horizon_of(result))
    assert row.start is not None
    assert row.start >= now + turnaround


def test_a_machine_whose_agent_is_silent_is_not_offered_for_just_now(listing, now):
    Machine.objects.update(access_kind=AccessKind.AGENT, provider_agent_status=AgentStatus.OFFLINE)
    soon, later = now.replace(second=0) + 5 * MINUTE, now.replace(second=0) + 17 * MINUTE
    assert names(now, start=at(soon), end=at(soon + 2 * HOUR)) == []
    assert names(now, start=at(later), end=at(later + 2 * HOUR)) == [listing.machine.name]
    Machine.objects.update(provider_agent_status=AgentStatus.ONLINE)
    assert names(now, start=at(soon), end=at(soon + 2 * HOUR)) == [listing.machine.name]


@dataclass(frozen=True)
class Calendar:
    """One machine of a random test, with what holds it: (start, blocked until)."""

    listing: Listing
    taken: list[tuple[datetime, datetime]]
    in_quarantine: bool

    def takes(self, start: datetime, length: timedelta, *, now: datetime) -> bool:
        """The rule itself, minute arithmetic on a list."""
        until = start + length + self.listing.machine.turnaround
        if self.in_quarantine and start < now + self.listing.machine.turnaround:
            return False
        return all(until <= a or b <= start for a, b in self.taken)


STEP = 15 * MINUTE


def random_calendars(draw: random.Random, provider, buyer, *, now: datetime, count: int) -> list[Calendar]:
    """Machines with bookings of every status on a grid of a quarter of an hour, dense and sparse."""
    machines = [
        Machine(
            provider=provider, name=f"m{n}", cpu_model="c", cpu_cores=1, ram_gb=1, disk_size_gb=1,
            network_bandwidth="1 Gbps", os="x", turnaround=draw.choice([0, 1, 2, 2, 4, 9]) * STEP,
        )
        for n in range(count)
    ]  # fmt: skip
    Machine.objects.bulk_create(machines)
    listings = [Listing(machine=machine, price_hour=1, status=ListingStatus.ACTIVE) for machine in machines]
    Listing.objects.bulk_create(listings)
    bookings, calendars = [], []
    for listing in listings:
        taken: list[tuple[datetime, datetime]] = []
        in_quarantine = False
        clock = now + draw.randint(-200, 100) * STEP
        for _ in range(draw.randint(0, 12)):
            start = clock + draw.choice([0, 0, 0, 1, 2, 3, 8, 40, 100]) * STEP
            end = start + draw.choice([4, 8, 16, 96, 96, 200]) * STEP
            status = draw.choice([BookingStatus.PENDING] * 4 + [*BookingStatus])
            erasing = status == BookingStatus.ACTIVE and end <= now
            booking = a_booking(listing, buyer, start, end, status, wipe_opened_at=end if erasing else None)
            bookings.append(booking)
            if status in HOLDS_MACHINE:
                taken.append((start, booking.blocked_until))
                clock = booking.blocked_until
            in_quarantine |= erasing
        calendars.append(Calendar(listing, taken, in_quarantine))
    Booking.objects.bulk_create(bookings)
    return calendars


def a_booking(listing, buyer, start, end, status, **fields) -> Booking:
    return Booking(
        id=uuid7(), listing=listing, machine=listing.machine, buyer=buyer, start=start, end=end,
        blocked_until=end + listing.machine.turnaround, status=status, hold_expires_at=start, paid_at=start,
        completed_at=end, canceled_at=start, cancellation_terms="moderate", refund_steps=[], currency="EUR",
        price_total=1, quote_lines=[], **fields,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_what_is_free_agrees_with_counting_it_out(provider, buyer, now, seed):
    """Two hundred and ten random calendars, twelve wishes each: the database says what a loop over them says."""
    draw = random.Random(seed)
    now = now.replace(minute=now.minute // 15 * 15, second=0)
    calendars = random_calendars(draw, provider, buyer, now=now, count=70)
    listings = Listing.objects.filter(pk__in=[calendar.listing.pk for calendar in calendars])

    for _ in range(6):
        start, length = now + draw.randint(0, 400) * STEP, draw.choice([1, 4, 5, 24, 96, 300]) * STEP
        expected = {c.listing.pk for c in calendars if length >= HOUR and c.takes(start, length, now=now)}
        wish = Wish(start=start, end=start + length)
        assert set(bookable(listings, wish, now=now).values_list("pk", flat=True)) == expected

    for length, within in [(HOUR, DAY), (4 * HOUR, DAY), (DAY, 2 * DAY), (DAY, 7 * DAY), (3 * DAY, 5 * DAY)]:
        wish = Wish(length=length, within=within)
        starts = [now + n * STEP for n in range((within - length) // STEP + 1)]
        soonest = {
            c.listing.pk: first
            for c in calendars
            if (first := next((s for s in starts if c.takes(s, length, now=now)), None)) is not None
        }
        result = bookable(listings, wish, now=now)
        assert {listing.pk for listing in result} == set(soonest)
        assert shown_starts(result, wish, now=now) == soonest


def shown_starts(listings: ListingQuerySet, wish: Wish, *, now: datetime) -> dict:
    """Where the rows of the page put the soonest window."""
    result = search(QueryDict(), now=now)
    result.wish = wish
    listings = priced(listings, wish.duration).with_machine()
    return {row.listing.pk: row.start for row in rows(result, listings, horizon_of(result))}


# What it costs ----------------------------------------------------------------------------------------------


def rate(most: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(min_value="0.01", max_value=most, places=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rates=st.lists(
        st.tuples(
            rate("100"), st.none() | rate("2000"), st.none() | rate("9999"), st.sampled_from(["EUR", "USD", "JPY"])
        ),
        min_size=1,
        max_size=12,
    ),
    minutes=st.one_of(st.integers(1, 60 * 24 * 366), st.integers(1, 60 * 24 * 9)),
)
def test_the_price_in_a_row_is_the_quote(rates, minutes, listing, now):
    """Whatever the rates and the length: the database computes what :mod:`machines.pricing` quotes."""
    offers = [
        Listing(machine=listing.machine, price_hour=hour, price_day=day, price_week=week, currency=currency)
        if currency != "JPY"
        else Listing(  # whole yen only, as the form demands
            machine=listing.machine, price_hour=int(hour) + 1, price_day=day and int(day) + 1,
            price_week=week and int(week) + 1, currency=currency,
        )
        for hour, day, week, currency in rates
    ]  # fmt: skip
    Listing.objects.bulk_create(offers)
    length = minutes * MINUTE
    annotated = priced(Listing.objects.filter(pk__in=[offer.pk for offer in offers]), length)
    expected = {offer.pk: pricing.quote(offer.rates, now, now + length).total for offer in annotated}
    assert {offer.pk: offer.price for offer in annotated} == expected
    Listing.objects.filter(pk__in=expected).delete()


def test_without_a_window_the_price_is_for_an_hour(listing, now):
    (row,) = found(now).listings
    assert row.price == listing.price_hour
