"""A long booking whose stage is not paid ends with the time that is, in order."""

import re
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from accounts.models import OutgoingMail
from billing.models import Refund, RefundReason
from bookings.models import Booking, Charge
from bookings.services import run
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.end_early import end_early
from bookings.services.extend import lapse_extension, request_extension
from bookings.services.stages import cut_to_paid
from bookings.terms import refund_for_ending
from bookings.timeline import steps
from machines.models import Work
from tests.agents import moment
from tests.bookings.test_races import forget_bookings
from tests.handing_over import automatic, begin, give_key, hand_over, with_agent
from tests.people import (
    DAY,
    HOUR,
    enter_access,
    make_hold,
    make_listing,
    make_paid,
    make_running,
    mark_charge_paid,
    minute,
    record_wipe,
)
from tests.racing import at_once, twice_at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
STAGE = 28 * DAY


@pytest.fixture
def listing(machine):
    """By the hour alone, so that an hour is 1 EUR."""
    return make_listing(machine, price_hour=1, price_day=None, price_week=None, max_hours=24 * 90)


@pytest.fixture
def long(listing, buyer, now) -> Booking:
    """Began an hour ago, lasts 70 days: 28, 28 and 14."""
    return make_running(listing, buyer, start=minute(now) - HOUR, hours=70 * 24)


def fresh(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def stage(booking: Booking, number: int) -> Charge:
    return Charge.objects.get(booking=booking, number=number)


def test_cut_it_ends_where_the_unpaid_stage_begins(long, buyer, provider, other_buyer, now):
    at = long.start + STAGE - 2 * DAY
    assert cut_to_paid(charge_id=stage(long, 2).pk, now=at)
    assert not cut_to_paid(charge_id=stage(long, 2).pk, now=at)
    after = fresh(long)
    assert (after.end, after.blocked_until) == (long.start + STAGE, long.start + STAGE + 30 * MINUTE)
    assert (after.price_total, after.paid_total, after.paid_minutes) == (Decimal(672), Decimal(672), None)
    assert after.booked_duration == STAGE
    assert [charge.status for charge in after.charges.all()] == ["paid", "dropped", "dropped"]
    assert "Ends early: stage 2 was not paid" in {event.what for event in after.events.all()}
    told = OutgoingMail.objects.filter(key__startswith=f"booking-cut:{long.pk}")
    assert {mail.user_id for mail in told} == {buyer.pk, provider.pk}
    assert not Refund.objects.exists()
    assert make_hold(long.listing, other_buyer, start=after.blocked_until, asked=at)


def test_the_ordinary_sweep_ends_it_then_and_has_it_erased(long):
    cut_to_paid(charge_id=stage(long, 2).pk, now=long.start + STAGE - 2 * DAY)
    end = long.start + STAGE
    assert not run.end_booking(booking_id=long.pk, now=end - SECOND)
    assert run.end_booking(booking_id=long.pk, now=end)
    record_wipe(fresh(long), now=end + MINUTE)
    assert fresh(long).is_completed
    assert not Refund.objects.exists()


def test_the_stages_before_stay(long):
    mark_charge_paid(stage(long, 2), now=long.start + 21 * DAY)
    assert cut_to_paid(charge_id=stage(long, 3).pk, now=long.start + 54 * DAY)
    after = fresh(long)
    assert (after.end, after.price_total) == (long.start + 2 * STAGE, Decimal(1344))


def test_what_is_paid_is_not_cut(long):
    mark_charge_paid(stage(long, 2), now=long.start + 21 * DAY)
    assert not cut_to_paid(charge_id=stage(long, 2).pk, now=long.start + 25 * DAY)
    assert not cut_to_paid(charge_id=stage(long, 1).pk, now=long.start + 25 * DAY)
    assert fresh(long).end == long.end


def test_a_payment_that_comes_after_the_cut_goes_back(long, now):
    charge = stage(long, 2)
    cut_to_paid(charge_id=charge.pk, now=long.start + 26 * DAY)
    assert confirm_charge(charge_id=charge.pk, now=long.start + 26 * DAY) == Confirmation.TOO_LATE
    assert fresh(long).end == long.start + STAGE


def test_time_that_a_late_hand_over_added_stays_added(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=70 * 24, access=False)
    enter_access(booking, now=booking.start + 20 * MINUTE)
    cut_to_paid(charge_id=stage(booking, 2).pk, now=booking.start + 26 * DAY)
    after = fresh(booking)
    assert after.end == booking.start + STAGE + 20 * MINUTE
    assert (after.booked_until, after.booked_duration) == (booking.start + STAGE, STAGE)


def test_a_sweep_that_comes_late_ends_it_at_once_and_nobody_pays_for_what_was_too_much(long):
    late = long.start + STAGE + HOUR
    cut_to_paid(charge_id=stage(long, 2).pk, now=late)
    after = fresh(long)
    assert after.end == late
    assert after.paid_minutes == STAGE // MINUTE
    assert after.paid_total == Decimal(672)


def test_an_extension_that_was_paid_comes_back_and_one_that_was_not_is_dropped(long):
    at = long.start + 20 * DAY
    paid = request_extension(booking_id=long.pk, by=long.buyer, new_end=long.end + 5 * HOUR, now=at)
    mark_charge_paid(paid, now=at)
    open_one = request_extension(booking_id=long.pk, by=long.buyer, new_end=long.end + 7 * HOUR, now=at)
    assert fresh(long).price_total == Decimal(1685)

    cut_to_paid(charge_id=stage(long, 2).pk, now=at)

    after = fresh(long)
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason, refund.payment.charge) == (5, RefundReason.STAGE_NOT_PAID, paid)
    assert (after.end, after.blocked_until) == (long.start + STAGE, long.start + STAGE + 30 * MINUTE)
    assert (after.price_total, after.paid_total) == (Decimal(672), Decimal(672))
    assert {stage(long, paid.number).status, stage(long, open_one.number).status} == {"dropped"}
    assert not lapse_extension(charge_id=open_one.pk, now=at + HOUR)


