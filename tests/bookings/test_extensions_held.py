"""An extension is held while it is being paid: then the end moves, or the old one stays. Beside it, and at once."""

from decimal import Decimal
from functools import partial

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail
from billing.gateway import Intent
from billing.models import Payment, Refund, RefundReason
from billing.services import payments
from billing.services.cards import Means
from bookings import tasks
from bookings.availability import blocks_of
from bookings.errors import BookingError, ExtensionTaken, NotYours, WindowTaken
from bookings.models import Booking, Charge, ChargeStatus
from bookings.services import run
from bookings.services.cancel import cancel_booking
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.extend import give_back_extension, lapse_extension
from bookings.services.request import request_booking
from machines.models import Work
from tests.agents import moment
from tests.bookings.extending import MINUTE, SECOND, ask, fresh
from tests.bookings.test_races import forget_bookings, overlaps, without_exclusion_constraint
from tests.handing_over import automatic, begin, give_key, hand_over, with_agent
from tests.people import DAY, HOUR, enter_access, make_hold, make_paid, make_running, mark_charge_paid, minute
from tests.racing import at_once

pytestmark = pytest.mark.django_db


def to_whom(key: str) -> set[str]:
    return {mail.user.email for mail in OutgoingMail.objects.filter(key__startswith=key)}


# Holding ------------------------------------------------------------------------------------------------


def test_while_it_is_not_paid_the_machine_is_held_and_the_end_stays(running, other_buyer, now):
    charge = ask(running, 2 * HOUR, now=now)
    booking = fresh(running)
    assert (booking.end, booking.price_total) == (running.end, running.price_total)
    assert booking.blocked_until == running.blocked_until + 2 * HOUR
    assert (charge.status, charge.number, charge.amount) == (ChargeStatus.OPEN, 2, Decimal("4.00"))
    assert (charge.covers_from, charge.covers_until) == (running.end, running.end + 2 * HOUR)
    assert charge.expires_at == now + 15 * MINUTE
    with pytest.raises(WindowTaken):
        make_hold(running.listing, other_buyer, start=running.blocked_until, asked=now)


def test_the_calendar_shows_the_extension_as_held_and_the_wipe_after_it(running, now):
    ask(running, 2 * HOUR, now=now)
    found = blocks_of([running.machine_id], now - DAY, now + DAY, now=now)[running.machine_id]
    end = running.end + 2 * HOUR
    assert [(block.start, block.end, block.kind) for block in found] == [
        (running.start, running.end, "taken"),
        (running.end, end, "held"),
        (end, end + 30 * MINUTE, "wipe"),
    ]


def test_paid_the_end_moves_and_both_are_told(running, buyer, provider, now):
    charge = ask(running, 2 * HOUR, now=now)
    payment = mark_charge_paid(charge, now=now + MINUTE)
    booking = fresh(running)
    assert booking.end == running.end + 2 * HOUR
    assert booking.blocked_until == running.blocked_until + 2 * HOUR
    assert booking.price_total == running.price_total + Decimal("4.00")
    assert booking.booked_end is None
    assert payment.amount_total == Decimal("4.00")
    assert Charge.objects.get(pk=charge.pk).paid_at == now + MINUTE
    assert "Extended" in {event.what for event in booking.events.all()}
    assert to_whom(f"booking-extended:{booking.pk}") == {buyer.email, provider.email}
    assert not run.end_booking(booking_id=booking.pk, now=running.end)
    assert run.end_booking(booking_id=booking.pk, now=booking.end)


def test_paid_twice_the_end_moves_once(running, now):
    charge = ask(running, 2 * HOUR, now=now)
    mark_charge_paid(charge, now=now)
    assert confirm_charge(charge_id=charge.pk, now=now) == Confirmation.ALREADY_PAID
    assert fresh(running).end == running.end + 2 * HOUR


def test_a_confirmed_booking_is_extended_before_it_starts(paid, now):
    mark_charge_paid(ask(paid, DAY, now=now), now=now)
    assert fresh(paid).end == paid.end + DAY
    assert not Work.objects.exists()


def test_the_agent_is_told_of_the_new_end(machine, listing, buyer, now):
    agent = with_agent(automatic(machine))
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - HOUR)
    hand_over(agent, now=booking.start + 30 * SECOND)
    mark_charge_paid(ask(booking, HOUR, now=now), now=now)
    newest = Work.objects.filter(booking_id=booking.pk).latest("created_at")
    assert newest.payload["expires_at"] == moment(booking.end + HOUR)


def test_an_extension_of_a_begun_hour_is_free_and_confirmed_at_once(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - HOUR, hours=3.5)
    charge = ask(booking, 30 * MINUTE, now=now)
    assert (charge.amount, charge.is_paid) == (0, True)
    assert fresh(booking).end == booking.end + 30 * MINUTE
    assert not Payment.objects.filter(charge=charge).exists()


