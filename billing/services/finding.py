"""Which payment is meant: the processor names its own objects, and may do so before we have written them down."""

from datetime import datetime

from billing import gateway
from billing.errors import PaymentError, ProcessorRefused
from billing.models import Payment
from billing.services import payments


class NotYet(PaymentError):
    """What is told of cannot have happened, by what we know so far: it is looked at again later."""


def payment_behind(intent_id: str, *, now: datetime) -> Payment | None:
    """The payment of a PaymentIntent. One whose maker died before writing the id down is found by its metadata.

    Raises:
        ProcessorAway: no answer.
    """
    payment = Payment.objects.filter(stripe_payment_intent=intent_id).first()
    if payment is not None or not intent_id:
        return payment
    try:
        intent = gateway.get_intent(intent_id)
    except ProcessorRefused as error:
        if error.is_missing:
            return None
        raise
    return payments.apply(intent, now=now)


def paid_payment_behind(intent_id: str, *, now: datetime) -> Payment | None:
    """As :func:`payment_behind`, for what can only happen to a payment that was made: its own news may be on the way.

    Raises:
        NotYet: the processor does not call it paid.
        ProcessorAway: no answer.
    """
    payment = payment_behind(intent_id, now=now)
    if payment is not None and not payment.is_paid:
        payment = payments.synchronise(payment=payment, now=now)
        if not payment.is_paid:
            raise NotYet(f"Payment {payment.pk} is not paid.")
    return payment
