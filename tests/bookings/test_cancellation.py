"""What comes back when somebody cancels: to the minute, by all three terms, as it was announced."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings
from django.utils import timezone

from billing.models import Refund, RefundReason
from bookings.errors import BookingError, NotYours, RefundChanged
from bookings.lifecycle import BookingStatus
from bookings.models import Booking
from bookings.services.cancel import cancel_booking
from bookings.terms import current, refund_for
from machines.models import CancellationTerms
from tests.people import DAY, HOUR, make_listing, make_over, make_paid, minute

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
ALL, HALF, NOTHING = Decimal("1"), Decimal("0.5"), Decimal("0")

# The rules, written down once more: how long before the start, and what share comes back.
BOUNDARIES = [
    ("flexible", 30 * DAY, ALL),
    ("flexible", HOUR, ALL),
    ("flexible", HOUR - SECOND, NOTHING),
    ("flexible", SECOND, NOTHING),
    ("moderate", 24 * HOUR, ALL),
    ("moderate", 24 * HOUR - SECOND, HALF),
    ("moderate", SECOND, HALF),
    ("strict", 30 * DAY, HALF),
    ("strict", 7 * DAY, HALF),
    ("strict", 7 * DAY - SECOND, NOTHING),
    ("strict", SECOND, NOTHING),
]


def book(machine, buyer, terms: str, now) -> Booking:
    listing = make_listing(machine, cancellation_terms=terms, price_hour=Decimal("1.11"), price_day=None)
    return make_paid(listing, buyer, start=now + 10 * DAY, hours=5, asked=now)


def owed(booking: Booking) -> Decimal:
    return sum((refund.amount for refund in Refund.objects.filter(payment__booking=booking)), Decimal(0))


@pytest.mark.parametrize(("terms", "before", "share"), BOUNDARIES)
def test_the_terms_say_what_a_buyer_gets_back_to_the_second(terms, before, share):
    assert current(terms).share(before_start=before) == share


@pytest.mark.parametrize(("terms", "before", "share"), [row for row in BOUNDARIES if row[1] <= 7 * DAY])
def test_what_comes_back_is_what_was_announced(machine, buyer, now, terms, before, share):
    booking = book(machine, buyer, terms, now)
    at = booking.start - before
    announced = refund_for(booking, by_provider=False, now=at)

    cancel_booking(booking_id=booking.pk, by=buyer, now=at)

    assert announced.share == share
    assert announced.back + announced.kept == announced.price == booking.price_total
    assert owed(booking) == announced.back
    booking.refresh_from_db()
    assert booking.is_canceled


def test_half_of_an_odd_number_of_cents_is_rounded_once(machine, buyer, now):
    """5.55 → half is 2.775 → 2.78 (half to even), and the rest is kept: nothing gets lost between the two."""
    booking = book(machine, buyer, "strict", now)
    refund = refund_for(booking, by_provider=False, now=now)
    assert (refund.price, refund.back, refund.kept) == (Decimal("5.55"), Decimal("2.78"), Decimal("2.77"))


@pytest.mark.parametrize("terms", CancellationTerms.values)
def test_a_provider_who_cancels_gives_everything_back(machine, provider, buyer, now, terms):
    booking = book(machine, buyer, terms, now)
    at = booking.start - SECOND
    assert refund_for(booking, by_provider=True, now=at).share == ALL

    cancel_booking(booking_id=booking.pk, by=provider, now=at, note="The power supply is broken.")

    (refund,) = Refund.objects.all()
    assert refund.amount == booking.price_total
    assert refund.reason == RefundReason.CANCELED_BY_PROVIDER
    event = booking.events.get(status_after=BookingStatus.CANCELED)
    assert (event.actor, event.detail) == (provider, "The power supply is broken.")


def test_canceling_what_was_never_paid_owes_nothing(held, now):
    assert refund_for(held, by_provider=False, now=now).back == 0
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)
    assert not Refund.objects.exists()


def test_canceling_twice_is_quiet_and_owes_once(paid, provider, now):
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    cancel_booking(booking_id=paid.pk, by=provider, now=now)

    assert owed(paid) == paid.price_total
    assert Refund.objects.count() == 1
    assert paid.events.filter(status_after=BookingStatus.CANCELED).count() == 1


def test_the_terms_are_those_that_were_booked(paid, now):
    """The provider makes them harder afterwards: that is for the next buyer."""
    type(paid.listing).objects.filter(pk=paid.listing_id).update(cancellation_terms="strict")
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    assert owed(paid) == paid.price_total


@pytest.mark.parametrize("who", ["other_buyer", "other_provider", "administrator", "stranger"])
def test_nobody_else_cancels(cast, paid, now, who):
    with pytest.raises(NotYours):
        cancel_booking(booking_id=paid.pk, by=getattr(cast, who), now=now)
    paid.refresh_from_db()
    assert paid.is_confirmed


@pytest.mark.parametrize("who", ["buyer", "provider"])
@pytest.mark.parametrize("state", ["running", "over", "completed"])
def test_what_has_started_is_not_canceled_any_more(request, cast, now, state, who):
    booking = request.getfixturevalue(state)
    with pytest.raises(BookingError, match="started already"):
        cancel_booking(booking_id=booking.pk, by=getattr(cast, who), now=now)
    assert not Refund.objects.exists()


@pytest.mark.parametrize(("terms", "share"), [("flexible", NOTHING), ("moderate", NOTHING), ("strict", NOTHING)])
def test_the_seconds_between_the_start_and_its_sweep_are_no_time_to_cancel_for_free(machine, buyer, now, terms, share):
    booking = book(machine, buyer, terms, now)
    at = booking.start + settings.MARKETPLACE_LATE_START - SECOND
    assert refund_for(booking, by_provider=False, now=at).share == share

    cancel_booking(booking_id=booking.pk, by=buyer, now=at)

    assert owed(booking) == share * booking.price_total


@pytest.mark.parametrize("terms", CancellationTerms.values)
def test_a_start_that_is_overdue_gives_everything_back(machine, buyer, now, terms):
    """No sweep came by at all: that is our fault, and not the buyer's."""
    booking = book(machine, buyer, terms, now)
    at = booking.start + settings.MARKETPLACE_LATE_START
    assert refund_for(booking, by_provider=False, now=at).share == ALL

    cancel_booking(booking_id=booking.pk, by=buyer, now=at)

    assert owed(booking) == booking.price_total


