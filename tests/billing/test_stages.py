"""The later stages of long bookings: charged ahead of their time with nobody there, tried again, and what comes then."""

import re
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from accounts.event_kinds import EventKind
from accounts.models import Notification, OutgoingMail, WebhookDelivery, WebhookEndpoint
from billing.models import AccountKind, Invoice, Payment, PaymentStatus, Refund, SavedCard, Series
from billing.services import cards, payments, stages
from billing.services.check import problems
from billing.services.ledger import balance
from bookings.models import Booking, Charge, ChargeStatus
from bookings.services import run
from tests.organizations import make_organization
from tests.people import DAY, HOUR, enter_access, make_hold, make_listing, make_machine, minute, record_wipe
from tests.racing import twice_at_once
from tests.stripe_server.cards import ALWAYS_AUTHENTICATE, DECLINED_WHEN_CHARGED, GOOD
from tests.stripe_server.client import lost, said

pytestmark = pytest.mark.django_db

STAGE = 28 * DAY
AHEAD = 7 * DAY
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MASTERCARD = "5555555555554444"


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def listing(machine):
    """By the hour alone, so that an hour is 1 EUR."""
    return make_listing(machine, price_hour=1, price_day=None, price_week=None, max_hours=24 * 90)


@pytest.fixture
def long(processor, listing, buyer, now) -> Booking:
    """Begins in an hour and lasts 70 days: 28, 28 and 14. The first is paid, with a card that is kept."""
    return make_long(processor, listing, buyer, start=now + HOUR)


@pytest.fixture
def due_now(processor, listing, buyer, now) -> Booking:
    """As ``long``, and its second stage is due today: for what buyers do on pages."""
    return make_long(processor, listing, buyer, start=now - STAGE + AHEAD)


def make_long(processor, listing, buyer, *, start) -> Booking:
    booking = make_hold(listing, buyer, start=start, hours=70 * 24, asked=start - HOUR)
    pay_by_hand(processor, stage(booking, 1), now=start - HOUR)
    booking.refresh_from_db()
    assert booking.is_paid
    return booking


def stage(booking: Booking, number: int) -> Charge:
    return Charge.objects.select_related("booking__buyer").get(booking=booking, number=number)


def pay_by_hand(processor, charge: Charge, *, now, number: str = GOOD) -> Payment:
    buyer = charge.booking.buyer
    form = cards.begin_card(user=buyer).split("_secret_")[0]
    processor.fill_card_form(form, number)
    means = partial(cards.from_form, user=buyer, setup_intent=form, keep=True, now=now)
    return payments.pay(charge=charge, payer=buyer, means=means, now=now)


def due(booking: Booking):
    return booking.start + STAGE - AHEAD


def tried(booking: Booking) -> list[tuple[str, Decimal]]:
    """What was charged with nobody there, and what came of it."""
    found = Payment.objects.filter(booking=booking, off_session=True).order_by("timestamp", "pk")
    return [(payment.status, payment.amount_total) for payment in found]


def taken(processor) -> list[int]:
    """What the processor has taken, each time."""
    return [charge["amount"] for charge in processor.holds("charge") if charge["paid"]]


def mails(booking: Booking, kind: str) -> int:
    return OutgoingMail.objects.filter(user=booking.buyer, key__startswith=f"{kind}:").count()


def sweep(booking: Booking, *days: float) -> None:
    """The sweep comes so many days after the second stage was due."""
    for day in days:
        stages.charge_due_stages(now=due(booking) + day * DAY)


def refuse(processor, booking: Booking, **what) -> None:
    """From now on the bank treats the kept card otherwise."""
    processor.bank_changes_its_mind(cards.default_card(booking.buyer).stripe_payment_method, **what)


def open_at_processor(processor) -> list[str]:
    return [
        intent["id"]
        for intent in processor.holds("payment_intent")
        if intent["status"] not in ("succeeded", "canceled")
    ]


# As it should be --------------------------------------------------------------------------------------------


