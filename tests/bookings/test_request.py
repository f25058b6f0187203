"""Asking for a window: what is refused, in which field, and what is offered instead."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import OutgoingMail, Role
from bookings.availability import blocks_of, free_windows
from bookings.errors import BookingError, PriceChanged, WindowTaken
from bookings.models import Booking
from bookings.services.cancel import cancel_booking
from bookings.services.request import request_booking
from bookings.services.run import end_booking
from machines.models import Listing, ListingStatus
from tests.people import DAY, HOUR, make_hold, make_listing, make_machine, make_paid, make_running, minute, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TURNAROUND = timedelta(minutes=30)


@pytest.fixture
def start(now):
    return minute(now) + 2 * DAY


def ask(listing, buyer, start, end, now, **more):
    return request_booking(listing=listing, buyer=buyer, start=start, end=end, now=now, **more)


# A good request ---------------------------------------------------------------------------------------


def test_a_request_holds_the_window_for_a_quarter_of_an_hour(listing, buyer, start, now):
    booking = ask(listing, buyer, start, start + 30 * HOUR, now)

    booking.refresh_from_db()
    assert booking.is_hold
    assert (booking.start, booking.end) == (start, start + 30 * HOUR)
    assert booking.hold_expires_at == now + timedelta(minutes=15)
    assert booking.blocked_until == booking.end + TURNAROUND
    assert booking.machine == listing.machine
    assert booking.cancellation_terms == listing.cancellation_terms
    assert [event.what for event in booking.events.all()] == ["Asked for"]
    assert OutgoingMail.objects.filter(user=buyer, key=f"booking-requested:{booking.pk}").count() == 1


def test_the_quote_is_kept_when_the_listing_changes(listing, buyer, start, now):
    booking = ask(listing, buyer, start, start + 30 * HOUR, now)
    Listing.objects.update(price_hour=99, price_day=999, currency="USD")

    booking.refresh_from_db()

    assert (booking.price_total, booking.currency) == (Decimal("52.00"), "EUR")
    assert booking.lines() == [
        {"unit": "day", "quantity": 1, "rate": Decimal("40.00"), "amount": Decimal("40.00")},
        {"unit": "hour", "quantity": 6, "rate": Decimal("2.00"), "amount": Decimal("12.00")},
    ]


def test_whoever_books_is_a_buyer_from_then_on(listing, stranger, start, now):
    ask(listing, stranger, start, start + HOUR, now)
    stranger.refresh_from_db()
    assert stranger.roles == [Role.BUYER]


def test_a_booking_may_start_in_the_minute_that_has_begun(listing, buyer, now):
    start = minute(now)
    assert ask(listing, buyer, start, start + HOUR, start + 59 * SECOND).start == start


def test_the_shortest_the_longest_and_the_farthest_are_within_the_limits(listing, buyer, other_listing, now):
    Listing.objects.update(min_hours=2, max_hours=10, max_ahead_days=5)
    listing.refresh_from_db()
    other_listing.refresh_from_db()
    start = minute(now) + 5 * DAY
    assert ask(listing, buyer, start, start + 2 * HOUR, now)
    assert ask(other_listing, buyer, start, start + 10 * HOUR, now)


# Bad requests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "lasts", "field", "words"),
    [
        (-MINUTE, 4 * HOUR, "start", "This start has passed"),
        (-30 * DAY, 4 * HOUR, "start", "This start has passed"),
        (DAY, timedelta(0), "end", "end must be after the start"),
        (DAY, -HOUR, "end", "end must be after the start"),
        (DAY, 2 * HOUR - MINUTE, "end", "shortest booking here is 2 hours"),
        (DAY, 48 * HOUR + MINUTE, "end", "longest booking here is 2 days"),
        (20 * DAY + MINUTE, 4 * HOUR, "start", "up to 20 days ahead"),
        (DAY + SECOND, 4 * HOUR, "start", "whole minute"),
        (DAY, 4 * HOUR + SECOND, "start", "whole minute"),
        (DAY + timedelta(microseconds=1), 4 * HOUR, "start", "whole minute"),
    ],
)
def test_a_window_that_cannot_be_booked_is_refused_in_its_field(listing, buyer, now, begins, lasts, field, words):
    now = minute(now)
    Listing.objects.update(min_hours=2, max_hours=48, max_ahead_days=20)
    listing.refresh_from_db()
    start = now + begins
    with pytest.raises(BookingError, match=words) as caught:
        ask(listing, buyer, start, start + lasts, now)
    assert caught.value.field == field
    assert not Booking.objects.exists()
    assert not OutgoingMail.objects.exists()


@pytest.mark.parametrize("status", [ListingStatus.PAUSED, ListingStatus.ARCHIVED])
def test_a_listing_that_is_not_on_offer_cannot_be_booked(listing, buyer, start, now, status):
    listing.status = status
    with pytest.raises(BookingError, match="cannot be booked"):
        ask(listing, buyer, start, start + HOUR, now)


def test_nobody_books_their_own_machine(listing, provider, start, now):
    with pytest.raises(BookingError, match="your own machine"):
        ask(listing, provider, start, start + HOUR, now)


@pytest.mark.parametrize("shown", ["1.99", "2.01", "0"])
def test_a_price_that_is_not_the_one_shown_is_refused(listing, buyer, start, now, shown):
    with pytest.raises(PriceChanged, match="The price has changed"):
        ask(listing, buyer, start, start + HOUR, now, expected_total=Decimal(shown))
    assert ask(listing, buyer, start, start + HOUR, now, expected_total=Decimal("2")).price_total == Decimal("2.00")


# A few unpaid windows each ----------------------------------------------------------------------------


@pytest.fixture
def many(provider):
    return [
        make_listing(make_machine(provider, f"m{number}")) for number in range(settings.MARKETPLACE_UNPAID_HOLDS + 1)
    ]


def test_too_many_unpaid_windows_are_refused_until_one_is_paid_canceled_or_lapsed(many, buyer, start, now):
    *first, last = many
    held = [ask(listing, buyer, start, start + HOUR, now) for listing in first]
    with pytest.raises(BookingError, match="Pay or cancel one of them first"):
        ask(last, buyer, start, start + HOUR, now)

    cancel_booking(booking_id=held[0].pk, by=buyer, now=now)

    assert ask(last, buyer, start, start + HOUR, now)


def test_holds_past_their_time_do_not_count_even_before_the_sweep(many, buyer, start, now):
    *first, last = many
    for listing in first:
        ask(listing, buyer, start, start + HOUR, now)
    assert ask(last, buyer, start, start + HOUR, now + settings.MARKETPLACE_HOLD)


def test_paid_windows_do_not_count(many, buyer, start, now):
    *first, last = many
    for listing in first:
        make_paid(listing, buyer, start=start, asked=now)
    assert ask(last, buyer, start, start + HOUR, now)


def test_each_buyer_has_a_count_of_their_own(many, buyer, other_buyer, start, now):
    *first, last = many
    for listing in first:
        ask(listing, buyer, start, start + HOUR, now)
    assert ask(last, other_buyer, start, start + HOUR, now)


# Windows that meet ------------------------------------------------------------------------------------


def test_touching_windows_do_not_conflict(held, other_buyer, now):
    """The turnaround belongs to the one before: the next may start when it is over, and end when the next begins."""
    listing = held.listing
    after = held.end + TURNAROUND
    assert ask(listing, other_buyer, after, after + HOUR, now)
    before = held.start - TURNAROUND
    assert ask(listing, other_buyer, before - HOUR, before, now)


@pytest.mark.parametrize("side", ["before", "after"])
def test_one_minute_closer_conflicts(held, other_buyer, now, side):
    starts = {"before": held.start - TURNAROUND - HOUR + MINUTE, "after": held.end + TURNAROUND - MINUTE}
    start = starts[side]
    with pytest.raises(WindowTaken) as caught:
        ask(held.listing, other_buyer, start, start + HOUR, now)
    assert caught.value.taken == [(held.start, held.blocked_until)]


def test_each_machine_has_its_own_turnaround(provider, buyer, other_buyer, start, now):
    listing = make_listing(make_machine(provider, turnaround=timedelta(hours=2)))
    first = ask(listing, buyer, start, start + HOUR, now)
    with pytest.raises(WindowTaken):
        ask(listing, other_buyer, first.end + 2 * HOUR - MINUTE, first.end + 3 * HOUR, now)
    assert ask(listing, other_buyer, first.end + 2 * HOUR, first.end + 3 * HOUR, now)


def test_the_refusal_says_what_is_taken_and_from_when_it_is_free(held, other_buyer, now):
    with pytest.raises(WindowTaken) as caught:
        ask(held.listing, other_buyer, held.start, held.end, now)

    error = caught.value
    assert error.field == "start"
    assert error.taken == [(held.start, held.blocked_until)]
    assert (held.blocked_until, held.blocked_until + (held.end - held.start)) in error.free
    assert error.message.startswith("Taken by someone else: ")
    assert f"{held.start:%H:%M} to " in error.message
    assert f"It is free from {held.blocked_until:%a}" in error.message


def test_every_window_that_is_offered_can_be_booked(listing, buyer, other_buyer, member, start, now):
    make_paid(listing, buyer, start=start, hours=5, asked=now)
    make_paid(listing, buyer, start=start + 7 * HOUR, hours=3, asked=now)
    make_paid(listing, buyer, start=start + 20 * HOUR, hours=3, asked=now)
    with pytest.raises(WindowTaken) as caught:
        ask(listing, other_buyer, start + HOUR, start + 3 * HOUR, now)

    assert len(caught.value.free) == 3
    for free_start, free_end in caught.value.free:
        booking = ask(listing, member, free_start, free_end, now)
        Booking.objects.filter(pk=booking.pk).update(status="canceled", canceled_at=now)


def test_nothing_is_offered_that_ends_too_close_to_a_booking_just_past_the_horizon(listing, buyer, now):
    """The turnaround after the offered window has to fit before that booking too."""
    now = minute(now)
    horizon = now + 10 * HOUR
    make_paid(listing, buyer, start=horizon + 10 * MINUTE, hours=2, asked=now)
    windows = free_windows(listing.machine_id, length=10 * HOUR, turnaround=TURNAROUND, after=now, until=horizon)
    assert windows == []


@given(
    booked=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20)), max_size=8),
    length=st.integers(1, 30),
    horizon=st.integers(10, 220),
)
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_offered_windows_are_free_and_bookable_whatever_is_booked(listing, buyer, now, booked, length, horizon):
    Booking.objects.all().delete()
    now = minute(now)
    quarter = timedelta(minutes=15)
    for begins, lasts in booked:
        start, end = now + begins * quarter, now + (begins + lasts) * quarter
        if not Booking.objects.filter(machine=listing.machine).overlapping(start, end + TURNAROUND).exists():
            Booking.objects.create(
                listing=listing,
                machine=listing.machine,
                buyer=buyer,
                start=start,
                end=end,
                blocked_until=end + TURNAROUND,
                hold_expires_at=now,
                paid_at=now,
                cancellation_terms="moderate",
                refund_steps=[],
                currency="EUR",
                price_total=1,
                quote_lines=[],
            )
    windows = free_windows(
        listing.machine_id,
        length=length * quarter,
        turnaround=TURNAROUND,
        after=now,
        until=now + horizon * quarter,
        limit=100,
    )
    assert windows == sorted(windows)
    for start, end in windows:
        assert now <= start
        assert end <= now + horizon * quarter
        assert end - start == length * quarter
        taken = Booking.objects.filter(machine=listing.machine).overlapping(start, end + TURNAROUND)
        assert not taken.exists()


# Windows that are given back --------------------------------------------------------------------------


def test_a_canceled_hold_frees_its_window(held, other_buyer, now):
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)
    assert make_hold(held.listing, other_buyer, start=held.start, asked=now)


def test_a_machine_that_waits_for_its_wipe_is_not_promised_for_just_now(over, other_buyer, now):
    start = minute(now) + TURNAROUND
    with pytest.raises(BookingError, match="being erased") as caught:
        make_hold(over.listing, other_buyer, start=start - MINUTE, asked=now)
    assert caught.value.field == "start"
    assert make_hold(over.listing, other_buyer, start=start + MINUTE, asked=now)


def test_windows_offered_on_a_machine_that_waits_for_its_wipe_can_be_booked(listing, buyer, other_buyer, member, now):
    over = make_running(listing, buyer, start=now - 10 * HOUR)
    assert end_booking(booking_id=over.pk, now=over.end)
    make_paid(listing, buyer, start=now + 10 * HOUR, asked=now)
    with pytest.raises(WindowTaken) as caught:
        make_hold(listing, other_buyer, start=now + 9 * HOUR, asked=now)

    for start, end in caught.value.free:
        booking = ask(listing, member, start, end, now)
        Booking.objects.filter(pk=booking.pk).update(status="canceled", canceled_at=now)


def test_a_machine_wiped_early_is_free_from_then_on(over, other_buyer, now):
    """The turnaround was set aside for the wipe; what is left of it nobody needs."""
    assert over.blocked_until > now
    record_wipe(over, now=now)
    assert make_hold(over.listing, other_buyer, start=now, asked=now)


def test_a_running_booking_keeps_its_window(running, other_buyer, now):
    with pytest.raises(WindowTaken):
        make_hold(running.listing, other_buyer, start=now + HOUR, asked=now)


# What the calendar shows ------------------------------------------------------------------------------


def test_the_calendar_tells_held_from_taken_and_shows_the_turnaround(listing, buyer, start, now):
    held = ask(listing, buyer, start, start + HOUR, now)
    paid = make_paid(listing, buyer, start=start + 5 * HOUR, hours=1, asked=now)

    blocks = blocks_of([listing.machine_id], now, start + DAY, now=now)[listing.machine_id]

    assert [(block.kind, block.start, block.end) for block in blocks] == [
        ("held", held.start, held.end),
        ("wipe", held.end, held.blocked_until),
        ("taken", paid.start, paid.end),
        ("wipe", paid.end, paid.blocked_until),
    ]


def test_the_calendar_shows_a_quarantine_until_now_at_least(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - 10 * HOUR)
    Booking.objects.filter(pk=booking.pk).update(wipe_opened_at=booking.end)

    blocks = blocks_of([listing.machine_id], now - DAY, now + DAY, now=now)[listing.machine_id]

    assert [(block.kind, block.end) for block in blocks] == [("taken", booking.end), ("wipe", now)]