def test_ended_early_after_a_cut_only_the_paid_time_is_counted(long, now):
    at = long.start + 20 * DAY
    mark_charge_paid(request_extension(booking_id=long.pk, by=long.buyer, new_end=long.end + 5 * HOUR, now=at), now=at)
    cut_to_paid(charge_id=stage(long, 2).pk, now=at)
    ending = refund_for_ending(fresh(long), now=at)
    assert ending.price == Decimal(672)
    assert [(line.length, line.back) for line in ending.lines] == [(7 * DAY, Decimal(168)), (DAY, Decimal(12))]
    end_early(booking_id=long.pk, by=long.buyer, now=at)
    assert sum(refund.amount for refund in Refund.objects.all()) == 5 + 180


def test_after_a_cut_it_can_be_extended_again(long):
    at = long.start + 26 * DAY
    cut_to_paid(charge_id=stage(long, 2).pk, now=at)
    after = fresh(long)
    mark_charge_paid(request_extension(booking_id=long.pk, by=long.buyer, new_end=after.end + DAY, now=at), now=at)
    assert (fresh(long).end, fresh(long).price_total) == (long.start + 29 * DAY, Decimal(696))


def test_the_agent_is_told_of_the_sooner_end(machine, listing, buyer, now):
    agent = with_agent(automatic(machine))
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - HOUR, hours=70 * 24)
    hand_over(agent, now=booking.start + 30 * SECOND)
    cut_to_paid(charge_id=stage(booking, 2).pk, now=now)
    newest = Work.objects.filter(booking_id=booking.pk).latest("created_at")
    assert newest.payload["expires_at"] == moment(booking.start + STAGE)


def test_no_stage_is_left_open_when_a_booking_is_over(long):
    """However that came about: what is over is not charged any more."""
    assert run.end_booking(booking_id=long.pk, now=long.end)
    after = fresh(long)
    assert not after.charges.open().exists()
    assert after.price_total == after.paid_total == Decimal(672)
    assert after.paid_minutes == STAGE // MINUTE


@pytest.mark.django_db(transaction=True)
def test_cut_twice_at_once_it_is_cut_once(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=70 * 24)
    call = partial(cut_to_paid, charge_id=stage(booking, 2).pk, now=now)
    assert sorted(twice_at_once(call)) == [False, False, True]
    assert fresh(booking).events.filter(what__startswith="Ends early").count() == 1
    forget_bookings()


@pytest.mark.django_db(transaction=True)
def test_cut_and_paid_at_once_it_is_one_or_the_other(listing, buyer, now):
    for _attempt in range(3):
        booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=70 * 24)
        charge = stage(booking, 2)
        was_cut, said = at_once(
            [partial(cut_to_paid, charge_id=charge.pk, now=now), partial(confirm_charge, charge_id=charge.pk, now=now)]
        )
        assert (was_cut, said) in ((True, Confirmation.TOO_LATE), (False, Confirmation.CONFIRMED))
        after = fresh(booking)
        assert after.end == (booking.start + STAGE if was_cut else booking.end)
        assert after.paid_total == (672 if was_cut else 1344)
        forget_bookings()


# The page -----------------------------------------------------------------------------------------------


def test_the_page_says_when_each_stage_is_charged(client, listing, buyer, now):
    booking = make_paid(listing, buyer, start=now + DAY, hours=70 * 24, asked=now)
    client.force_login(buyer)
    html = client.get(f"/bookings/{booking.pk}/").content.decode()
    assert "Total, charged in stages" in html
    assert "Part by part" in html
    due = [charge.due_at for charge in booking.charges.all() if charge.is_stage]
    for at in due:
        assert re.search(rf"Charged on \w+ {at.day} {at:%b}", html), at
    coming = [step for step in steps(booking, now=now) if step.title.startswith("Stage")]
    assert [(step.title, step.at) for step in coming] == [
        ("Stage 2 is charged", due[0]),
        ("Stage 3 is charged", due[1]),
    ]


def test_a_stage_that_is_overdue_can_be_paid_on_the_page(client, listing, buyer, provider, now):
    booking = make_running(listing, buyer, start=minute(now) - 24 * DAY, hours=70 * 24)
    address = f"/bookings/{booking.pk}/charges/{stage(booking, 2).pk}/pay/"
    client.force_login(buyer)
    assert address in client.get(f"/bookings/{booking.pk}/").content.decode()
    client.force_login(provider)
    assert address not in client.get(f"/bookings/{booking.pk}/").content.decode()


def test_after_a_cut_the_receipt_says_what_is_not_charged(client, long):
    cut_to_paid(charge_id=stage(long, 2).pk, now=long.start + 2 * HOUR)
    client.force_login(long.buyer)
    html = client.get(f"/bookings/{long.pk}/").content.decode()
    assert re.search(r"Stages that are not charged</td><td class=\"num\">−€1,008\.00", html)
    assert "€672.00" in html
