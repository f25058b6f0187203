"""Taking a payment, and learning what became of it.

The order is always: write down what is about to be done, do it, write down what came of it. Money is
recorded before the booking is touched. Whoever locks both locks the booking first.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing import gateway
from billing.errors import CardDeclined, PaymentError, ProcessorAway, ProcessorRefused
from billing.gateway import Intent
from billing.models import Payment, PaymentStatus, RefundReason
from billing.services import postings
from billing.services.cards import Means, customer_of
from billing.services.invoices import issue_invoice
from billing.services.refunds import request_refund
from bookings.models import Booking, Charge, ChargeKind
from bookings.services.charges import Confirmation
from bookings.services.confirm import confirm_charge
from bookings.services.history import note
from bookings.services.locks import locked, locked_with_organization
from bookings.services.purposes import why_not_for_it_any_more
from common.money import to_minor

log = logging.getLogger(__name__)

#: A payment without word from the processor is asked after when it has been quiet this long.
QUIET = timedelta(seconds=15)
#: A payment row that has no PaymentIntent this long after it was begun was left by a process that died.
LEFT_BEHIND = timedelta(minutes=2)
UNDER_WAY = _("A payment for this is under way already. Wait a moment.")
#: Kept with payments, in English, and translated where they are read.
NO_ANSWER = gettext_noop("The payment processor did not answer.")
NEVER_SENT = gettext_noop("It was never sent to the payment processor.")

REFUND_FOR = {
    Confirmation.TOO_LATE: RefundReason.PAID_TOO_LATE,
    Confirmation.ALREADY_PAID: RefundReason.PAID_TWICE,
}


def pay(*, charge: Charge, payer: User, means: Callable[[], Means], now: datetime) -> Payment:
    """Pay a charge with the buyer there to answer their bank.

    A second click, a second tab or a reload meets the payment that is under way and takes that one's outcome.

    Args:
        means: gives what to pay with, once it is known that it is wanted (:mod:`billing.services.cards`).

    Raises:
        CardDeclined: the bank said no; a hold stays.
        PaymentError: the charge cannot be paid (any more), or there is nothing to pay with.
        ProcessorAway: no answer; the sweep asks after it.
    """
    under_way = settle_open_payment(charge=charge, now=now)
    if under_way is not None and under_way.status != PaymentStatus.FAILED:
        return under_way
    card = means()
    payment = begin(charge_id=charge.pk, payer=payer, means=card, now=now)
    try:
        intent = gateway.create_intent(payment, customer=card.customer)
    except PaymentError as error:
        why = NO_ANSWER if isinstance(error, ProcessorAway) else error.message
        fail(payment, why)  # nothing was confirmed, so nothing can be taken: the next try may come at once
        raise
    know_as(payment, intent)
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


def abandon(*, charge: Charge, now: datetime) -> None:
    """The buyer does not want to confirm it with their bank, and pays otherwise: what waits for that is ended.

    If it has gone through meanwhile, it has.

    Raises:
        PaymentError: another request is busy with it.
        ProcessorAway: no answer.
    """
    payment = settle_open_payment(charge=charge, now=now)
    if payment is not None and payment.status == PaymentStatus.INCOMPLETE and payment.needs_authentication:
        apply(
            gateway.cancel_intent(payment.stripe_payment_intent or ""),
            now=now,
            failure=gettext_noop("Another card was chosen."),
        )


@transaction.atomic
def begin(
    *,
    charge_id: UUID,
    payer: User,
    means: Means,
    now: datetime,
    off_session: bool = False,
    wanted: Callable[[Charge], bool] | None = None,
) -> Payment:
    """Write down that a charge is about to be paid.

    Args:
        wanted: asked with the booking locked; if it says no, nothing is begun.

    Raises:
        PaymentError: it is not payable, is not wanted, or another payment of it is under way.
    """
    booking = locked(Charge.objects.values_list("booking_id", flat=True).get(pk=charge_id))
    charge = Charge.objects.get(pk=charge_id)
    charge.booking = booking
    if not charge.is_payable(now=now):
        raise PaymentError(why_not_payable(charge))
    if not charge.is_stage:
        extension = charge if charge.is_extension else None
        if reason := why_not_for_it_any_more(booking, extension=extension, now=now):
            raise PaymentError(reason)
    if wanted is not None and not wanted(charge):
        raise PaymentError(gettext("This is not to be charged now."))
    try:
        with transaction.atomic():
            return Payment.objects.create(
                booking=booking,
                charge=charge,
                machine=booking.machine,
                payer=payer,
                provider=booking.machine.provider,
                amount_total=charge.amount,
                currency=charge.currency,
                commission_rate=settings.MARKETPLACE_COMMISSION,
                timestamp=now,
                asked_at=now,
                payment_method=means.payment_method,
                card_label=means.label,
                off_session=off_session,
            )
    except IntegrityError as error:
        raise PaymentError(str(UNDER_WAY)) from error


def why_not_payable(charge: Charge) -> str:
    """Why nobody can pay it now, in words."""
    if charge.is_paid:
        return gettext("This is paid already.")
    if charge.booking.is_canceled:
        return gettext("This booking was canceled. Nothing has been charged.")
    if charge.kind == ChargeKind.BOOKING:
        return gettext("The time to pay is over. Nothing has been charged; ask for the window again.")
    if charge.is_extension:
        return gettext("The time to pay is over. Nothing has been charged; ask for the extension again.")
    return gettext("This is not to be paid any more: the booking is over, or ends before it. Nothing has been charged.")


def know_as(payment: Payment, intent: Intent) -> None:
    """Write down which PaymentIntent is the payment's."""
    Payment.objects.filter(pk=payment.pk).update(stripe_payment_intent=intent.id)
    payment.stripe_payment_intent = intent.id