@pytest.mark.parametrize("terms", CancellationTerms.values)
def test_a_buyer_kept_waiting_by_a_quarantine_gets_everything_back(machine, listing, buyer, other_buyer, now, terms):
    make_over(listing, other_buyer, end=now - HOUR)
    offer = make_listing(machine, cancellation_terms=terms)
    booking = make_paid(offer, buyer, start=minute(now) - 10 * timedelta(minutes=1), asked=now - 6 * HOUR)
    announced = refund_for(booking, by_provider=False, now=now)

    cancel_booking(booking_id=booking.pk, by=buyer, now=now)

    assert announced.share == ALL
    assert owed(booking) == booking.price_total


def test_a_canceled_window_is_free_again(paid, other_buyer, now):
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    again = make_paid(paid.listing, other_buyer, start=paid.start, asked=now)
    assert (again.start, again.end) == (paid.start, paid.end)


def test_the_terms_in_words_say_the_same_numbers():
    assert current("flexible").sentence == "full refund until 1 hour before the start, nothing after that."
    assert current("moderate").sentence == "full refund until 24 hours before the start, half back until the start."
    assert current("strict").sentence == "half back until 7 days before the start, nothing after that."


def test_the_last_moment_for_a_full_refund(now):
    assert current("flexible").full_until(now) == now - HOUR
    assert current("moderate").full_until(now) == now - DAY
    assert current("strict").full_until(now) is None


def test_a_booking_keeps_what_its_terms_meant_when_it_was_asked_for(paid, settings):
    """The name of the terms is not enough: their meaning is frozen too."""
    before = refund_for(paid, by_provider=False, now=paid.start - 3 * DAY)
    settings.MARKETPLACE_CANCELLATION = {name: [(DAY * 300, Decimal(1))] for name in ("flexible", "moderate", "strict")}
    paid.refresh_from_db()
    assert refund_for(paid, by_provider=False, now=paid.start - 3 * DAY) == before
    assert before.back > 0


def test_canceling_does_what_was_shown_or_nothing(paid, now):
    shown = refund_for(paid, by_provider=False, now=paid.start - 30 * HOUR).back
    later = paid.start - 5 * HOUR
    with pytest.raises(RefundChanged, match="has changed"):
        cancel_booking(booking_id=paid.pk, by=paid.buyer, now=later, expected_back=shown)
    paid.refresh_from_db()
    assert paid.is_confirmed
    back = refund_for(paid, by_provider=False, now=later).back
    assert back < shown
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=later, expected_back=back)
    assert Refund.objects.get(payment__booking=paid).amount == back


def test_the_page_shows_anew_what_comes_back_when_it_has_changed(client, paid):
    client.force_login(paid.buyer)
    address = f"/bookings/{paid.pk}/cancel/"
    response = client.post(address, {"expected_back": "0.01"})
    assert response.status_code == 409
    html = response.content.decode()
    assert "has changed meanwhile" in html
    shown = refund_for(paid, by_provider=False, now=timezone.now()).back
    assert f'name="expected_back" value="{shown}"' in html
    assert client.post(address, {"expected_back": f"{shown}"}).status_code == 302