def test_a_stage_is_charged_a_week_ahead_of_its_time_and_once(processor, long):
    assert stages.charge_due_stages(now=due(long) - SECOND) == 0
    assert stages.charge_due_stages(now=due(long)) == 1
    assert stages.charge_due_stages(now=due(long) + HOUR) == 0

    assert stage(long, 2).is_paid
    assert stage(long, 3).is_open
    (payment,) = Payment.objects.filter(charge=stage(long, 2))
    assert (payment.status, payment.amount_total, payment.off_session) == (PaymentStatus.PAID, 672, True)
    assert payment.card_label == "Visa 4242"
    assert taken(processor) == [67200, 67200]
    assert Invoice.objects.filter(series=Series.INVOICE, payment=payment).count() == 1
    assert not OutgoingMail.objects.filter(key__startswith="stage-").exists()
    assert problems() == []


def test_all_stages_come_in_their_turn_and_make_the_price(processor, long):
    for day in range(70):
        stages.charge_due_stages(now=long.start + day * DAY)
    assert [charge.status for charge in long.charges.all()] == [ChargeStatus.PAID] * 3
    assert taken(processor) == [67200, 67200, 33600]
    assert sum(taken(processor)) == long.price_total * 100
    assert problems() == []


def test_what_is_charged_is_the_card_that_the_buyer_chose_last(processor, long, now):
    form = cards.begin_card(user=long.buyer).split("_secret_")[0]
    processor.fill_card_form(form, MASTERCARD)
    cards.add_card(user=long.buyer, setup_intent=form, now=now)
    sweep(long, 0)
    assert Payment.objects.get(charge=stage(long, 2)).card_label == "Mastercard 4444"


# A bank that says no ----------------------------------------------------------------------------------------


def test_what_the_bank_refuses_is_tried_on_days_1_3_and_5_and_each_time_the_buyer_is_told(processor, long):
    refuse(processor, long, charging="insufficient_funds")
    counts = []
    for hours in range(0, 5 * 24, 6):
        sweep(long, hours / 24)
        counts.append(len(tried(long)))
    assert [counts.index(number) * 6 for number in (1, 2, 3)] == [0, 24, 72]
    assert tried(long) == [(PaymentStatus.FAILED, 672)] * 3
    assert mails(long, "stage-failed") == 3
    mail = OutgoingMail.objects.filter(key__startswith="stage-failed:").order_by("pk").first()
    assert "insufficient funds" in mail.text
    assert f"/bookings/{long.pk}/charges/{stage(long, 2).pk}/pay/" in mail.text
    assert Notification.objects.filter(user=long.buyer, key__startswith="stage-failed:").count() == 3
    assert stage(long, 2).is_open
    assert open_at_processor(processor) == []
    assert taken(processor) == [67200]


def test_why_a_stage_was_declined_is_not_told_to_the_organization(processor, long, organization_administrator):
    organization = make_organization(organization_administrator)
    Booking.objects.filter(pk=long.pk).update(organization=organization)
    heard = {"url": "https://x.example/", "events": [EventKind.UNPAID.value]}
    for owner in ({"user": long.buyer}, {"organization": organization}):
        WebhookEndpoint.objects.create(name="x", **owner, **heard)
    refuse(processor, long, charging="insufficient_funds")
    sweep(long, 0)
    own, theirs = (
        WebhookDelivery.objects.get(**whose).body
        for whose in ({"endpoint__user": long.buyer}, {"endpoint__organization": organization})
    )
    assert "insufficient funds" in own
    assert "insufficient funds" not in theirs
    assert "could not be charged. We try again on" in theirs