def settle_open_payment(*, charge: Charge, now: datetime) -> Payment | None:
    """Bring the charge's open payment, if there is one, to where the processor says it is.

    One that can only go on with another card is ended first, so that never two can take money.

    Raises:
        PaymentError: another request is busy with it at this moment.
        ProcessorAway: no answer.
    """
    payment = Payment.objects.incomplete().filter(charge=charge).select_related("payer").first()
    if payment is None:
        return None
    if payment.stripe_payment_intent is None and not _left_behind(payment, now):
        raise PaymentError(str(UNDER_WAY))
    intent = _intent_of(payment)
    if intent is None:
        return fail(payment, NEVER_SENT)
    if intent.status in ("requires_payment_method", "requires_confirmation"):
        if intent.status == "requires_confirmation" and payment.timestamp > now - QUIET:
            raise PaymentError(str(UNDER_WAY))
        intent = gateway.cancel_intent(intent.id)
    return apply(intent, now=now) or payment


def _intent_of(payment: Payment) -> Intent | None:
    """The payment's PaymentIntent as it is now; ``None`` if none can have taken money.

    Whoever made it may not have come to write it down. With the buyer there that was before it was confirmed.
    """
    if payment.stripe_payment_intent is not None:
        return gateway.get_intent(payment.stripe_payment_intent)
    if not payment.off_session:
        return None
    found = gateway.find_intent(payment, customer=customer_of(payment.payer))
    if found is not None:
        know_as(payment, found)
    return found


def synchronise(*, payment: Payment, now: datetime, failure: str = "") -> Payment:
    """Ask the processor about a payment and apply the answer.

    A payment for what cannot be paid any more is ended, so that nobody pays for nothing.

    Args:
        failure: what the processor said when it refused, if it just did.

    Raises:
        ProcessorAway: no answer.
    """
    Payment.objects.filter(pk=payment.pk).update(asked_at=now)
    if payment.stripe_payment_intent is None and not _left_behind(payment, now):
        return payment
    intent = _intent_of(payment)
    if intent is None:
        return fail(payment, NEVER_SENT)
    charge = Charge.objects.select_related("booking").get(pk=payment.charge_id)
    waiting = intent.status in ("requires_payment_method", "requires_confirmation", "requires_action")
    # Whoever made it was to confirm it at once.
    is_left = intent.status == "requires_confirmation" and _left_behind(payment, now)
    if waiting and (failure or intent.error or is_left or not charge.is_payable(now=now)):
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
    found = _payment_of(intent)
    if found is None:
        return None
    locked_with_organization(found.booking_id)  # before the payment, always; confirming may ask the organization
    payment = Payment.objects.select_for_update(of=("self",)).select_related("payer", "provider").get(pk=found.pk)
    if payment.stripe_payment_intent is None:
        know_as(payment, intent)
    if intent.status == "succeeded":
        _succeeded(payment, intent, now=now)
    elif payment.status != PaymentStatus.INCOMPLETE:
        pass  # a late failure never overwrites a success, nor a later failure the first one's words
    elif intent.status == "requires_action":
        payment.needs_authentication = True
        payment.save(update_fields=["needs_authentication"])
    elif intent.status == "canceled" or (intent.status == "requires_payment_method" and intent.error):
        fail(payment, failure or intent.error or gettext_noop("It was not completed."))
    return payment


def _payment_of(intent: Intent) -> Payment | None:
    """By its id, else by what we wrote into it: its maker may not have come to write the id down."""
    is_ours = Q(stripe_payment_intent=intent.id)
    with suppress(ValueError):
        is_ours |= Q(stripe_payment_intent=None, pk=UUID(intent.payment_id))
    return Payment.objects.filter(is_ours).first()


def _succeeded(payment: Payment, intent: Intent, *, now: datetime) -> None:
    if payment.status == PaymentStatus.PAID:
        return
    if (intent.amount, intent.currency) != (to_minor(payment.amount_total, payment.currency), payment.currency):
        log.critical("payment %s: the processor took %s %s", payment.pk, intent.amount, intent.currency)
    payment.status, payment.paid_at, payment.failure, payment.needs_authentication = PaymentStatus.PAID, now, "", False
    payment.save(update_fields=["status", "paid_at", "failure", "needs_authentication"])
    confirmation = confirm_charge(charge_id=payment.charge_id, now=now)
    payment.booking = Booking.objects.select_related("buyer", "machine__provider").get(pk=payment.booking_id)
    postings.payment_received(payment, now=now)
    if confirmation == Confirmation.CONFIRMED:
        postings.charge_earned(payment, now=now)
        issue_invoice(payment=payment, now=now)
        return
    request_refund(payment=payment, amount=payment.amount_total, reason=REFUND_FOR[confirmation], by=None, now=now)
    note(
        payment.booking,
        "Payment arrived too late" if confirmation == Confirmation.TOO_LATE else "Paid a second time",
        now=now,
        detail="All of it goes back by itself.",
    )


def fail(payment: Payment, why: str) -> Payment:
    """It has not come to anything. Compare and swap: a success that came in between stays."""
    payment.status, payment.failure, payment.needs_authentication = PaymentStatus.FAILED, why[:300], False
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
            synchronise(payment=Payment.objects.select_related("payer").get(pk=pk), now=now)
            asked += 1
        except ProcessorAway:
            break
        except PaymentError:
            log.exception("payment %s could not be asked after", pk)
    return asked
