"""Money: payments, refunds, the processor's customers and its webhooks."""

from billing.models.payment import Payment, PaymentStatus
from billing.models.refund import Refund, RefundReason, RefundStatus
from billing.models.stripe import StripeCustomer, WebhookEvent

__all__ = [
    "Payment",
    "PaymentStatus",
    "Refund",
    "RefundReason",
    "RefundStatus",
    "StripeCustomer",
    "WebhookEvent",
]