def test_after_the_last_time_the_booking_ends_with_the_paid_time_and_is_erased_in_order(processor, long, provider):
    refuse(processor, long, charging="insufficient_funds")
    end = long.start + STAGE
    enter_access(long, now=long.start)
    run.start_booking(booking_id=long.pk, now=long.start)
    sweep(long, 0, 1, 3, 5)

    long.refresh_from_db()
    assert long.end == end
    assert [charge.status for charge in long.charges.all()] == ["paid", "dropped", "dropped"]
    assert mails(long, "booking-cut") + mails(long, "stage-failed") == 4
    sweep(long, 6, 20, 40)
    assert len(tried(long)) == 4
    assert not run.end_booking(booking_id=long.pk, now=end - SECOND)
    assert run.end_booking(booking_id=long.pk, now=end)
    long.refresh_from_db()
    record_wipe(long, now=end + MINUTE)
    long.refresh_from_db()
    assert long.is_completed
    assert taken(processor) == [67200]
    assert not Refund.objects.exists()
    assert balance(AccountKind.BUYER, currency="EUR", owner=long.buyer) == 0
    assert problems() == []


def test_a_card_that_works_the_second_time_keeps_the_booking(processor, long):
    refuse(processor, long, charging="insufficient_funds")
    sweep(long, 0)
    refuse(processor, long, charging="")
    sweep(long, 0.5, 1, 3, 5)
    assert tried(long) == [(PaymentStatus.FAILED, 672), (PaymentStatus.PAID, 672)]
    long.refresh_from_db()
    assert long.end == long.start + 70 * DAY
    assert problems() == []


def test_the_buyer_pays_by_hand_in_between_and_nothing_is_tried_again(processor, long):
    refuse(processor, long, charging="insufficient_funds")
    sweep(long, 0)
    payment = pay_by_hand(processor, stage(long, 2), now=due(long) + HOUR, number=MASTERCARD)
    assert payment.status == PaymentStatus.PAID
    sweep(long, 1, 3, 5)
    assert len(tried(long)) == 1
    assert taken(processor) == [67200, 67200]
    assert problems() == []


def test_a_stage_that_was_not_paid_is_not_paid_when_the_booking_has_been_cut(processor, long):
    refuse(processor, long, charging="insufficient_funds")
    sweep(long, 0, 1, 3, 5)
    with pytest.raises(payments.PaymentError, match="not to be paid any more"):
        pay_by_hand(processor, stage(long, 2), now=due(long) + 6 * DAY, number=MASTERCARD)
    assert taken(processor) == [67200]


def test_stages_that_the_sweep_comes_to_late_are_tried_and_then_cut_where_their_time_begins(processor, long):
    """The worker was away for weeks: once is tried at least, and nobody gets time for nothing."""
    refuse(processor, long, charging="insufficient_funds")
    run.start_booking(booking_id=long.pk, now=long.start)
    late = long.start + STAGE + HOUR
    stages.charge_due_stages(now=late)
    assert len(tried(long)) == 1
    long.refresh_from_db()
    assert long.end == minute(late)
    assert stage(long, 2).status == ChargeStatus.DROPPED
    assert problems() == []


# No card ----------------------------------------------------------------------------------------------------


def test_without_a_card_the_buyer_is_warned_and_a_new_one_is_charged_at_the_next_time(processor, long):
    card = cards.default_card(long.buyer)
    cards.remove_card(user=long.buyer, card_id=card.pk, now=due(long) - DAY)
    sweep(long, 0)
    (failed,) = Payment.objects.filter(charge=stage(long, 2))
    assert (failed.status, failed.failure) == (PaymentStatus.FAILED, stages.NO_CARD)
    assert mails(long, "stage-failed") == 1

    form = cards.begin_card(user=long.buyer).split("_secret_")[0]
    processor.fill_card_form(form, MASTERCARD)
    cards.add_card(user=long.buyer, setup_intent=form, now=due(long) + HOUR)
    sweep(long, 0.5, 1)
    assert tried(long) == [(PaymentStatus.FAILED, 672), (PaymentStatus.PAID, 672)]


def test_without_a_card_to_the_end_the_booking_is_cut(processor, long):
    cards.remove_card(user=long.buyer, card_id=cards.default_card(long.buyer).pk, now=due(long) - DAY)
    sweep(long, 0, 1, 3, 5)
    long.refresh_from_db()
    assert long.end == long.start + STAGE
    assert problems() == []


