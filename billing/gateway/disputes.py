"""Disputes: a buyer's bank asks about a payment, or takes it back. Here they are called chargebacks."""

from dataclasses import dataclass
from datetime import UTC, datetime

from billing.gateway.client import client, id_of, translated


@dataclass(frozen=True)
class Dispute:
    """A Dispute at the processor. ``status`` is Stripe's; ``amount`` in minor units of ``currency``."""

    id: str
    status: str
    amount: int
    currency: str
    reason: str
    payment_intent: str
    created: datetime
    evidence_due_by: datetime | None


def get_dispute(dispute_id: str) -> Dispute:
    """The Dispute as it is now."""
    with translated():
        dispute = client().v1.disputes.retrieve(dispute_id)
        intent = dispute.payment_intent or client().v1.charges.retrieve(id_of(dispute.charge)).payment_intent
    due = dispute.evidence_details.due_by if dispute.evidence_details else None
    return Dispute(
        id=dispute.id,
        status=dispute.status,
        amount=dispute.amount,
        currency=dispute.currency.upper(),
        reason=dispute.reason.replace("_", " "),
        payment_intent=id_of(intent) if intent else "",
        created=datetime.fromtimestamp(dispute.created, tz=UTC),
        evidence_due_by=datetime.fromtimestamp(due, tz=UTC) if due else None,
    )
