"""Paying for a held window, with a real processor: what can happen between the click and the money."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from billing import gateway
from billing import tasks as billing_tasks
from billing.errors import CardDeclined, PaymentError, ProcessorAway
from billing.models import Payment, PaymentStatus, Refund, RefundReason, RefundStatus, StripeCustomer
from billing.services import cards, payments, refunds
from billing.services.cards import Means
from bookings.models import Booking
from bookings.services.cancel import cancel_booking, cancel_lapsed_hold
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from tests.people import DAY, make_hold, make_listing, make_machine
from tests.racing import at_once
from tests.stripe_standin import (
    DECLINED_AT_ONCE,
    DECLINED_WHEN_CHARGED,
    NEEDS_AUTHENTICATION,
    pay_by_card,
    pay_with,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def lapsed(held: Booking):
    """Just after the time to pay ``held``."""
    return held.hold_expires_at + SECOND


def in_cents(booking: Booking) -> int:
    return int(booking.price_total * 100)


def timeline(booking: Booking) -> list[str]:
    return [event.what for event in booking.events.all()]


# The straight way -------------------------------------------------------------------------------------


def test_paying_confirms_the_booking(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now)

    held.refresh_from_db()
    assert held.is_confirmed
    assert payment.status == PaymentStatus.PAID
    assert payment.amount_total == held.price_total
    assert (payment.payer, payment.provider, payment.machine) == (held.buyer, held.machine.provider, held.machine)
    assert payment.card_label == "Visa 4242"
    assert stripe.charged(held) == [in_cents(held)]
    (intent,) = stripe.intents(held)
    assert intent["id"] == payment.stripe_payment_intent
    assert intent["currency"] == "eur"
    assert timeline(held) == ["Asked for", "Paid and confirmed"]


def test_a_currency_without_cents_is_charged_whole(stripe, provider, buyer, now):
    listing = make_listing(make_machine(provider), price_hour=300, price_day=None, price_week=None, currency="JPY")
    booking = make_hold(listing, buyer, start=now + DAY, hours=3, asked=now)

    pay_by_card(stripe, booking, now=now)

    assert stripe.charged(booking) == [900]


def test_confirming_twice_is_quiet(held, now):
    charge = held.charges.get()
    assert confirm_charge(charge_id=charge.pk, now=now) == Confirmation.CONFIRMED
    assert confirm_charge(charge_id=charge.pk, now=now) == Confirmation.ALREADY_PAID
    assert timeline(held) == ["Asked for", "Paid and confirmed"]


def test_a_reload_after_paying_charges_nothing(stripe, held, now):
    pay_by_card(stripe, held, now=now)

    with pytest.raises(PaymentError, match="paid already"):
        pay_by_card(stripe, held, now=now)

    assert stripe.charged(held) == [in_cents(held)]
    assert Payment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_double_click_charges_once(stripe, held, now):
    form = stripe.finish_card_form(held.buyer)
    click = partial(pay_with, form, held, payer=held.buyer, now=now)

    results = at_once([click] * 4)

    assert stripe.charged(held) == [in_cents(held)]
    assert Payment.objects.paid().count() == 1
    held.refresh_from_db()
    assert held.is_confirmed
    for result in results:
        assert isinstance(result, Payment) or "under way" in str(result) or "paid already" in str(result), result
    assert timeline(held) == ["Asked for", "Paid and confirmed"]


@pytest.mark.django_db(transaction=True)
def test_two_tabs_with_a_card_each_charge_once(stripe, held, now):
    forms = [stripe.finish_card_form(held.buyer) for _tab in range(2)]

    at_once(partial(pay_with, form, held, payer=held.buyer, now=now) for form in forms)

    assert stripe.charged(held) == [in_cents(held)]
    assert Payment.objects.paid().count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_first_payment_in_two_tabs_makes_one_customer_of_ours(stripe, buyer, now):
    ids = at_once([partial(cards.customer_of, buyer)] * 2)

    assert ids[0] == ids[1] == StripeCustomer.objects.get().stripe_id


# Cards that do not work -------------------------------------------------------------------------------


def test_a_declined_card_leaves_the_hold_and_another_card_works(stripe, held, now):
    with pytest.raises(CardDeclined, match="declined"):
        pay_by_card(stripe, held, now=now, number=DECLINED_WHEN_CHARGED)
    held.refresh_from_db()
    assert held.is_payable(now=now)
    declined = Payment.objects.get()
    assert (declined.status, declined.failure) == (PaymentStatus.FAILED, "Your card was declined.")
    assert stripe.charged(held) == []

    pay_by_card(stripe, held, now=now)

    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)]
    declined.refresh_from_db()
    assert declined.status == PaymentStatus.FAILED


def test_a_declined_payment_can_never_take_money_later(stripe, held, now):
    with pytest.raises(CardDeclined):
        pay_by_card(stripe, held, now=now, number=DECLINED_WHEN_CHARGED)
    assert [intent["status"] for intent in stripe.intents(held)] == ["canceled"]


def test_a_card_that_is_declined_in_the_form_begins_no_payment(stripe, held, now):
    with pytest.raises(PaymentError, match="card form was not finished"):
        pay_by_card(stripe, held, now=now, number=DECLINED_AT_ONCE)
    assert not Payment.objects.exists()
    assert stripe.intents(held) == []


def test_a_card_form_that_was_not_filled_in_begins_no_payment(stripe, held, now):
    form = cards.begin_card(user=held.buyer).split("_secret_")[0]
    with pytest.raises(PaymentError, match="card form was not finished"):
        pay_with(form, held, payer=held.buyer, now=now)
    assert not Payment.objects.exists()


def test_somebody_elses_card_form_is_not_taken(stripe, held, other_buyer, now):
    form = stripe.finish_card_form(other_buyer)
    with pytest.raises(PaymentError, match="card form was not finished"):
        pay_with(form, held, payer=held.buyer, now=now)
    assert stripe.charged(held) == []


# The bank wants to see the buyer ----------------------------------------------------------------------


def test_a_buyer_whom_the_bank_has_seen_has_paid(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    assert (payment.status, payment.needs_authentication) == (PaymentStatus.INCOMPLETE, True)
    held.refresh_from_db()
    assert held.is_hold
    stripe.authenticate(payment, success=True)

    payment = payments.synchronise(payment=payment, now=now)

    assert (payment.status, payment.needs_authentication) == (PaymentStatus.PAID, False)
    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)]


def test_a_buyer_who_fails_the_bank_keeps_the_hold_and_may_try_again(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=False)

    payment = payments.synchronise(payment=payment, now=now)

    assert payment.status == PaymentStatus.FAILED
    assert "authentication" in payment.failure
    held.refresh_from_db()
    assert held.is_payable(now=now)
    pay_by_card(stripe, held, now=now)
    assert stripe.charged(held) == [in_cents(held)]


def test_a_second_click_meets_the_payment_that_waits_for_the_bank(stripe, held, now):
    first = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)

    second = pay_by_card(stripe, held, now=now)

    assert second == first
    assert second.needs_authentication
    assert stripe.charged(held) == []
    assert len(stripe.intents(held)) == 1


def test_a_payment_the_buyer_walked_away_from_ends_when_the_booking_cannot_be_paid_any_more(stripe, held, now, lapsed):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)

    assert payments.ask_after_open_payments(now=now + 2 * payments.QUIET) == 1
    assert [intent["status"] for intent in stripe.intents(held)] == ["requires_action"], "there is still time"
    assert cancel_lapsed_hold(booking_id=held.pk, now=lapsed)
    assert payments.ask_after_open_payments(now=lapsed) == 1

    assert [intent["status"] for intent in stripe.intents(held)] == ["canceled"]
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.FAILED
    assert not Refund.objects.exists()


# Money that comes too late, or twice ------------------------------------------------------------------


def test_money_that_comes_after_the_hold_was_given_back_goes_back_by_itself(stripe, held, now, lapsed):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)
    assert cancel_lapsed_hold(booking_id=held.pk, now=lapsed)

    assert payments.ask_after_open_payments(now=lapsed) == 1
    assert refunds.make_due_refunds(now=lapsed) == 1

    payment.refresh_from_db()
    assert payment.status == PaymentStatus.PAID, "the money did come"
    held.refresh_from_db()
    assert held.is_canceled
    (refund,) = Refund.objects.all()
    assert (refund.status, refund.reason, refund.amount) == (
        RefundStatus.MADE,
        RefundReason.PAID_TOO_LATE,
        held.price_total,
    )
    assert stripe.charged(held) == stripe.refunded(held) == [in_cents(held)]
    assert timeline(held) == [
        "Asked for",
        "Canceled: not paid in time",
        "Payment arrived too late",
        "€8.00 refunded",
    ]


def test_asking_again_after_late_money_refunds_nothing_more(stripe, held, now, lapsed):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)
    cancel_lapsed_hold(booking_id=held.pk, now=lapsed)
    for _again in range(3):
        payments.synchronise(payment=payment, now=lapsed)
        refunds.make_due_refunds(now=lapsed)

    assert stripe.refunded(held) == [in_cents(held)]


def test_money_that_comes_after_the_hold_but_before_the_sweep_still_confirms(stripe, held, now, lapsed):
    """Nobody else got the window, so nothing is lost."""
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)

    payments.synchronise(payment=payment, now=lapsed)

    held.refresh_from_db()
    assert held.is_confirmed
    assert not cancel_lapsed_hold(booking_id=held.pk, now=lapsed)


def test_a_booking_paid_twice_gives_the_second_payment_back(stripe, held, now):
    """Two payments at once are refused before they begin; if money comes twice all the same, one goes back."""
    first = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    Payment.objects.filter(pk=first.pk).update(status=PaymentStatus.FAILED)  # given up by mistake
    pay_by_card(stripe, held, now=now)
    stripe.authenticate(first, success=True)

    payments.synchronise(payment=first, now=now)
    refunds.make_due_refunds(now=now)

    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)] * 2
    assert stripe.refunded(held) == [in_cents(held)]
    assert Refund.objects.get().reason == RefundReason.PAID_TWICE
    assert "Paid a second time" in timeline(held)


def test_nobody_pays_for_a_window_that_was_given_back(stripe, held, now, lapsed):
    cancel_lapsed_hold(booking_id=held.pk, now=lapsed)
    with pytest.raises(PaymentError, match=r"canceled\. Nothing has been charged"):
        pay_by_card(stripe, held, now=lapsed)
    assert stripe.intents(held) == []


def test_nobody_pays_after_the_time_to_pay_even_before_the_sweep(stripe, held, now, lapsed):
    with pytest.raises(PaymentError, match="time to pay is over"):
        pay_by_card(stripe, held, now=lapsed)
    assert stripe.intents(held) == []


@pytest.mark.parametrize("status", ["canceled", "requires_payment_method", "requires_action", "processing"])
def test_a_late_word_never_overwrites_a_success(stripe, held, now, status):
    payment = pay_by_card(stripe, held, now=now)
    late = gateway.Intent(
        id=payment.stripe_payment_intent,
        status=status,
        amount=in_cents(held),
        currency="EUR",
        client_secret="",
        payment_id=str(payment.pk),
        error="Too late.",
    )

    payments.apply(late, now=now)

    payment.refresh_from_db()
    held.refresh_from_db()
    assert (payment.status, payment.needs_authentication, payment.failure) == (PaymentStatus.PAID, False, "")
    assert held.is_confirmed


def test_an_intent_that_is_not_ours_is_left_alone(now):
    foreign = gateway.Intent("pi_foreign", "succeeded", 100, "EUR", "", "", "")
    assert payments.apply(foreign, now=now) is None


# A bad line, a dead process ---------------------------------------------------------------------------


def test_a_processor_that_is_away_leaves_nothing_half_done(stripe, held, now):
    form = stripe.finish_card_form(held.buyer)
    stripe.stop()

    with pytest.raises(ProcessorAway):
        pay_with(form, held, payer=held.buyer, now=now)

    assert not Payment.objects.exists()
    held.refresh_from_db()
    assert held.is_payable(now=now)
    stripe.start()
    pay_with(form, held, payer=held.buyer, now=now)
    assert stripe.charged(held) == [in_cents(held)]


def test_a_charge_whose_answer_was_lost_is_found_and_never_made_twice(stripe, wire, held, now):
    form = stripe.finish_card_form(held.buyer)
    wire.on("POST", "/confirm", "lose_answer")
    with pytest.raises(ProcessorAway):
        pay_with(form, held, payer=held.buyer, now=now)
    assert stripe.charged(held) == [in_cents(held)], "the processor did it"
    held.refresh_from_db()
    assert held.is_hold, "but we do not know yet"

    wire.clear()
    again = pay_with(form, held, payer=held.buyer, now=now)

    assert again.status == PaymentStatus.PAID
    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)]


def test_a_lost_answer_that_the_second_try_makes_up_for_is_a_payment(stripe, wire, held, now):
    """The library asks again by itself; a processor that has done it refuses that, and is asked what is true."""
    wire.on("POST", "/confirm", "lose_answer_once")
    assert pay_by_card(stripe, held, now=now).status == PaymentStatus.PAID
    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)]


def test_a_charge_whose_answer_was_lost_is_found_by_the_sweep(stripe, wire, held, now):
    wire.on("POST", "/confirm", "lose_answer")
    with pytest.raises(ProcessorAway):
        pay_by_card(stripe, held, now=now)
    wire.clear()

    assert payments.ask_after_open_payments(now=now + payments.QUIET) == 1

    held.refresh_from_db()
    assert held.is_confirmed
    assert stripe.charged(held) == [in_cents(held)]


def test_a_charge_that_never_arrived_can_be_made_again(stripe, wire, held, now):
    form = stripe.finish_card_form(held.buyer)
    wire.on("POST", "/confirm", "lose_request")
    with pytest.raises(ProcessorAway):
        pay_with(form, held, payer=held.buyer, now=now)
    wire.clear()
    with pytest.raises(PaymentError, match="under way"):
        pay_with(form, held, payer=held.buyer, now=now)

    later = now + payments.QUIET + SECOND
    payment = pay_with(form, held, payer=held.buyer, now=later)

    assert payment.status == PaymentStatus.PAID
    assert stripe.charged(held) == [in_cents(held)]
    assert sorted(intent["status"] for intent in stripe.intents(held)) == ["canceled", "succeeded"]


@pytest.mark.parametrize("what", ["lose_request", "lose_answer"])
def test_a_line_that_breaks_before_anything_could_be_taken_lets_the_buyer_try_again_at_once(
    stripe, wire, held, now, what
):
    form = stripe.finish_card_form(held.buyer)
    wire.on("POST", "/v1/payment_intents", what)
    with pytest.raises(ProcessorAway):
        pay_with(form, held, payer=held.buyer, now=now)
    assert Payment.objects.get().status == PaymentStatus.FAILED
    wire.clear()

    pay_with(form, held, payer=held.buyer, now=now)

    assert stripe.charged(held) == [in_cents(held)]
    held.refresh_from_db()
    assert held.is_confirmed


def leave_behind(booking: Booking, *, now) -> Payment:
    """What a process that died before it reached the processor leaves."""
    means = Means(customer="cus_1", payment_method="pm_1", label="Visa 4242")
    return payments.begin(charge_id=booking.charges.get().pk, payer=booking.buyer, means=means, now=now)


def test_a_payment_that_a_dead_process_left_behind_does_not_keep_the_buyer_from_paying(stripe, held, now):
    left = leave_behind(held, now=now)
    with pytest.raises(PaymentError, match="under way"):
        pay_by_card(stripe, held, now=now + SECOND)

    paid = pay_by_card(stripe, held, now=now + payments.LEFT_BEHIND + SECOND)

    left.refresh_from_db()
    assert (left.status, paid.status) == (PaymentStatus.FAILED, PaymentStatus.PAID)
    assert stripe.charged(held) == [in_cents(held)]


def test_a_payment_that_a_dead_process_left_behind_is_ended_by_the_sweep(stripe, held, now):
    left = leave_behind(held, now=now)

    payments.ask_after_open_payments(now=now + payments.QUIET)
    left.refresh_from_db()
    assert left.status == PaymentStatus.INCOMPLETE, "whoever began it may still be at it"

    payments.ask_after_open_payments(now=now + payments.LEFT_BEHIND)
    left.refresh_from_db()
    assert left.status == PaymentStatus.FAILED


def test_a_sweep_that_finds_the_processor_away_goes_on_when_it_is_back(stripe, held, now):
    a_while_ago = timezone.now() - 2 * payments.QUIET
    payment = pay_by_card(stripe, held, now=a_while_ago, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)
    stripe.stop()
    assert billing_tasks.ask_after_payments() == 0
    payment.refresh_from_db()
    assert payment.status == PaymentStatus.INCOMPLETE

    stripe.start()
    Payment.objects.update(asked_at=a_while_ago)
    assert billing_tasks.ask_after_payments() == 1

    held.refresh_from_db()
    assert held.is_confirmed


@pytest.mark.django_db(transaction=True)
def test_paying_and_canceling_at_the_same_moment_never_keeps_money_for_nothing(stripe, held, now):
    form = stripe.finish_card_form(held.buyer)
    results = at_once(
        [
            partial(pay_with, form, held, payer=held.buyer, now=now),
            partial(cancel_booking, booking_id=held.pk, by=held.buyer, now=now),
        ]
    )
    assert not isinstance(results[1], Exception), results[1]
    later = now + 2 * payments.LEFT_BEHIND
    payments.ask_after_open_payments(now=later)
    refunds.make_due_refunds(now=later)

    held.refresh_from_db()
    assert held.is_canceled
    assert sum(stripe.charged(held)) == sum(stripe.refunded(held))
    assert not Payment.objects.incomplete().exists()


@pytest.mark.django_db(transaction=True)
def test_webhook_sweep_and_browser_at_the_same_moment_confirm_once(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)

    results = at_once([partial(payments.synchronise, payment=payment, now=now)] * 6)

    assert [result.status for result in results] == [PaymentStatus.PAID] * 6
    assert timeline(held) == ["Asked for", "Paid and confirmed"]
    assert not Refund.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_money_and_the_end_of_the_hold_at_the_same_moment_have_one_of_two_outcomes(stripe, held, now, lapsed):
    """Either the booking is confirmed and the money kept, or it is canceled and the money goes back."""
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)

    at_once(
        [
            partial(payments.synchronise, payment=payment, now=lapsed),
            partial(cancel_lapsed_hold, booking_id=held.pk, now=lapsed),
        ]
    )

    held.refresh_from_db()
    owed = [refund.amount for refund in Refund.objects.all()]
    assert (held.is_confirmed, owed) in [(True, []), (False, [held.price_total])]


def test_a_second_tab_is_sent_to_the_booking_that_the_first_has_paid(client, stripe, held, now):
    pay_by_card(stripe, held, now=now)
    client.force_login(held.buyer)
    answer = client.post(f"/bookings/{held.pk}/pay/card/")
    assert answer.status_code == 409
    assert answer.json() == {"location": f"/bookings/{held.pk}/"}


def test_the_pay_page_is_not_kept_by_the_browser(client, held):
    client.force_login(held.buyer)
    assert "no-store" in client.get(f"/bookings/{held.pk}/pay/").headers["Cache-Control"]
