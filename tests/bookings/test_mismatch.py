"""A machine that is not as booked may be left with a full refund, before the start and while it runs."""

from datetime import timedelta

import pytest
from django.db import transaction

from accounts.models import Notification, OutgoingMail
from billing.models import Refund, RefundReason
from bookings import tasks
from bookings.errors import BookingError, NotYours
from bookings.lifecycle import BookingStatus
from bookings.lost_time import lost_time
from bookings.models import Booking
from bookings.services import end_early, leave, run
from machines.models import Work, WorkKind
from machines.services.passports import take_inventory
from tests.handing_over import (
    automatic,
    begin,
    give_key,
    hand_over,
    inventory,
    report,
    result,
    take,
    with_agent,
    without_a_gpu,
)
from tests.people import HOUR, make_paid, minute
from tests.racing import at_once

pytestmark = pytest.mark.django_db

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@transaction.atomic
def read(agent, found: dict, *, now) -> None:
    take_inventory(agent=agent.row, inventory=found, now=now)


@pytest.fixture
def agent(machine, now):
    """Its machine has a passport with two GPUs."""
    agent = with_agent(automatic(machine))
    read(agent, inventory(), now=now)
    return agent


@pytest.fixture
def begun(agent, listing, buyer, now) -> Booking:
    give_key(buyer, now=now)
    return begin(listing, buyer, start=minute(now) - HOUR)


@pytest.fixture
def mismatched(begun, agent) -> Booking:
    """A GPU was missing at hand-over."""
    hand_over(agent, now=begun.start + SECOND, inventory=without_a_gpu())
    return Booking.objects.with_context().get(pk=begun.pk)


def test_a_booking_remembers_the_passport_that_was_booked(agent, listing, buyer, now):
    first = make_paid(listing, buyer, start=now + HOUR, asked=now)
    read(agent, without_a_gpu(), now=now)
    second = make_paid(listing, buyer, start=now + 8 * HOUR, asked=now)
    assert (first.passport.version, second.passport.version) == (1, 2)


def test_a_machine_that_is_as_booked_is_handed_over_without_a_word(begun, agent, buyer):
    hand_over(agent, now=begun.start + SECOND)
    begun.refresh_from_db()
    assert begun.mismatch == []
    assert not leave.can_leave(begun, now=begun.start + MINUTE)
    assert not OutgoingMail.objects.filter(key__startswith="not-as-booked").exists()


def test_what_is_missing_at_hand_over_is_kept_and_told_once(mismatched, agent, buyer):
    (difference,) = mismatched.mismatch
    assert set(difference) == {"what", "before", "after"}
    assert mismatched.events.filter(what="The machine is not as booked").count() == 1
    assert mismatched.access, "the buyer may keep it as it is, so they are let in"
    give_key(
        buyer,
        now=mismatched.start,
        text="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH7sKqEgfWyoqQYXdJ5Ma0dVZrC5lLeSyXpT8B6yPzRb",
    )
    assert tasks.provision_bookings() == 1
    piece = take(agent, now=mismatched.end - MINUTE)
    report(
        agent, piece, result(piece, now=mismatched.end - MINUTE, inventory=without_a_gpu()), now=mismatched.end - MINUTE
    )
    mismatched.refresh_from_db()
    assert len(mismatched.mismatch) == 1
    assert OutgoingMail.objects.filter(user=buyer, key=f"not-as-booked:{mismatched.pk}").count() == 1
    assert Notification.objects.filter(user=buyer, key=f"not-as-booked:{mismatched.pk}").count() == 1


def test_a_passport_that_is_newer_at_the_start_is_noticed_by_the_sweep(agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = make_paid(listing, buyer, start=now - MINUTE, asked=now - HOUR)
    read(agent, without_a_gpu(), now=now)
    assert [tasks.start_bookings(), tasks.start_bookings()] == [1, 0]
    booking.refresh_from_db()
    assert len(booking.mismatch) == 1


@pytest.mark.parametrize("found", [None, {}, "a server", {"version": 2}], ids=str)
def test_a_hand_over_whose_hardware_cannot_be_compared_is_none(begun, agent, found):
    later = begun.start + SECOND
    piece = take(agent, now=later)
    with pytest.raises(Exception, match="cannot be compared"):
        report(agent, piece, result(piece, now=later, inventory=found), now=later)
    assert not Booking.objects.filter(pk=begun.pk, access__isnull=False).exists()


# Leaving while it runs --------------------------------------------------------------------------------


def test_who_leaves_gets_everything_back_and_the_machine_is_erased(mismatched, agent, buyer, provider):
    now = mismatched.start + 30 * MINUTE + 10 * SECOND
    turnaround = mismatched.blocked_until - mismatched.end

    leave.leave_mismatched(booking_id=mismatched.pk, by=buyer, now=now)
    leave.leave_mismatched(booking_id=mismatched.pk, by=buyer, now=now)

    left = Booking.objects.get(pk=mismatched.pk)
    assert (left.end, left.blocked_until) == (
        mismatched.start + 31 * MINUTE,
        mismatched.start + 31 * MINUTE + turnaround,
    )
    assert (left.left_at, left.settled_at, left.lost_amount) == (now, now, left.price_total)
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason, refund.requested_by) == (left.price_total, RefundReason.NOT_AS_BOOKED, buyer)
    for user in (buyer, provider):
        assert OutgoingMail.objects.filter(user=user, key=f"booking-left:{left.pk}").count() == 1
    assert not run.end_booking(booking_id=left.pk, now=left.end - SECOND)
    assert run.end_booking(booking_id=left.pk, now=left.end)
    left.refresh_from_db()
    assert left.is_awaiting_wipe
    assert Work.objects.filter(booking_id=left.pk, kind=WorkKind.WIPE).count() == 1
    assert Refund.objects.count() == 1


