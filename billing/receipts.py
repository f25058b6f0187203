"""Where the money of one payment is, by the ledger, as its page tells it."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import AccountKind, ChargebackState, Payment, Refund, RefundStatus
from billing.services.ledger import total_of
from billing.services.postings import EARNINGS, credit_of


@dataclass(frozen=True)
class Receipt:
    """What was paid, less the refunds that count and do not wait, less what banks have, is ``with_us`` and ``kept``.

    Attributes:
        waiting: refunds that nobody asks for while a bank decides (decision 0026). They are kept until then.
        with_us: what the buyer has with us: not earned, or a refund that failed.
        kept: what counts as earned, by whomever; negative where more is gone than was paid.
    """

    waiting: list[Refund]
    with_us: Decimal
    kept: Decimal


def receipt_of(payment: Payment) -> Receipt:
    """Of a payment that is paid, with its refunds and chargebacks prefetched."""
    waits = any(chargeback.state == ChargebackState.OPEN for chargeback in payment.chargebacks.all())
    waiting = [refund for refund in payment.refunds.all() if waits and _is_not_asked_for(refund)]
    there = (*EARNINGS, AccountKind.LOSSES, AccountKind.CHARGEBACKS)
    kept = sum((refund.amount for refund in waiting), -total_of(transaction__payment=payment, account__kind__in=there))
    with_us = credit_of(payment)
    # What a bank has is not with us: if it decides for the buyer, it counts as the first that went back.
    at_the_bank = min(max(-kept, Decimal(0)), with_us)
    return Receipt(waiting, with_us - at_the_bank, kept + at_the_bank)


def _is_not_asked_for(refund: Refund) -> bool:
    return refund.status == RefundStatus.REQUESTED and not refund.stripe_refund