# A bank that wants to see the buyer -------------------------------------------------------------------------


def test_a_bank_that_wants_the_buyer_is_answered_on_the_page(processor, due_now, client):
    long = due_now
    refuse(processor, long, off_session=True, on_session=True)
    sweep(long, 0)
    assert tried(long) == [(PaymentStatus.FAILED, 672)]
    assert (mails(long, "stage-needs-you"), mails(long, "stage-failed")) == (1, 0)
    mail = OutgoingMail.objects.get(key__startswith="stage-needs-you:")
    (page,) = set(re.findall(r"/bookings/[^/\s]+/charges/[^/\s]+/pay/", mail.text))

    client.force_login(long.buyer)
    assert "Pay a stage" in client.get(page).text
    card = cards.default_card(long.buyer)
    assert client.post(page, {"saved_card": str(card.pk)}).headers["Location"] == page
    waiting = client.get(page).text
    assert "Your bank wants to see you" in waiting
    (intent,) = open_at_processor(processor)
    assert f"{intent}_secret_" in waiting
    processor.authenticate(intent)
    assert client.post(f"{page}authenticated/").headers["Location"] == f"/bookings/{long.pk}/"
    assert stage(long, 2).is_paid
    sweep(long, 1, 3, 5)
    assert len(tried(long)) == 1
    assert taken(processor) == [67200, 67200]
    assert problems() == []


def test_a_bank_that_is_never_answered_is_asked_again_and_then_the_booking_is_cut(processor, long):
    refuse(processor, long, off_session=True, on_session=True)
    sweep(long, 0, 1, 3)
    assert mails(long, "stage-needs-you") == 3
    sweep(long, 5)
    long.refresh_from_db()
    assert long.end == long.start + STAGE
    assert open_at_processor(processor) == []
    assert problems() == []


# Crashes, lost answers, races -------------------------------------------------------------------------------


def die_at(path: str, *, after: bool):
    """The process dies when it sends the first request to ``path``, or when the answer comes back."""
    done = []

    def fault(asked, answer):
        if not done and asked.method == "POST" and asked.path == path and (answer is not None) == after:
            done.append(asked)
            raise Died

    return fault


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_the_processor_charges_once(processor, long, after):
    processor.fault = die_at("/v1/payment_intents", after=after)
    with pytest.raises(Died):
        sweep(long, 0)
    processor.fault = None

    for minutes in (1, 3, 5, 60, 24 * 60, 25 * 60):
        stages.charge_due_stages(now=due(long) + minutes * MINUTE)

    assert stage(long, 2).is_paid
    assert taken(processor) == [67200, 67200]
    assert problems() == []


def test_a_crash_that_sent_nothing_is_no_try(processor, long):
    """A buyer is not warned of what their bank was never asked, and the booking has all its times left."""
    processor.fault = die_at("/v1/payment_intents", after=False)
    with pytest.raises(Died):
        sweep(long, 0)
    processor.fault = None
    stages.charge_due_stages(now=due(long) + HOUR)
    assert stage(long, 2).is_paid
    assert not OutgoingMail.objects.filter(key__startswith="stage-").exists()
    assert problems() == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_answer_that_is_lost_charges_once(processor, long, after):
    def lose(asked, answer):
        if asked.method == "POST" and asked.path == "/v1/payment_intents" and (answer is not None) == after:
            raise lost()

    processor.fault = lose
    sweep(long, 0)
    processor.fault = None
    for minutes in (1, 5, 60, 24 * 60, 25 * 60):
        stages.charge_due_stages(now=due(long) + minutes * MINUTE)
    assert stage(long, 2).is_paid
    assert taken(processor) == [67200, 67200]
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_the_same_moment_charge_once(processor, long):
    twice_at_once(partial(stages.charge_due_stages, now=due(long)))
    assert stage(long, 2).is_paid
    assert len(tried(long)) == 1
    assert taken(processor) == [67200, 67200]
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_the_same_moment_try_once_and_tell_once(processor, long):
    refuse(processor, long, charging="generic_decline")
    twice_at_once(partial(stages.charge_due_stages, now=due(long)))
    assert tried(long) == [(PaymentStatus.FAILED, 672)]
    assert mails(long, "stage-failed") == 1


