"""Paying in the demonstration: as :func:`billing.services.payments.pay`, with a test card instead of a card form."""

from datetime import datetime

from accounts.models import User
from billing import gateway
from billing.models import Payment, PaymentStatus
from billing.services import payments
from bookings.models import Booking

#: A payment method that the processor keeps for tests: it always succeeds, and is refused with a live key.
TEST_CARD, TEST_CARD_LABEL = "pm_card_visa", "Visa 4242"


def pay(*, booking: Booking, payer: User, customer: str, now: datetime) -> Payment:
    """Pay for a held booking at the processor, as at ``now``.

    Raises:
        RuntimeError: the processor did not take it.
        ProcessorAway: it does not answer.
    """
    payment = Payment.objects.create(
        booking=booking,
        machine=booking.machine,
        payer=payer,
        provider=booking.machine.provider,
        amount_total=booking.price_total,
        currency=booking.currency,
        timestamp=now,
        asked_at=now,
        payment_method=TEST_CARD,
        card_label=TEST_CARD_LABEL,
    )
    payment.stripe_payment_intent = gateway.create_intent(payment, customer=customer).id
    payment.save(update_fields=["stripe_payment_intent"])
    paid = payments.apply(gateway.confirm_intent(payment), now=now)
    if paid is None or paid.status != PaymentStatus.PAID:
        raise RuntimeError(f"The payment processor did not take payment {payment.pk}.")
    return paid
