"""What of money history keeps. The ledger and invoices are not here: they never change."""

from typing import Any

from django.utils.translation import gettext

from billing.chargeback_reasons import in_words
from billing.models.card import SavedCard
from billing.models.chargeback import Chargeback
from billing.models.payment import Payment
from billing.models.payout import Payout, PayoutAccount, PayoutHold
from billing.models.refund import Refund
from billing.models.subscription import Subscription
from common.history.tracking import tracked
from common.ids import short


def _of_booking(change: Any) -> str:
    """As people read a booking out."""
    return short(change.booking_id)


PaymentChange = tracked(
    Payment,
    "payer",
    "amount_total",
    "currency",
    "status",
    "card_label",
    "off_session",
    "needs_authentication",
    "failure",
    "paid_at",
    within="booking",
    organization="booking__organization",
    called=_of_booking,
    page="booking_history",
    written={"failure": gettext},
    private=("card_label", "failure"),
)
RefundChange = tracked(
    Refund,
    "amount",
    "currency",
    "reason",
    "status",
    "requested_by",
    "made_at",
    "failure",
    "note",
    within="payment",
    organization="payment__booking__organization",
    private=("failure",),
)
ChargebackChange = tracked(
    Chargeback,
    "amount",
    "currency",
    "reason",
    "state",
    "opened_at",
    "evidence_due_by",
    "funds_taken_at",
    "closed_at",
    within="payment",
    organization="payment__booking__organization",
    written={"reason": in_words},
)
PayoutChange = tracked(
    Payout,
    "account",
    "method",
    "currency",
    "amount",
    "tax",
    "status",
    "scheduled_at",
    "sent_at",
    "received_at",
    "failed_at",
    "failure",
    within="provider",
    written={"failure": gettext},
)
PayoutAccountChange = tracked(
    PayoutAccount,
    "method",
    "stripe_account",
    "details_submitted",
    "payouts_enabled",
    "holder",
    "iban",
    "bic",
    "replaced_at",
    within="user",
)
PayoutHoldChange = tracked(
    PayoutHold,
    "amount",
    "reason",
    "placed_by",
    "released_at",
    "released_by",
    "released_because",
    within="booking",
    called=_of_booking,
)
SubscriptionChange = tracked(
    Subscription,
    "tier",
    "monthly_price",
    "currency",
    "status",
    "next_tier",
    "current_period_end",
    "cancelled_at",
    "failure",
    within="user",
)
SavedCardChange = tracked(SavedCard, "brand", "last4", "is_default", "removed_at", within="user")
