"""Taking a payment, and learning what became of it.

The order is always: write down what is about to be done, do it, write down what came of it. Money is
recorded before the booking is touched. Whoever locks both locks the booking first.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from billing import gateway
from billing.errors import CardDeclined, PaymentError, ProcessorAway, ProcessorRefused
from billing.gateway import Card, Intent
from billing.models import Payment, PaymentStatus, RefundReason, StripeCustomer
from billing.services.refunds import request_refund
from bookings.models import Booking
from bookings.services.confirm import Confirmation, confirm_paid
from bookings.services.history import note
from bookings.services.locks import locked
from common.money import to_minor

log = logging.getLogger(__name__)

#: A payment without word from the processor is asked after when it has been quiet this long.
QUIET = timedelta(seconds=15)
#: A payment row that has no PaymentIntent this long after it was begun was left by a process that died.
LEFT_BEHIND = timedelta(minutes=2)

REFUND_FOR = {
    Confirmation.TOO_LATE: RefundReason.PAID_TOO_LATE,
    Confirmation.ALREADY_PAID: RefundReason.PAID_TWICE,
}


def begin_card(*, user: User) -> str:
    """Begin a card form for this person. Returns the client secret for the browser.

    Raises:
        ProcessorAway: it does not answer.
    """
    return gateway.begin_card(customer=customer_of(user))


def customer_of(user: User) -> str:
    """The person's Customer id at the processor, made at the first use."""
    row = StripeCustomer.objects.filter(user=user).first()
    if row is None:
        stripe_id = gateway.create_customer(email=user.email, name=user.name, key=str(user.pk))
        row, _ = StripeCustomer.objects.get_or_create(user=user, defaults={"stripe_id": stripe_id})
    return row.stripe_id


def pay(*, booking: Booking, payer: User, setup_intent: str, now: datetime) -> Payment:
    """Pay for a held booking with the card of a finished card form.

    A second click, a second tab or a reload meets the payment that is under way and takes that one's outcome.

    Raises:
        CardDeclined: the bank said no; the hold stays.
        PaymentError: the booking cannot be paid (any more), or the card form was not finished.
        ProcessorAway: no answer; the sweep asks after it.
    """
    under_way = settle_open_payment(booking=booking, now=now)
    if under_way is not None and under_way.status != PaymentStatus.FAILED:
        return under_way
    card = gateway.finished_card(setup_intent)
    if card is None or card.customer != customer_of(payer):
        raise PaymentError("The card form was not finished. Enter the card again.")
    payment = _begin(booking_id=booking.pk, payer=payer, card=card, now=now)
    try:
        intent = gateway.create_intent(payment, customer=card.customer)
    except PaymentError as error:
        _fail(payment, error.message)  # nothing was confirmed, so nothing can be taken: the next try may come at once
        raise
    Payment.objects.filter(pk=payment.pk).update(stripe_payment_intent=intent.id)
    payment.stripe_payment_intent = intent.id
    try:
        intent = gateway.confirm_intent(payment)
    except CardDeclined as declined:
        # Ask rather than believe: the words go to the buyer, the truth comes from the processor.
        synchronise(payment=payment, now=now, failure=declined.message)
        raise
    except ProcessorRefused:
        # Perhaps it is the library's second try that was refused, because the first one did it.
        payment = synchronise(payment=payment, now=now)
        if payment.status != PaymentStatus.PAID:
            raise
        return payment
    return apply(intent, now=now) or payment


@transaction.atomic
def _begin(*, booking_id: UUID, payer: User, card: Card, now: datetime) -> Payment:
    booking = locked(booking_id)
    if not booking.is_payable(now=now):
        raise PaymentError(_why_not_payable(booking))
    try:
        with transaction.atomic():
            return Payment.objects.create(
                booking=booking,
                machine=booking.machine,
                payer=payer,
                provider=booking.machine.provider,
                amount_total=booking.price_total,
                currency=booking.currency,
                timestamp=now,
                asked_at=now,
                payment_method=card.payment_method,
                card_label=card.label,
            )
    except IntegrityError as error:
        raise PaymentError("A payment for this booking is under way already. Wait a moment.") from error


def _why_not_payable(booking: Booking) -> str:
    if booking.is_paid:
        return "This booking is paid already."
    if booking.is_canceled:
        return "This booking was canceled. Nothing has been charged."
    return "The time to pay is over. Nothing has been charged; ask for the window again."


