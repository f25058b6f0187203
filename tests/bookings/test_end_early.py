"""Ending early: what is left is given back by the terms, to the minute, and never more than was paid."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import OutgoingMail
from accounts.tax import TaxKind
from billing.models import Refund, RefundReason
from bookings.errors import BookingError, NotYours, RefundChanged
from bookings.models import Booking, ChargeStatus
from bookings.services import run
from bookings.services.end_early import end_early, why_not_end
from bookings.services.extend import request_extension
from bookings.terms import Unused, current, refund_for_ending
from machines.models import AccessKind, Outage, WorkKind
from machines.pricing import Rates, quote
from tests.bookings.test_races import forget_bookings
from tests.handing_over import automatic, begin, give_key, hand_over, take, with_agent
from tests.people import (
    HOUR,
    enter_access,
    make_hold,
    make_listing,
    make_running,
    mark_charge_paid,
    minute,
    record_wipe,
)
from tests.racing import at_once, twice_at_once

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
ALL, HALF, NOTHING = Decimal("1"), Decimal("0.5"), Decimal("0")


def fresh(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def refunded() -> Decimal:
    return sum((refund.amount for refund in Refund.objects.all()), Decimal(0))


def running_for(machine, buyer, now, *, hours: float, terms: str, price: str = "1.00") -> Booking:
    """Began an hour ago, by the hour alone."""
    listing = make_listing(machine, cancellation_terms=terms, price_hour=price, price_day=None, price_week=None)
    return make_running(listing, buyer, start=minute(now) - HOUR, hours=hours)


# What comes back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "hours", "lines"),
    [
        # Ended after one hour: so many hours are left, and the terms look at each as if it began then.
        ("flexible", 11, [(9 * HOUR, ALL, "9.00", "9.00"), (HOUR, NOTHING, "1.00", "0.00")]),
        ("flexible", 1.5, [(30 * MINUTE, NOTHING, "0.67", "0.00")]),
        ("moderate", 31, [(6 * HOUR, ALL, "6.00", "6.00"), (24 * HOUR, HALF, "24.00", "12.00")]),
        ("moderate", 11, [(10 * HOUR, HALF, "10.00", "5.00")]),
        ("strict", 11, [(10 * HOUR, NOTHING, "10.00", "0.00")]),
        ("strict", 201, [(32 * HOUR, HALF, "32.00", "16.00"), (168 * HOUR, NOTHING, "168.00", "0.00")]),
    ],
)
def test_each_minute_that_is_left_counts_as_if_it_began_then(machine, buyer, now, terms, hours, lines):
    booking = running_for(machine, buyer, now, hours=hours, terms=terms)
    ending = refund_for_ending(booking, now=minute(now))
    assert list(ending.lines) == [
        Unused(length, share, Decimal(price), Decimal(back)) for length, share, price, back in lines
    ]
    assert ending.end == minute(now)
    assert ending.back + ending.kept == ending.price == booking.price_total


def test_the_next_whole_minute_is_the_new_end(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    assert refund_for_ending(booking, now=minute(now) + SECOND).end == minute(now) + MINUTE


def test_an_extension_is_given_back_at_its_own_price(machine, buyer, now):
    """Eight hours for 8 EUR, then two for what two cost: the dear ones are at the end."""
    booking = running_for(machine, buyer, now, hours=9, terms="flexible")
    booking.listing.price_hour = Decimal("5.00")
    booking.listing.save(update_fields=["price_hour"])
    charge = request_extension(booking_id=booking.pk, by=buyer, new_end=booking.end + 2 * HOUR, now=now)
    mark_charge_paid(charge, now=now)
    ending = refund_for_ending(fresh(booking), now=minute(now))
    assert ending.price == Decimal("19.00")
    # Ten hours are left. The first of them is too near; then seven at 1 EUR and two at 5 EUR.
    assert [(line.length, line.back) for line in ending.lines] == [(9 * HOUR, Decimal("17.00")), (HOUR, 0)]


def test_time_that_was_made_up_at_the_end_is_time_that_is_left(machine, buyer, now):
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=1, price_day=None, price_week=None)
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=5, access=False)
    enter_access(booking, now=booking.start + 30 * MINUTE)
    ending = refund_for_ending(fresh(booking), now=minute(now))
    # Half an hour of five has been used, and the hour after the end is too near.
    assert [(line.length, line.back) for line in ending.lines] == [(3.5 * HOUR, Decimal("3.50")), (HOUR, 0)]


def extend_at(booking: Booking, price_hour: str, *, by: timedelta, now: datetime) -> Booking:
    """The listing asks another price by now; the extension is paid."""
    booking.listing.price_hour = Decimal(price_hour)
    booking.listing.save(update_fields=["price_hour"])
    charge = request_extension(booking_id=booking.pk, by=booking.buyer, new_end=booking.end + by, now=now)
    mark_charge_paid(charge, now=now)
    return fresh(booking)


@pytest.mark.parametrize(
    ("price_hour", "alone", "kept"),
    [
        ("1.00", "26.00", "27.00"),  # four hours of it at 1 EUR; the terms keep one more
        ("2.00", "30.00", "32.00"),
        ("3.00", "34.00", "37.00"),
    ],
)
def test_the_used_part_of_an_extension_costs_what_it_was_sold_at(machine, buyer, now, price_hour, alone, kept):
    """Eleven hours for 22 EUR, and ten more at another price."""
    booking = running_for(machine, buyer, now, hours=11, terms="flexible", price="2.00")
    booking = extend_at(booking, price_hour, by=10 * HOUR, now=now)
    ending = refund_for_ending(booking, now=now, at=booking.start + 15 * HOUR)
    assert (ending.used_alone, ending.kept, ending.held_back) == (Decimal(alone), Decimal(kept), 0)


@pytest.mark.parametrize(("share", "kept"), [("1", "20.00"), ("0.5", "11.00")])
def test_who_wants_a_day_does_not_extend_an_hour_to_a_week(machine, buyer, now, share, kept):
    """Ended after a day, 18 EUR more than an hour costs by itself; half of that, if bought at half the rates."""
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=2, price_day=20, price_week=60)
    booking = make_running(listing, buyer, start=minute(now) - HOUR / 2, hours=1)
    for name in ("price_hour", "price_day", "price_week"):
        setattr(booking.listing, name, getattr(booking.listing, name) * Decimal(share))
    booking.listing.save(update_fields=["price_hour", "price_day", "price_week"])
    charge = request_extension(booking_id=booking.pk, by=buyer, new_end=booking.start + 168 * HOUR, now=now)
    mark_charge_paid(charge, now=now)
    ending = refund_for_ending(fresh(booking), now=now, at=booking.start + 24 * HOUR)
    assert ending.kept == Decimal(kept)


def make_week(machine, buyer, now, *, terms: str = "flexible") -> Booking:
    """Seven days for 60 EUR, where a day costs 20 and an hour 2, of which an hour has gone by."""
    listing = make_listing(machine, cancellation_terms=terms, price_hour=2, price_day=20, price_week=60)
    return make_running(listing, buyer, start=minute(now) - HOUR, hours=168)


@pytest.mark.parametrize(
    ("used", "kept", "held_back"),
    [
        (HOUR, "2.00", "1.29"),  # of 60 EUR for 168 hours, the terms keep that of two
        (23 * HOUR, "20.00", "11.43"),
        (24 * HOUR + MINUTE, "22.00", "13.07"),
        (71 * HOUR, "60.00", "34.29"),  # three days cost as much as the week
        (100 * HOUR, "60.00", "23.93"),
        (167 * HOUR, "60.00", "0.00"),
    ],
)
def test_a_long_booking_is_no_cheap_short_one(machine, buyer, now, used, kept, held_back):
    booking = make_week(machine, buyer, now)
    ending = refund_for_ending(booking, now=now, at=booking.start + used)
    assert (ending.kept, ending.held_back) == (Decimal(kept), Decimal(held_back))
    assert ending.kept + ending.back == booking.price_total
    assert ending.kept == quote(booking.listing.rates, booking.start, booking.start + used).total


def test_the_rates_of_the_booking_count_and_not_what_the_listing_asks_by_now(machine, buyer, now):
    booking = make_week(machine, buyer, now)
    booking.listing.price_hour = Decimal("50.00")
    booking.listing.save(update_fields=["price_hour"])
    assert refund_for_ending(fresh(booking), now=minute(now)).kept == Decimal("2.00")


def test_a_business_that_pays_no_vat_keeps_the_net_price(machine, buyer, now):
    booking = make_week(machine, buyer, now)
    booking.tax_kind, booking.tax_rate = TaxKind.REVERSE_CHARGE, Decimal(0)
    net = Decimal("2.00") / (1 + settings.MARKETPLACE_VAT_RATE)
    assert refund_for_ending(booking, now=minute(now)).used_alone == net.quantize(Decimal("0.01"))


def test_where_the_rates_were_not_kept_the_terms_alone_count(machine, buyer, now):
    booking = make_week(machine, buyer, now)
    booking.quote_rates = {}
    assert refund_for_ending(booking, now=minute(now)).held_back == 0


def test_the_page_and_the_mails_say_what_is_held_back(client, machine, buyer, now):
    booking = make_week(machine, buyer, now)
    client.force_login(buyer)
    page = client.get(f"/bookings/{booking.pk}/end/").content.decode()
    assert "The time that was used, by itself" in page
    end_early(booking_id=booking.pk, by=buyer, now=minute(now))
    assert refunded() == Decimal("58.00")
    for mail in OutgoingMail.objects.filter(key__startswith=f"ended-early:{booking.pk}"):
        assert "by itself. No less is kept." in mail.text


@dataclass
class Part:
    """As much of a charge as is read."""

    covers_from: datetime
    covers_until: datetime
    amount: Decimal
    is_paid: bool = True
    is_stage: bool = True
    is_extension: bool = False

    @property
    def is_open(self) -> bool:
        return not self.is_paid

    @property
    def length(self) -> timedelta:
        return self.covers_until - self.covers_from


@dataclass
class Run:
    """As much of a running booking as is read."""

    start: datetime
    end: datetime
    parts: list[Part]
    currency: str
    terms: str
    made_up: timedelta
    started_at: datetime | None = None
    rates: Rates | None = None
    given_back: Decimal = Decimal(0)
    charges: Any = field(init=False)

    def __post_init__(self) -> None:
        self.charges = type("Kept", (), {"kept": lambda _: self.parts})()

    @property
    def refund_steps(self) -> list[list[str | float]]:
        return current(self.terms).frozen()

    @property
    def paid_total(self) -> Decimal:
        return sum((part.amount for part in self.parts if part.is_paid), Decimal(0))

    def get_cancellation_terms_display(self) -> str:
        return self.terms


TERMS = st.sampled_from(list(settings.MARKETPLACE_CANCELLATION))


@st.composite
def runs(draw: st.DrawFn, terms: st.SearchStrategy[str] = TERMS) -> Run:
    currency = draw(st.sampled_from(["EUR", "JPY"]))
    start = at = minute(timezone.now())
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        until = at + draw(st.integers(1, 60 * 24 * 28)) * MINUTE
        places = 0 if currency == "JPY" else 2
        parts.append(Part(at, until, draw(st.decimals("0", "5000", places=places)), draw(st.integers(0, 5)) > 0))
        at = until
    made_up = draw(st.integers(0, 90)) * MINUTE
    return Run(start, at + made_up, parts, currency, draw(terms), made_up)


@given(runs(), st.data())
def test_never_more_than_was_paid_comes_back_and_later_never_more_than_sooner(run, data):
    minutes = (run.end - run.start) // MINUTE
    one, other = sorted(data.draw(st.tuples(st.integers(0, minutes), st.integers(0, minutes))))
    sooner, later = (refund_for_ending(run, now=run.start, at=run.start + at * MINUTE) for at in (one, other))
    for ending in (sooner, later):
        assert 0 <= ending.back <= ending.price == run.paid_total
        assert all(0 <= line.back <= line.price + 1 for line in ending.lines)
        assert sum((line.length for line in ending.lines), timedelta(0)) <= run.end - ending.end
    least = Decimal("0.01") if run.currency == "EUR" else Decimal(1)
    assert later.back <= sooner.back + 2 * least  # each line is rounded


@given(runs(st.just("flexible")), st.data())
def test_by_flexible_terms_all_but_the_next_hour_comes_back(run, data):
    minutes = (run.end - run.start) // MINUTE
    at = run.start + data.draw(st.integers(0, minutes)) * MINUTE
    back = refund_for_ending(run, now=run.start, at=at).back
    far = at + HOUR
    due = sum(
        (
            part.amount * max((part.covers_until + run.made_up - max(part.covers_from + run.made_up, far)) // MINUTE, 0)
            / (part.length // MINUTE)
            for part in run.parts
            if part.is_paid
        ),
        Decimal(0),
    )  # fmt: skip
    assert abs(back - due) <= 1


# Ending it ----------------------------------------------------------------------------------------------


def test_ending_early_frees_the_calendar_at_once_and_owes_what_was_announced(
    machine, buyer, other_buyer, provider, now
):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    announced = refund_for_ending(booking, now=now)

    end_early(booking_id=booking.pk, by=buyer, now=now, expected_back=announced.back)

    after = fresh(booking)
    assert after.end == announced.end
    assert after.blocked_until == announced.end + 30 * MINUTE
    assert (after.ended_early_at, after.unused_amount, after.paid_minutes) == (now, announced.back, 11 * 60)
    assert after.price_total == booking.price_total
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason, refund.requested_by) == (announced.back, RefundReason.ENDED_EARLY, buyer)
    told = OutgoingMail.objects.filter(key__startswith=f"ended-early:{booking.pk}")
    assert {mail.user_id for mail in told} == {buyer.pk, provider.pk}
    assert make_hold(booking.listing, other_buyer, start=after.blocked_until, asked=now)


def test_the_ordinary_sweep_ends_it_and_has_it_erased(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    end_early(booking_id=booking.pk, by=buyer, now=now)
    end = fresh(booking).end
    back = refunded()
    assert not run.end_booking(booking_id=booking.pk, now=end - SECOND)
    assert run.end_booking(booking_id=booking.pk, now=end)
    after = fresh(booking)
    assert after.is_awaiting_wipe
    assert refunded() == back, "nothing was lost of what was used"
    record_wipe(after, now=end + MINUTE)
    assert fresh(booking).is_completed


def test_twice_is_quiet_and_owes_once(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    for minutes in (0, 5):
        end_early(booking_id=booking.pk, by=buyer, now=now + minutes * MINUTE)
    assert Refund.objects.count() == 1
    assert fresh(booking).ended_early_at == now


def test_where_nothing_comes_back_nothing_is_owed(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="strict")
    end_early(booking_id=booking.pk, by=buyer, now=now)
    assert fresh(booking).ended_early_at
    assert not Refund.objects.exists()


def test_only_its_buyer_ends_it(running, provider, administrator, other_buyer, now):
    for somebody in (provider, administrator, other_buyer):
        with pytest.raises(NotYours):
            end_early(booking_id=running.pk, by=somebody, now=now)


@pytest.mark.parametrize("state", ["held", "paid", "over", "completed"])
def test_only_what_runs_is_ended_early(request, state, now):
    booking = request.getfixturevalue(state)
    with pytest.raises(BookingError, match="Only a booking that runs"):
        end_early(booking_id=booking.pk, by=booking.buyer, now=now)


def test_what_ends_within_the_minute_ends_by_itself(running):
    with pytest.raises(BookingError, match="within the minute"):
        end_early(booking_id=running.pk, by=running.buyer, now=running.end - 30 * SECOND)


def test_a_dispute_is_not_ended(running, now):
    Booking.objects.filter(pk=running.pk).update(status="disputed")
    with pytest.raises(BookingError):
        end_early(booking_id=running.pk, by=running.buyer, now=now)


def test_ending_does_what_was_shown_or_nothing(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    shown = refund_for_ending(booking, now=now).back
    with pytest.raises(RefundChanged, match="has changed"):
        end_early(booking_id=booking.pk, by=buyer, now=now + HOUR, expected_back=shown)
    assert fresh(booking).end == booking.end


def test_an_end_some_minutes_ahead_holds_while_it_is_being_read(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    at = minute(now) + 5 * MINUTE
    shown = refund_for_ending(booking, now=now, at=at).back
    with pytest.raises(RefundChanged, match="has passed"):
        end_early(booking_id=booking.pk, by=buyer, now=at + SECOND, at=at, expected_back=shown)
    with pytest.raises(BookingError, match="within the next minutes"):
        end_early(booking_id=booking.pk, by=buyer, now=now, at=minute(now) + 15 * MINUTE)
    end_early(booking_id=booking.pk, by=buyer, now=now + 2 * MINUTE, at=at, expected_back=shown)
    assert (fresh(booking).end, refunded()) == (at, shown)


# With what else happens to it -----------------------------------------------------------------------------


def test_later_stages_are_not_charged_and_paid_ones_come_back_by_the_terms(machine, buyer, now):
    listing = make_listing(
        machine, cancellation_terms="flexible", price_hour=1, price_day=None, price_week=None, max_hours=24 * 90
    )
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=24 * 70)
    ending = refund_for_ending(booking, now=minute(now))
    assert (ending.price, ending.not_charged) == (Decimal("672.00"), Decimal("1008.00"))
    end_early(booking_id=booking.pk, by=buyer, now=minute(now))
    after = fresh(booking)
    assert [charge.status for charge in after.charges.all()] == ["paid", "dropped", "dropped"]
    assert (after.price_total, after.paid_total, after.paid_minutes) == (
        Decimal("672.00"),
        Decimal("672.00"),
        28 * 1440,
    )
    assert refunded() == Decimal("670.00")  # of 672 hours one is used, and the next one is too near


def test_an_open_extension_is_dropped(running, now):
    charge = request_extension(booking_id=running.pk, by=running.buyer, new_end=running.end + HOUR, now=now)
    end_early(booking_id=running.pk, by=running.buyer, now=now)
    charge.refresh_from_db()
    after = fresh(running)
    assert charge.status == ChargeStatus.DROPPED
    assert after.blocked_until == after.end + 30 * MINUTE
    with pytest.raises(BookingError, match="You have ended this booking"):
        request_extension(booking_id=running.pk, by=running.buyer, new_end=running.end + HOUR, now=now)


def test_time_that_was_lost_before_comes_back_too_and_both_never_make_more_than_the_price(
    machine, buyer, other_buyer, now
):
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=1, price_day=None, price_week=None)
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=11, access=False)
    make_hold(listing, other_buyer, start=booking.blocked_until, asked=now)  # so the end cannot move
    enter_access(booking, now=booking.start + 30 * MINUTE)
    end_early(booking_id=booking.pk, by=buyer, now=minute(now))
    assert refunded() == Decimal("9.00")
    assert run.end_booking(booking_id=booking.pk, now=minute(now))
    after = fresh(booking)
    assert (after.unused_amount, after.lost_amount) == (Decimal("9.00"), Decimal("0.50"))
    assert refunded() == Decimal("9.50")


def test_what_was_lost_of_the_used_time_comes_back_at_what_that_time_was_charged_at(machine, buyer, now):
    """Ten hours of a week are kept at the price of a day: of these, the agent was silent for nine."""
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=2, price_day=20, price_week=60)
    agent = with_agent(automatic(machine))
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 10 * HOUR, hours=168)
    hand_over(agent, now=booking.start)
    Outage.objects.create(machine=machine, agent=agent.row, began_at=booking.start + HOUR, ended_at=minute(now))
    end_early(booking_id=booking.pk, by=buyer, now=minute(now))
    assert booking.price_total - refunded() == Decimal("20.00")
    assert run.end_booking(booking_id=booking.pk, now=minute(now))
    after = fresh(booking)
    # 0.36 of the 20 are for the hour that was too near; of the other 19.64, for 600 minutes, 535 minutes were lost.
    assert (after.down_minutes, after.lost_amount) == (540, Decimal("17.51"))
    assert booking.price_total - refunded() == Decimal("2.49")


def test_what_was_lost_before_a_cheap_extension_comes_back_at_the_dear_price(machine, buyer, other_buyer, now):
    listing = make_listing(machine, cancellation_terms="flexible", price_hour=2, price_day=None, price_week=None)
    booking = make_running(listing, buyer, start=minute(now) - HOUR, hours=11, access=False)
    extend_at(booking, "1.00", by=10 * HOUR, now=now)
    make_hold(listing, other_buyer, start=fresh(booking).blocked_until, asked=now)  # so the end cannot move
    enter_access(booking, now=booking.start + 30 * MINUTE)
    end_early(booking_id=booking.pk, by=buyer, now=minute(now))
    assert run.end_booking(booking_id=booking.pk, now=minute(now))
    assert fresh(booking).lost_amount == Decimal("1.00")  # half an hour at 2 EUR


def test_what_came_back_as_unused_is_not_lost_once_more(machine, buyer, now):
    """Never let in: all comes back at once, and nothing more at the end."""
    listing = make_listing(machine, cancellation_terms="strict")
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    ending = refund_for_ending(booking, now=now)
    assert (ending.back, ending.because) == (booking.price_total, "You have not been let in: everything comes back.")
    end_early(booking_id=booking.pk, by=buyer, now=now)
    assert run.end_booking(booking_id=booking.pk, now=fresh(booking).end)
    after = fresh(booking)
    assert refunded() == booking.price_total
    assert (after.unused_amount, after.lost_amount) == (booking.price_total, 0)


def test_nobody_gets_everything_back_by_ending_while_being_let_in(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now), access=False)
    with pytest.raises(BookingError, match="being let in just now"):
        end_early(booking_id=booking.pk, by=buyer, now=booking.start + 14 * MINUTE)
    assert not why_not_end(booking, now=booking.start + 15 * MINUTE)


def test_without_a_key_the_terms_count_and_a_key_in_the_last_minute_changes_nothing(machine, buyer, now):
    listing = make_listing(machine, cancellation_terms="strict")
    agent = with_agent(automatic(machine))
    booking = begin(listing, buyer, start=minute(now) - HOUR)
    end_early(booking_id=booking.pk, by=buyer, now=now)
    give_key(buyer, now=now)
    take(agent, now=now)
    assert run.end_booking(booking_id=booking.pk, now=fresh(booking).end)
    assert refunded() == 0


def test_the_agent_is_told_and_erases_it_at_the_new_end(machine, buyer, listing, now):
    agent = with_agent(automatic(machine))
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - HOUR)
    hand_over(agent, now=booking.start + 30 * SECOND)
    at = minute(now) + SECOND
    end_early(booking_id=booking.pk, by=buyer, now=at)
    after = fresh(booking)
    assert after.access_kind == AccessKind.AGENT
    piece = take(agent, now=at)
    assert piece.kind == WorkKind.PROVISION
    assert piece.payload["expires_at"].startswith(f"{after.end:%Y-%m-%dT%H:%M}")
    assert run.end_booking(booking_id=booking.pk, now=after.end)
    assert take(agent, now=after.end).kind == WorkKind.WIPE


@pytest.mark.django_db(transaction=True)
def test_ended_in_two_tabs_at_once_it_is_given_back_once(machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=11, terms="flexible")
    twice_at_once(partial(end_early, booking_id=booking.pk, by=buyer, now=now))
    assert Refund.objects.count() == 1
    forget_bookings()


@pytest.mark.django_db(transaction=True)
def test_ended_and_extended_at_once_the_buyer_never_pays_for_time_that_is_gone(machine, buyer, now):
    for _attempt in range(3):
        booking = running_for(machine, buyer, now, hours=11, terms="flexible")
        charge = request_extension(booking_id=booking.pk, by=buyer, new_end=booking.end + 2 * HOUR, now=now)
        at_once(
            [partial(end_early, booking_id=booking.pk, by=buyer, now=now), partial(mark_charge_paid, charge, now=now)]
        )
        after = fresh(booking)
        paid = sum((payment.amount_total for payment in after.payments.filter(status="paid")), Decimal(0))
        assert after.ended_early_at
        # Of eleven hours one and a begun minute are used and one is too near; of the extension all comes back.
        assert paid - refunded() == Decimal("2.00") + _begun(now)
        forget_bookings()


def _begun(now: datetime) -> Decimal:
    """What the minute costs that is begun when a booking is ended now."""
    return Decimal("0.02") if now.second else Decimal(0)


# The page -----------------------------------------------------------------------------------------------


def test_the_page_says_line_by_line_what_comes_back_and_does_that(client, machine, buyer, now):
    booking = running_for(machine, buyer, now, hours=31, terms="moderate")
    client.force_login(buyer)
    page = f"/bookings/{booking.pk}/end/"
    assert page in client.get(f"/bookings/{booking.pk}/").content.decode()
    html = client.get(page).content.decode()
    assert "all of it back" in html
    assert "half back" in html
    shown = {name: re.search(rf'name="{name}" value="([^"]+)"', html)[1] for name in ("at", "expected_back")}
    response = client.post(page, shown)
    assert response.status_code == 302
    after = fresh(booking)
    assert after.unused_amount == Decimal(shown["expected_back"]) == refunded()
    assert after.end.isoformat() == shown["at"]
    html = client.get(f"/bookings/{booking.pk}/").content.decode()
    assert "Ended early" in html
    assert page not in html


def test_the_page_shows_anew_what_has_changed(client, running):
    client.force_login(running.buyer)
    page = f"/bookings/{running.pk}/end/"
    for values in ({"expected_back": "0.01"}, {"at": "2020-01-01T00:00:00+00:00"}, {"at": "nonsense"}):
        response = client.post(page, values)
        assert response.status_code in (409, 422), values
        assert 'name="expected_back"' in response.content.decode()
    assert fresh(running).ended_early_at is None


@pytest.mark.parametrize("state", ["paid", "over"])
def test_what_does_not_run_has_no_such_button(client, request, state):
    booking = request.getfixturevalue(state)
    client.force_login(booking.buyer)
    assert "End early…" not in client.get(f"/bookings/{booking.pk}/").content.decode()
    response = client.get(f"/bookings/{booking.pk}/end/")
    assert "Only a booking that runs" in response.content.decode()
    assert client.post(f"/bookings/{booking.pk}/end/").status_code == 409
