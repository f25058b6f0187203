"""Paying in the demonstration: as :func:`billing.services.payments.pay`, with a test card instead of a card form."""

from datetime import datetime

from accounts.models import User
from billing.models import Payment, PaymentStatus
from billing.services import payments
from billing.services.cards import Means
from bookings.models import Booking

#: A payment method that the processor keeps for tests: it always succeeds, and is refused with a live key.
TEST_CARD, TEST_CARD_LABEL = "pm_card_visa", "Visa 4242"


def pay(*, booking: Booking, payer: User, customer: str, now: datetime) -> Payment:
    """Pay for a held booking at the processor, as at ``now``.

    Raises:
        RuntimeError: the processor did not take it.
        ProcessorAway: it does not answer.
    """
    means = Means(customer, TEST_CARD, TEST_CARD_LABEL)
    payment = payments.pay(charge=booking.charges.get(number=1), payer=payer, means=lambda: means, now=now)
    if payment.status != PaymentStatus.PAID:
        raise RuntimeError(f"The payment processor did not take payment {payment.pk}.")
    return payment
