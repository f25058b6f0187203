"""Money: payments, refunds, invoices, payouts, the ledger behind them, and what the processor tells."""

from billing.models import tracked  # noqa: F401  # history: its triggers, and the tables that they write
from billing.models.card import SavedCard
from billing.models.chargeback import Chargeback, ChargebackState
from billing.models.invoice import Invoice, InvoiceCounter, Series
from billing.models.ledger import (
    BEFORE_INVOICES,
    PERSONAL,
    AccountKind,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Posting,
)
from billing.models.payment import Payment, PaymentStatus
from billing.models.payout import (
    LIVE_PAYOUTS,
    Payout,
    PayoutAccount,
    PayoutHold,
    PayoutLine,
    PayoutMethod,
    PayoutStatus,
    SepaFile,
)
from billing.models.reconciliation import Difference, Reconciliation
from billing.models.refund import Refund, RefundReason, RefundStatus
from billing.models.stripe import StripeCustomer, WebhookEvent
from billing.models.subscription import IN_FORCE, Subscription, SubscriptionPayment, SubscriptionStatus, Tier

__all__ = [
    "BEFORE_INVOICES",
    "IN_FORCE",
    "LIVE_PAYOUTS",
    "PERSONAL",
    "AccountKind",
    "Chargeback",
    "ChargebackState",
    "Difference",
    "Invoice",
    "InvoiceCounter",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentStatus",
    "Payout",
    "PayoutAccount",
    "PayoutHold",
    "PayoutLine",
    "PayoutMethod",
    "PayoutStatus",
    "Posting",
    "Reconciliation",
    "Refund",
    "RefundReason",
    "RefundStatus",
    "SavedCard",
    "SepaFile",
    "Series",
    "StripeCustomer",
    "Subscription",
    "SubscriptionPayment",
    "SubscriptionStatus",
    "Tier",
    "WebhookEvent",
]