def test_one_can_extend_again_once_the_first_is_paid(running, now):
    mark_charge_paid(ask(running, HOUR, now=now), now=now)
    mark_charge_paid(ask(fresh(running), HOUR, now=now), now=now)
    booking = fresh(running)
    assert (booking.end, booking.price_total) == (running.end + 2 * HOUR, running.price_total + 4)
    assert [charge.number for charge in booking.charges.all()] == [1, 2, 3]


def test_lost_time_after_an_extension_is_of_the_whole_price_and_length(listing, buyer, other_buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    make_paid(listing, other_buyer, start=booking.blocked_until + HOUR, asked=now - HOUR)
    mark_charge_paid(ask(booking, HOUR, now=now), now=now)
    enter_access(fresh(booking), now=booking.start + 30 * MINUTE)
    booking = fresh(booking)
    assert (booking.late_minutes, booking.booked_end) == (30, None)
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert Refund.objects.get().amount == Decimal("1.00")  # 30 of 300 minutes of 10 EUR


# Not paid -----------------------------------------------------------------------------------------------


def test_not_paid_in_time_the_old_end_stays(running, buyer, other_buyer, now):
    charge = ask(running, 2 * HOUR, now=now)
    assert not lapse_extension(charge_id=charge.pk, now=charge.expires_at - SECOND)
    assert lapse_extension(charge_id=charge.pk, now=charge.expires_at)
    assert not lapse_extension(charge_id=charge.pk, now=charge.expires_at)
    booking = fresh(running)
    assert (booking.end, booking.blocked_until) == (running.end, running.blocked_until)
    assert Charge.objects.get(pk=charge.pk).status == ChargeStatus.DROPPED
    assert to_whom(f"extension-lapsed:{booking.pk}") == {buyer.email}
    assert make_hold(running.listing, other_buyer, start=running.blocked_until, asked=now)


def test_a_sweep_drops_what_was_not_paid(running, now):
    charge = ask(running, HOUR, now=now)
    assert tasks.lapse_extensions() == 0
    Charge.objects.filter(pk=charge.pk).update(expires_at=timezone.now())
    assert tasks.lapse_extensions() == 1
    assert tasks.lapse_extensions() == 0
    assert fresh(running).blocked_until == running.blocked_until


def test_it_lapses_with_the_old_end_at_the_latest(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - 4 * HOUR + 5 * MINUTE)
    charge = ask(booking, HOUR, now=now)
    assert charge.expires_at == booking.end


def test_the_end_comes_though_an_extension_is_open(running, now):
    charge = ask(running, HOUR, now=now)
    assert run.end_booking(booking_id=running.pk, now=running.end)
    booking = fresh(running)
    assert booking.blocked_until == running.blocked_until
    assert Charge.objects.get(pk=charge.pk).status == ChargeStatus.DROPPED
    assert confirm_charge(charge_id=charge.pk, now=running.end) == Confirmation.TOO_LATE


def test_given_back_it_is_free_for_others_at_once_and_paid_after_all_it_is_refunded(running, other_buyer, now):
    charge = ask(running, HOUR, now=now)
    with pytest.raises(NotYours):
        give_back_extension(booking_id=running.pk, by=other_buyer, now=now)
    assert give_back_extension(booking_id=running.pk, by=running.buyer, now=now)
    assert not give_back_extension(booking_id=running.pk, by=running.buyer, now=now)
    assert fresh(running).blocked_until == running.blocked_until
    assert confirm_charge(charge_id=charge.pk, now=now) == Confirmation.TOO_LATE
    assert ask(running, 2 * HOUR, now=now)


def lapsed(booking: Booking, now) -> tuple[Charge, Payment]:
    """Begun to be paid in time, lapsed, and then the money arrives: what the processor says comes late."""
    charge = ask(booking, 2 * HOUR, now=now)
    means = Means("cus_nobody", "pm_nobody", "Visa 4242")
    payment = payments.begin(charge_id=charge.pk, payer=booking.buyer, means=means, now=now)
    assert lapse_extension(charge_id=charge.pk, now=charge.expires_at)
    return charge, payment


def arrive(payment: Payment, *, now) -> Payment:
    amount = int(payment.amount_total * 100)
    intent = Intent(f"pi_{payment.pk.hex}", "succeeded", amount, payment.currency, "", str(payment.pk), "")
    return payments.apply(intent, now=now)


def test_money_that_comes_late_extends_it_all_the_same_if_the_machine_is_free(running, now):
    charge, payment = lapsed(running, now)
    arrive(payment, now=charge.expires_at + MINUTE)
    booking = fresh(running)
    assert (booking.end, booking.blocked_until) == (running.end + 2 * HOUR, running.blocked_until + 2 * HOUR)
    charge.refresh_from_db()
    assert (charge.status, charge.dropped_at, charge.dropped_because) == (ChargeStatus.PAID, None, "")
    assert not Refund.objects.exists()


def test_money_that_comes_late_goes_back_if_somebody_has_it_by_then(running, other_buyer, now):
    charge, payment = lapsed(running, now)
    make_hold(running.listing, other_buyer, start=running.blocked_until, asked=now)
    arrive(payment, now=charge.expires_at + MINUTE)
    booking = fresh(running)
    assert (booking.end, booking.blocked_until) == (running.end, running.blocked_until)
    refund = Refund.objects.get()
    assert (refund.amount, refund.reason) == (Decimal("4.00"), RefundReason.PAID_TOO_LATE)


def test_money_that_comes_late_goes_back_if_it_was_extended_otherwise_meanwhile(running, now):
    charge, payment = lapsed(running, now)
    mark_charge_paid(ask(running, HOUR, now=now), now=now)
    arrive(payment, now=charge.expires_at + MINUTE)
    assert fresh(running).end == running.end + HOUR
    assert Refund.objects.get().reason == RefundReason.PAID_TOO_LATE


# Beside what else changes an end --------------------------------------------------------------------------


def test_a_late_hand_over_moves_what_is_held_with_it(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    charge = ask(booking, HOUR, now=now)
    enter_access(booking, now=booking.start + 30 * MINUTE)
    moved = fresh(booking)
    assert moved.end == booking.end + 30 * MINUTE
    assert moved.blocked_until == booking.blocked_until + 90 * MINUTE
    mark_charge_paid(charge, now=now)
    moved = fresh(booking)
    assert (moved.end, moved.booked_end) == (booking.end + 90 * MINUTE, booking.end + HOUR)
    assert moved.blocked_until == moved.end + 30 * MINUTE
    assert moved.booked_duration == 5 * HOUR


def test_where_both_do_not_fit_the_time_that_was_lost_comes_first(listing, buyer, other_buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    make_paid(listing, other_buyer, start=booking.blocked_until + HOUR, asked=now - HOUR)
    charge = ask(booking, HOUR, now=now)
    enter_access(booking, now=booking.start + 30 * MINUTE)
    moved = fresh(booking)
    assert (moved.end, moved.blocked_until) == (booking.end + 30 * MINUTE, booking.blocked_until + 30 * MINUTE)
    assert Charge.objects.get(pk=charge.pk).status == ChargeStatus.DROPPED


def test_canceling_drops_it_and_gives_back_what_was_paid_for_it(paid, now):
    mark_charge_paid(ask(paid, 20 * HOUR, now=now), now=now)
    charge = ask(fresh(paid), HOUR, now=now)
    booking = fresh(paid)
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    assert Charge.objects.get(pk=charge.pk).status == ChargeStatus.DROPPED
    assert sum(refund.amount for refund in Refund.objects.all()) == booking.price_total == Decimal("40.00")


# Races --------------------------------------------------------------------------------------------------


def race(listing, buyer, other_buyer, now) -> tuple[Booking, list]:
    """One extends, at the moment in which another asks for the window that follows."""
    booking = make_running(listing, buyer, start=minute(now) - HOUR)
    extend = partial(ask, booking, HOUR, now=now)
    start = booking.blocked_until
    book = partial(request_booking, listing=listing, buyer=other_buyer, start=start, end=start + HOUR, now=now)
    return booking, at_once([extend, book])


@pytest.mark.django_db(transaction=True)
def test_without_the_constraint_an_extension_and_a_new_booking_meet(listing, buyer, other_buyer, now):
    with without_exclusion_constraint():
        for _attempt in range(10):
            _, (charge, asked) = race(listing, buyer, other_buyer, now)
            if isinstance(charge, Charge) and isinstance(asked, Booking):
                break
            forget_bookings()
        assert overlaps()


@pytest.mark.django_db(transaction=True)
def test_either_the_extension_or_the_new_booking_has_it(listing, buyer, other_buyer, now):
    for _attempt in range(5):
        booking, (charge, asked) = race(listing, buyer, other_buyer, now)
        assert (type(charge), type(asked)) in ((Charge, WindowTaken), (ExtensionTaken, Booking)), (charge, asked)
        assert fresh(booking).blocked_until == booking.blocked_until + (
            HOUR if isinstance(charge, Charge) else 0 * HOUR
        )
        assert not overlaps()
        forget_bookings()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_make_one_extension(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR)
    one, other = at_once([partial(ask, booking, HOUR, now=now)] * 2)
    assert {type(one), type(other)} == {Charge, BookingError}
    assert fresh(booking).blocked_until == booking.blocked_until + HOUR
    forget_bookings()


@pytest.mark.django_db(transaction=True)
def test_lapsing_and_being_paid_at_once_it_is_one_or_the_other(listing, buyer, now):
    for _attempt in range(3):
        booking = make_running(listing, buyer, start=minute(now) - HOUR)
        charge = ask(booking, HOUR, now=now)
        due = charge.expires_at
        _, said = at_once(
            [
                partial(lapse_extension, charge_id=charge.pk, now=due),
                partial(confirm_charge, charge_id=charge.pk, now=due),
            ]
        )
        assert said == Confirmation.CONFIRMED, "nobody else wanted it"
        after = fresh(booking)
        assert (after.end, after.blocked_until) == (booking.end + HOUR, booking.blocked_until + HOUR)
        forget_bookings()
