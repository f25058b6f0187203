"""Refunds at the processor."""

from dataclasses import dataclass

import stripe

from billing.errors import PaymentError, ProcessorRefused
from billing.gateway.client import client, id_of, metadata_of, translated
from billing.models import Refund
from common.money import to_minor

#: The processor's words for a payment of which not enough is left: given back there, or taken back by the bank.
GONE = ("charge_already_refunded", "amount_too_large")
DISPUTED = "charge_disputed"


@dataclass(frozen=True)
class MadeRefund:
    """A Refund at the processor. ``status`` is Stripe's: pending, succeeded, failed, canceled, requires_action.

    ``amount`` is in minor units; ``refund_id`` is ours, empty where it was begun at the processor's.
    """

    id: str
    status: str
    error: str
    amount: int = 0
    currency: str = ""
    payment_intent: str = ""
    refund_id: str = ""


def make_refund(refund: Refund) -> MadeRefund:
    """Give the money back, once: whoever made the refund before us is found by its metadata."""
    intent_id = refund.payment.stripe_payment_intent or ""
    with translated():
        for made in client().v1.refunds.list({"payment_intent": intent_id, "limit": 100}).auto_paging_iter():
            if metadata_of(made).get("refund_id") == str(refund.pk):
                return made_refund(made)
        return made_refund(
            client().v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": to_minor(refund.amount, refund.currency),
                    "metadata": {"refund_id": str(refund.pk)},
                },
                {"idempotency_key": f"refund-{refund.pk}"},
            )
        )


def gone_for_good(error: PaymentError, *, is_lost: bool) -> bool:
    """Whether a refund was refused because the money is not there any more: trying again would change nothing.

    That more is asked for than is left has no word of its own everywhere; then it is the amount that is not liked. What
    a bank has taken back cannot be refunded while it decides, nor, if the buyer has won (``is_lost``), what is left.
    """
    if not isinstance(error, ProcessorRefused):
        return False
    return error.code in GONE or error.param == "amount" or (is_lost and error.code == DISPUTED)


def get_refund(refund_id: str) -> MadeRefund:
    """The Refund as it is now."""
    with translated():
        return made_refund(client().v1.refunds.retrieve(refund_id))


def refunds_of(intent_id: str) -> list[MadeRefund]:
    """Every refund of a PaymentIntent, whoever began it."""
    with translated():
        found = client().v1.refunds.list({"payment_intent": intent_id, "limit": 100})
        return [made_refund(refund) for refund in found.auto_paging_iter()]


def made_refund(refund: stripe.Refund) -> MadeRefund:
    return MadeRefund(
        id=refund.id,
        status=refund.status or "pending",
        error=str(getattr(refund, "failure_reason", "") or ""),
        amount=refund.amount,
        currency=refund.currency.upper(),
        payment_intent=id_of(refund.payment_intent) if refund.payment_intent else "",
        refund_id=metadata_of(refund).get("refund_id", ""),
    )
