"""Many want the same at the same moment. In pairs: with the protection off it goes wrong, with it on it does not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import combinations

import pytest
from django.conf import settings
from django.db import connection

from accounts.models import Role, User, UserManager
from bookings.errors import BookingError, WindowTaken
from bookings.models import Booking
from bookings.services.request import request_booking
from machines.models import Listing
from tests.people import DAY, HOUR, make_listing, make_machine, minute
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 50
# Without protection it goes wrong nearly always, not always.
ATTEMPTS = 10
CONSTRAINT = "bookings_one_at_a_time"


@pytest.fixture
def clients(db: None) -> list[User]:
    return [
        User.objects.create(email=f"client-{number}@example.com", roles=[Role.BUYER], password="!")
        for number in range(CLIENTS)
    ]


def forget_bookings() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE bookings, invoice_counters CASCADE")  # numbers follow each other


@contextmanager
def without_exclusion_constraint() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [CONSTRAINT])
        (definition,) = cursor.fetchone()
        cursor.execute(f"ALTER TABLE bookings DROP CONSTRAINT {CONSTRAINT}")
        try:
            yield
        finally:
            forget_bookings()
            cursor.execute(f"ALTER TABLE bookings ADD CONSTRAINT {CONSTRAINT} {definition}")


Window = tuple[datetime, datetime]


def same_window(now: datetime, number: int) -> Window:
    start = minute(now) + DAY
    return start, start + 4 * HOUR


def staggered_window(now: datetime, number: int) -> Window:
    """Every two of them overlap, no two are the same."""
    start = minute(now) + DAY + timedelta(minutes=number)
    return start, start + 4 * HOUR


def ask_all(
    listing: Listing, clients: list[User], window: Callable[[datetime, int], Window], now: datetime
) -> list[Booking | Exception]:
    calls = []
    for number, client in enumerate(clients):
        start, end = window(now, number)
        calls.append(partial(request_booking, listing=listing, buyer=client, start=start, end=end, now=now))
    return at_once(calls)


def winners(results: list[Booking | Exception]) -> list[Booking]:
    return [result for result in results if isinstance(result, Booking)]


def overlaps() -> list[tuple[Booking, Booking]]:
    return [
        (one, other)
        for one, other in combinations(Booking.objects.holding(), 2)
        if one.start < other.blocked_until and other.start < one.blocked_until
    ]


@pytest.mark.parametrize("window", [same_window, staggered_window])
def test_without_the_constraint_a_window_is_promised_to_more_than_one(listing, clients, now, window):
    with without_exclusion_constraint():
        for _attempt in range(ATTEMPTS):
            won = winners(ask_all(listing, clients, window, now))
            if len(won) > 1:
                break
            forget_bookings()
        assert len(won) > 1
        assert overlaps()


@pytest.mark.parametrize("window", [same_window, staggered_window])
def test_fifty_clients_ask_at_once_and_exactly_one_wins(listing, clients, now, window):
    results = ask_all(listing, clients, window, now)

    (won,) = winners(results)
    assert list(Booking.objects.all()) == [won]
    assert won.events.count() == 1
    lost = [result for result in results if result is not won]
    # No deadlock, no time-out, no naked database error: every other one is told the same clear thing.
    assert {type(error) for error in lost} == {WindowTaken}
    for error in lost:
        assert error.field == "start"
        assert error.message.startswith(("Taken by someone else: ", "Somebody was quicker: "))
        assert error.taken == [(won.start, won.blocked_until)]
        assert error.free
    length = won.end - won.start
    for start, end in lost[0].free:
        assert end - start == length
        assert end + listing.machine.turnaround <= won.start or start >= won.blocked_until


def test_the_losers_can_take_a_window_they_were_offered(listing, clients, now):
    results = ask_all(listing, clients[:2], same_window, now)
    (lost,) = [result for result in results if isinstance(result, WindowTaken)]
    client = clients[2]

    for start, end in lost.free:
        booking = request_booking(listing=listing, buyer=client, start=start, end=end, now=now)
        Booking.objects.filter(pk=booking.pk).update(status="canceled", canceled_at=now)


def test_clients_who_want_different_machines_do_not_wait_for_each_other(provider, clients, now):
    listings = [make_listing(make_machine(provider, f"m{number}")) for number in range(10)]
    calls = []
    for listing, client in zip(listings * 2, clients[:20], strict=True):
        start, end = same_window(now, 0)
        calls.append(partial(request_booking, listing=listing, buyer=client, start=start, end=end, now=now))

    results = at_once(calls)

    assert len(winners(results)) == len(listings)
    assert {booking.machine_id for booking in winners(results)} == {listing.machine_id for listing in listings}


def test_two_listings_of_one_machine_promise_it_once(listing, clients, now):
    second = make_listing(listing.machine, price_hour="3.00")
    start, end = same_window(now, 0)
    calls = [
        partial(request_booking, listing=offer, buyer=client, start=start, end=end, now=now)
        for offer, client in zip([listing, second] * 5, clients[:10], strict=True)
    ]

    assert len(winners(at_once(calls))) == 1


# A few unpaid windows each ----------------------------------------------------------------------------


def ask_for_many_machines(provider: User, buyer: User, now: datetime) -> list[Booking | Exception]:
    listings = [make_listing(make_machine(provider, f"m{number}")) for number in range(12)]
    start, end = same_window(now, 0)
    return at_once(
        partial(request_booking, listing=listing, buyer=buyer, start=start, end=end, now=now) for listing in listings
    )


def test_without_the_lock_one_buyer_holds_more_windows_than_allowed(provider, buyer, now, monkeypatch):
    monkeypatch.setattr(UserManager, "select_for_update", lambda self, **_: self.get_queryset())

    for _attempt in range(ATTEMPTS):
        won = winners(ask_for_many_machines(provider, buyer, now))
        if len(won) > settings.MARKETPLACE_UNPAID_HOLDS:
            break
        forget_bookings()

    assert len(won) > settings.MARKETPLACE_UNPAID_HOLDS


def test_one_buyer_never_holds_more_unpaid_windows_than_allowed(provider, buyer, now):
    results = ask_for_many_machines(provider, buyer, now)

    assert len(winners(results)) == settings.MARKETPLACE_UNPAID_HOLDS
    lost = [result for result in results if not isinstance(result, Booking)]
    assert {type(error) for error in lost} == {BookingError}
    assert all("Pay or cancel one of them first" in error.message for error in lost)