def test_a_card_that_is_good_for_nothing_from_the_start_pays_nothing(processor, listing, buyer, now):
    booking = make_hold(listing, buyer, start=now + HOUR, hours=70 * 24, asked=now)
    with pytest.raises(payments.CardDeclined):
        pay_by_hand(processor, stage(booking, 1), now=now, number=DECLINED_WHEN_CHARGED)
    assert taken(processor) == []
    assert stages.charge_due_stages(now=booking.start + STAGE) == 0


def test_a_stage_that_the_buyer_is_paying_at_their_bank_is_left_to_them(processor, long):
    """They began just before it was due; half an hour later it is charged by itself."""
    at = due(long)
    payment = pay_by_hand(processor, stage(long, 2), now=at - MINUTE, number=ALWAYS_AUTHENTICATE)
    assert payment.needs_authentication

    stages.charge_due_stages(now=at)

    payment.refresh_from_db()
    assert payment.status == PaymentStatus.INCOMPLETE
    processor.authenticate(payment.stripe_payment_intent)
    stages.charge_due_stages(now=at + MINUTE)
    assert stage(long, 2).status == ChargeStatus.PAID
    assert Payment.objects.filter(charge__number=2).count() == 1


def test_stages_that_wait_keep_no_other_from_its_turn(processor, long, listing, buyer, now):
    """One waits for its next try; the sweep may take one at a time only, and takes the other one."""
    processor.bank_changes_its_mind(SavedCard.objects.get().stripe_payment_method, charging="insufficient_funds")
    stages.charge_due_stages(now=due(long))
    processor.bank_changes_its_mind(SavedCard.objects.get().stripe_payment_method, charging="")
    machine = make_machine(listing.machine.provider, name="other")
    rates = {"price_hour": 1, "price_day": None, "price_week": None, "max_hours": 24 * 90}
    other = make_long(processor, make_listing(machine, **rates), buyer, start=long.start + HOUR)

    stages.charge_due_stages(now=due(other), limit=1)

    assert [stage(one, 2).status for one in (long, other)] == [ChargeStatus.OPEN, ChargeStatus.PAID]


def test_a_key_that_is_not_taken_is_no_failed_try(processor, long):
    processor.fault = lambda asked, answer: said(401, "invalid_request_error", "Expired") if answer is None else None
    for day in (0, 1, 3, 5):
        stages.charge_due_stages(now=due(long) + day * DAY)
    processor.fault = None

    stages.charge_due_stages(now=due(long) + 6 * DAY)

    assert stage(long, 2).status == ChargeStatus.PAID


def test_a_card_that_is_chosen_for_a_long_booking_is_charged_for_its_stages(processor, listing, buyer, now):
    """The first part is paid with a kept card that is not the one which is charged by itself: now it is."""
    booking = make_hold(listing, buyer, start=now + HOUR, hours=70 * 24, asked=now)
    chosen = keep(processor, buyer, GOOD, now=now)
    keep(processor, buyer, MASTERCARD, now=now)

    means = cards.means(user=buyer, setup_intent="", card_id=chosen.pk, keep=True, now=now)
    payments.pay(charge=stage(booking, 1), payer=buyer, means=means, now=now)

    assert cards.default_card(buyer).pk == chosen.pk


def keep(processor, buyer, number: str, *, now) -> SavedCard:
    form = cards.begin_card(user=buyer).split("_secret_")[0]
    processor.fill_card_form(form, number)
    return cards.add_card(user=buyer, setup_intent=form, now=now)
