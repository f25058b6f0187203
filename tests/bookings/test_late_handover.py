"""The booked time starts when access is ready: a late hand-over moves the end if the machine is free, else it is refunded."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction

from accounts.models import OutgoingMail
from billing.models import Refund, RefundReason
from bookings.errors import WindowTaken
from bookings.models import Access, Booking
from bookings.services import maintenance, provision, run
from bookings.services.late import make_up_for_delay
from bookings.services.locks import locked
from bookings.services.request import request_booking
from machines.models import Work
from tests.agents import moment
from tests.bookings.test_races import forget_bookings, overlaps, without_exclusion_constraint
from tests.handing_over import OTHER_KEY, automatic, begin, give_key, hand_over, with_agent
from tests.people import (
    DAY,
    HOUR,
    enter_access,
    make_over,
    make_paid,
    make_running,
    minute,
    record_wipe,
)
from tests.racing import at_once

pytestmark = pytest.mark.django_db

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return with_agent(automatic(machine))


@pytest.fixture
def begun(agent, listing, buyer, now) -> Booking:
    """Began an hour ago, lasts four; nobody has been let in."""
    give_key(buyer, now=now)
    return begin(listing, buyer, start=minute(now) - HOUR)


@pytest.fixture
def following(begun, other_buyer, now) -> Booking:
    """Begins as soon as the machine is free again."""
    return make_paid(begun.listing, other_buyer, start=begun.blocked_until, hours=2, asked=begun.start)


def lines(booking: Booking) -> list[str]:
    return [event.what for event in booking.events.all()]


# Moving the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "late"),
    [
        (timedelta(0), 0),
        (59 * SECOND, 0),
        (60 * SECOND, 0),
        (61 * SECOND, 2),
        (2 * MINUTE, 2),
        (2 * MINUTE + SECOND, 3),
        (40 * MINUTE, 40),
    ],
)
def test_a_late_hand_over_moves_the_end_by_the_minutes_that_had_begun(begun, agent, delay, late):
    end, blocked = begun.end, begun.blocked_until
    hand_over(agent, now=begun.start + delay)
    begun.refresh_from_db()
    assert begun.late_minutes == late
    assert (begun.end, begun.blocked_until) == (end + late * MINUTE, blocked + late * MINUTE)
    assert begun.booked_end == (end if late else None)
    assert begun.booked_duration == 4 * HOUR


def test_the_agent_is_told_of_the_new_end_and_the_buyer_of_nothing_else(begun, agent, buyer):
    hand_over(agent, now=begun.start + 12 * MINUTE)
    begun.refresh_from_db()
    assert "Handed over 12 minutes late: the end moves" in lines(begun)
    mail = OutgoingMail.objects.get(user=buyer, key__startswith=f"access-ready:{begun.pk}")
    assert f"{begun.end:%H:%M} UTC" in mail.text

    newest = Work.objects.filter(booking_id=begun.pk).latest("created_at")
    assert newest.payload["expires_at"] == moment(begun.end)
    hand_over(agent, now=begun.start + 13 * MINUTE)

    before, begun = begun.end, Booking.objects.get(pk=begun.pk)
    assert (begun.end, begun.late_minutes) == (before, 12)
    assert Access.objects.get().ready_at == begun.start + 12 * MINUTE
    assert OutgoingMail.objects.filter(user=buyer, key__startswith=f"access-ready:{begun.pk}").count() == 1
    assert Work.objects.filter(booking_id=begun.pk).count() == 2


def test_a_moved_end_is_the_one_that_counts_and_nothing_is_refunded(begun, agent):
    hand_over(agent, now=begun.start + 12 * MINUTE)
    assert not run.end_booking(booking_id=begun.pk, now=begun.end)
    assert run.end_booking(booking_id=begun.pk, now=begun.end + 12 * MINUTE)
    assert not Refund.objects.exists()


# Where it cannot be moved -----------------------------------------------------------------------------


def test_where_somebody_has_booked_what_follows_the_end_stays_and_the_time_is_refunded(begun, following, agent):
    hand_over(agent, now=begun.start + 30 * MINUTE)
    before, begun = begun, Booking.objects.get(pk=begun.pk)
    assert (begun.end, begun.blocked_until, begun.booked_end) == (before.end, before.blocked_until, None)
    assert begun.late_minutes == 30
    assert "Handed over 30 minutes late" in lines(begun)
    assert not Refund.objects.exists()

    assert run.end_booking(booking_id=begun.pk, now=begun.end)
    assert not run.end_booking(booking_id=begun.pk, now=begun.end)

    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason) == (Decimal("1.00"), RefundReason.TIME_LOST)  # 30 of 240 minutes of 8 EUR
    begun.refresh_from_db()
    assert (begun.lost_amount, begun.settled_at, begun.down_minutes) == (Decimal("1.00"), begun.end, 0)


def test_announced_maintenance_is_not_moved_into(begun, agent, provider):
    maintenance.announce(
        machine=begun.machine, by=provider, kind="power", start=begun.blocked_until, end=begun.blocked_until + HOUR,
        note="", now=begun.start - 30 * DAY,
    )  # fmt: skip
    hand_over(agent, now=begun.start + 30 * MINUTE)
    begun.refresh_from_db()
    assert (begun.booked_end, begun.late_minutes) == (None, 30)


# Whose delay it is ------------------------------------------------------------------------------------


def test_the_time_in_which_nobody_had_paid_is_not_the_machines(agent, listing, buyer, now):
    give_key(buyer, now=now)
    start = minute(now) - HOUR
    booking = make_paid(listing, buyer, start=start, asked=start)
    Booking.objects.filter(pk=booking.pk).update(paid_at=start + 10 * MINUTE)
    assert run.start_booking(booking_id=booking.pk, now=start + 10 * MINUTE)
    hand_over(agent, now=start + 10 * MINUTE + 30 * SECOND)
    booking.refresh_from_db()
    assert (booking.late_minutes, booking.booked_end) == (0, None)


def test_the_time_without_a_key_is_not_the_machines(agent, listing, buyer, now):
    booking = begin(listing, buyer, start=minute(now) - HOUR)
    key = give_key(buyer, now=now, text=OTHER_KEY, ago=20 * MINUTE)
    assert provision.provision_booking(booking_id=booking.pk, now=key.created_at)
    hand_over(agent, now=key.created_at + 90 * SECOND)
    booking.refresh_from_db()
    assert booking.late_minutes == 2


def test_a_buyer_who_replaces_the_key_while_waiting_loses_nothing_by_it(begun, agent, buyer, now):
    buyer.ssh_keys.all().delete()
    give_key(buyer, now=begun.start + 50 * MINUTE, text=OTHER_KEY, ago=timedelta(0))
    assert provision.provision_booking(booking_id=begun.pk, now=begun.start + 51 * MINUTE)
    hand_over(agent, now=begun.start + HOUR)
    begun.refresh_from_db()
    assert begun.late_minutes == 60


# By hand ----------------------------------------------------------------------------------------------


def test_a_provider_who_lets_in_late_makes_up_for_it_too(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    end = booking.end
    enter_access(booking, now=booking.start + 10 * MINUTE)
    booking.refresh_from_db()
    assert (booking.end, booking.booked_end, booking.late_minutes) == (end + 10 * MINUTE, end, 10)
    enter_access(booking, now=booking.start + 50 * MINUTE)
    booking.refresh_from_db()
    assert (booking.end, booking.late_minutes) == (end + 10 * MINUTE, 10), "a correction is no hand-over"


def test_who_waited_for_the_wipe_after_the_booking_before_has_all_of_their_time(listing, buyer, other_buyer, now):
    over = make_over(listing, other_buyer, end=now - 2 * HOUR)
    booking = make_paid(listing, buyer, start=minute(now) - HOUR, hours=3, asked=now - 12 * HOUR)
    enter_access(booking, now=booking.start - HOUR)
    record_wipe(over, now=now)
    end = booking.end

    assert run.start_booking(booking_id=booking.pk, now=booking.start + 40 * MINUTE)

    booking.refresh_from_db()
    assert (booking.end, booking.late_minutes) == (end + 40 * MINUTE, 40)


def test_by_hand_too_what_cannot_be_moved_is_refunded(listing, buyer, other_buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    make_paid(listing, other_buyer, start=booking.blocked_until, asked=now - HOUR)
    enter_access(booking, now=booking.start + 60 * MINUTE)
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert Refund.objects.get().amount == Decimal("2.00")
    booking.refresh_from_db()
    assert booking.down_minutes is None


# Races ------------------------------------------------------------------------------------------------


@transaction.atomic
def come_late(booking_id, now: datetime) -> bool:
    return make_up_for_delay(locked(booking_id), now=now)


def race(listing, buyer, other_buyer, now) -> tuple[Booking, list]:
    """Access comes half an hour late, at the moment in which somebody asks for the window that follows."""
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    ask = partial(
        request_booking,
        listing=listing,
        buyer=other_buyer,
        start=booking.blocked_until,
        end=booking.blocked_until + HOUR,
        now=now,
    )
    results = at_once([partial(come_late, booking.pk, booking.start + 30 * MINUTE), ask])
    return Booking.objects.get(pk=booking.pk), results


@pytest.mark.django_db(transaction=True)
def test_without_the_constraint_the_moved_end_and_a_new_booking_meet(listing, buyer, other_buyer, now):
    with without_exclusion_constraint():
        for _attempt in range(10):
            _, (moved, asked) = race(listing, buyer, other_buyer, now)
            if moved is True and isinstance(asked, Booking):
                break
            forget_bookings()
        assert overlaps()


@pytest.mark.django_db(transaction=True)
def test_either_the_end_moves_or_the_next_window_is_taken(listing, buyer, other_buyer, now):
    for _attempt in range(5):
        booking, (moved, asked) = race(listing, buyer, other_buyer, now)
        assert moved in (True, False), moved
        assert type(asked) is (WindowTaken if moved else Booking)
        assert booking.late_minutes == 30
        assert (booking.booked_end is not None) == moved
        assert not overlaps()
        forget_bookings()