def test_who_leaves_before_having_been_let_in_is_refunded_once(agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = make_paid(listing, buyer, start=minute(now) - HOUR, asked=now - 2 * HOUR)
    read(agent, without_a_gpu(), now=now)
    assert run.start_booking(booking_id=booking.pk, now=booking.start)
    leave.leave_mismatched(booking_id=booking.pk, by=buyer, now=booking.start)
    booking.refresh_from_db()
    assert booking.end == booking.start + MINUTE
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert Refund.objects.get().amount == booking.price_total
    assert not OutgoingMail.objects.filter(key__startswith="booking-undelivered").exists()


def test_who_leaves_after_a_late_hand_over_has_no_more_made_up_than_before(begun, agent, buyer):
    late = begun.start + 10 * MINUTE
    hand_over(agent, now=late, inventory=without_a_gpu())
    begun.refresh_from_db()
    assert begun.made_up == 10 * MINUTE
    leave.leave_mismatched(booking_id=begun.pk, by=buyer, now=late + 20 * MINUTE)
    begun.refresh_from_db()
    assert begun.end == begun.start + 30 * MINUTE
    assert begun.made_up == 10 * MINUTE
    assert begun.booked_duration == 4 * HOUR, "what the price is for"
    assert lost_time(begun, now=begun.end).amount == begun.price_total


def test_who_has_ended_it_before_gets_back_what_is_left(mismatched, buyer):
    now = mismatched.start + 30 * MINUTE
    Booking.objects.filter(pk=mismatched.pk).update(refund_steps=[[0, "0.5"]])
    end_early.end_early(booking_id=mismatched.pk, by=buyer, now=now, at=now + 5 * MINUTE)
    leave.leave_mismatched(booking_id=mismatched.pk, by=buyer, now=now + MINUTE)
    mismatched.refresh_from_db()
    assert mismatched.unused_amount > 0
    assert mismatched.lost_amount == mismatched.price_total - mismatched.unused_amount
    refunded = [refund.amount for refund in Refund.objects.order_by("pk")]
    assert refunded == [mismatched.unused_amount, mismatched.lost_amount]
    assert mismatched.booked_duration == 4 * HOUR


def test_who_leaves_in_the_last_minute_does_not_make_it_longer(mismatched, buyer):
    end = mismatched.end
    leave.leave_mismatched(booking_id=mismatched.pk, by=buyer, now=end - SECOND)
    mismatched.refresh_from_db()
    assert mismatched.end == end


def test_who_keeps_it_loses_nothing(mismatched):
    assert run.end_booking(booking_id=mismatched.pk, now=mismatched.end)
    assert not Refund.objects.exists()
    with pytest.raises(BookingError, match="over"):
        leave.leave_mismatched(booking_id=mismatched.pk, by=mismatched.buyer, now=mismatched.end)


def test_a_machine_that_is_as_booked_cannot_be_left_like_this(begun, buyer):
    with pytest.raises(BookingError, match="as it was booked"):
        leave.leave_mismatched(booking_id=begun.pk, by=buyer, now=begun.start + MINUTE)
    assert not Refund.objects.exists()


@pytest.mark.parametrize("who", ["provider", "other_buyer", "administrator", "stranger"])
def test_only_its_buyer_leaves(cast, mismatched, who):
    with pytest.raises(NotYours):
        leave.leave_mismatched(booking_id=mismatched.pk, by=getattr(cast, who), now=mismatched.start + MINUTE)


# Leaving before the start -----------------------------------------------------------------------------


def test_who_leaves_before_the_start_cancels_with_everything_back_whatever_the_terms(agent, listing, buyer, now):
    booking = make_paid(listing, buyer, start=now + MINUTE, asked=now)
    with pytest.raises(BookingError):
        leave.leave_mismatched(booking_id=booking.pk, by=buyer, now=now)
    read(agent, without_a_gpu(), now=now)

    leave.leave_mismatched(booking_id=booking.pk, by=buyer, now=now)
    leave.leave_mismatched(booking_id=booking.pk, by=buyer, now=now)

    booking.refresh_from_db()
    assert booking.status == BookingStatus.CANCELED
    assert len(booking.mismatch) == 1
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason) == (booking.price_total, RefundReason.NOT_AS_BOOKED)


# Pages ------------------------------------------------------------------------------------------------


def test_the_page_offers_it_and_the_button_does_it(client, mismatched, buyer, provider):
    page, address = f"/bookings/{mismatched.pk}/", f"/bookings/{mismatched.pk}/leave/"
    client.force_login(provider)
    assert address not in client.get(page).content.decode()
    assert "Not as booked" in client.get(page).content.decode()
    client.force_login(buyer)
    assert address in client.get(page).content.decode()
    html = client.get(address).content.decode()
    assert "Leave with a full refund?" in html
    assert "€8.00" in html
    assert not Refund.objects.exists()

    assert client.post(address)["Location"] == page

    assert Refund.objects.count() == 1
    assert address not in client.get(page).content.decode()


def test_what_cannot_be_left_is_said(client, begun, buyer):
    client.force_login(buyer)
    address = f"/bookings/{begun.pk}/leave/"
    assert client.get(address).status_code == 200
    response = client.post(address)
    assert response.status_code == 409
    assert "as it was booked" in response.content.decode()


@pytest.mark.django_db(transaction=True)
def test_leaving_twice_at_once_refunds_once(mismatched, buyer):
    now = mismatched.start + 30 * MINUTE
    calls = [lambda: leave.leave_mismatched(booking_id=mismatched.pk, by=buyer, now=now)] * 4
    assert all(isinstance(found, Booking) for found in at_once(calls))
    assert Refund.objects.count() == 1