def settle_open_payment(*, booking: Booking, now: datetime) -> Payment | None:
    """Bring the booking's open payment, if there is one, to where the processor says it is.

    One that can only go on with another card is ended first, so that never two can take money.

    Raises:
        PaymentError: another request is busy with it at this moment.
        ProcessorAway: no answer.
    """
    payment = Payment.objects.incomplete().filter(booking=booking).first()
    if payment is None:
        return None
    if payment.stripe_payment_intent is None:
        if payment.timestamp > now - LEFT_BEHIND:
            raise PaymentError("A payment for this booking is under way already. Wait a moment.")
        return _fail(payment, "It was never sent to the payment processor.")
    intent = gateway.get_intent(payment.stripe_payment_intent)
    if intent.status in ("requires_payment_method", "requires_confirmation"):
        if intent.status == "requires_confirmation" and payment.timestamp > now - QUIET:
            raise PaymentError("A payment for this booking is under way already. Wait a moment.")
        intent = gateway.cancel_intent(intent.id)
    return apply(intent, now=now) or payment


def synchronise(*, payment: Payment, now: datetime, failure: str = "") -> Payment:
    """Ask the processor about a payment and apply the answer.

    A payment for a booking that cannot be paid any more is ended, so that nobody pays for nothing.

    Args:
        failure: what the processor said when it refused, if it just did.

    Raises:
        ProcessorAway: no answer.
    """
    Payment.objects.filter(pk=payment.pk).update(asked_at=now)
    if payment.stripe_payment_intent is None:
        return _fail(payment, "It was never sent to the payment processor.") if _left_behind(payment, now) else payment
    intent = gateway.get_intent(payment.stripe_payment_intent)
    booking = Booking.objects.get(pk=payment.booking_id)
    waiting = intent.status in ("requires_payment_method", "requires_confirmation", "requires_action")
    if waiting and (failure or intent.error or not booking.is_payable(now=now)):
        words = failure or intent.error
        intent = gateway.cancel_intent(intent.id)
        return apply(intent, now=now, failure=words) or payment
    return apply(intent, now=now) or payment


def _left_behind(payment: Payment, now: datetime) -> bool:
    return payment.timestamp <= now - LEFT_BEHIND


@transaction.atomic
def apply(intent: Intent, *, now: datetime, failure: str = "") -> Payment | None:
    """Write down what a PaymentIntent says. Any order, any number of times: the result is the same.

    Returns the payment, or ``None`` when the intent is not one of ours.
    """
    found = Payment.objects.filter(stripe_payment_intent=intent.id).values_list("booking_id", flat=True).first()
    if found is None:
        return None
    locked(found)  # the booking before the payment, always
    payment = Payment.objects.select_for_update(of=("self",)).get(stripe_payment_intent=intent.id)
    if intent.status == "succeeded":
        _succeeded(payment, intent, now=now)
    elif payment.status != PaymentStatus.INCOMPLETE:
        pass  # a late failure never overwrites a success, nor a later failure the first one's words
    elif intent.status == "requires_action":
        payment.needs_authentication = True
        payment.save(update_fields=["needs_authentication"])
    elif intent.status == "canceled" or (intent.status == "requires_payment_method" and intent.error):
        _fail(payment, failure or intent.error or "It was not completed.")
    return payment


def _succeeded(payment: Payment, intent: Intent, *, now: datetime) -> None:
    if payment.status == PaymentStatus.PAID:
        return
    if (intent.amount, intent.currency) != (to_minor(payment.amount_total, payment.currency), payment.currency):
        log.critical("payment %s: the processor took %s %s", payment.pk, intent.amount, intent.currency)
    payment.status, payment.paid_at, payment.failure, payment.needs_authentication = PaymentStatus.PAID, now, "", False
    payment.save(update_fields=["status", "paid_at", "failure", "needs_authentication"])
    confirmation = confirm_paid(booking_id=payment.booking_id, now=now)
    if confirmation in REFUND_FOR:
        request_refund(payment=payment, amount=payment.amount_total, reason=REFUND_FOR[confirmation], by=None, now=now)
        note(
            payment.booking,
            "Payment arrived too late" if confirmation == Confirmation.TOO_LATE else "Paid a second time",
            now=now,
            detail="All of it goes back by itself.",
        )


def _fail(payment: Payment, why: str) -> Payment:
    payment.status, payment.failure, payment.needs_authentication = PaymentStatus.FAILED, why[:300], False
    # Compare and swap: a success that came in between stays.
    Payment.objects.filter(pk=payment.pk, status=PaymentStatus.INCOMPLETE).update(
        status=payment.status, failure=payment.failure, needs_authentication=False
    )
    return payment


def ask_after_open_payments(*, now: datetime, limit: int = 50) -> int:
    """Sweep: for payments that are begun and quiet, ask the processor. Its webhook may be late, or never come."""
    asked = 0
    for pk in Payment.objects.to_ask_after(now=now, quiet=QUIET).values_list("pk", flat=True)[:limit]:
        # Whoever moves asked_at has it; the other sweep finds it asked already.
        if not Payment.objects.to_ask_after(now=now, quiet=QUIET).filter(pk=pk).order_by().update(asked_at=now):
            continue
        try:
            synchronise(payment=Payment.objects.get(pk=pk), now=now)
            asked += 1
        except ProcessorAway:
            break
        except PaymentError:
            log.exception("payment %s could not be asked after", pk)
    return asked
