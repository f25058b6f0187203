"""The ledger: double entry, append-only. Every movement of money stands here, in the transaction that made it.

Amounts are signed: a debit is positive, a credit negative. The entries of one transaction sum to zero in each
currency, and so does the ledger as a whole; a trigger refuses anything else (migrations 0008 and 0014).
"""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models.chargeback import Chargeback
from billing.models.payment import Payment
from billing.models.payout import Payout
from billing.models.refund import Refund
from billing.models.subscription import SubscriptionPayment
from bookings.models import Booking
from common.ids import uuid7
from common.money import Currency


class AccountKind(models.TextChoices):
    """The chart of accounts. Which side it normally stands on is said in ``docs/money.md``."""

    PROCESSOR = "processor", _("At the payment processor")
    BANK = "bank", _("At our bank")
    BUYER = "buyer", _("Buyer")
    PROVIDER_PAYABLE = "provider_payable", _("Owed to the provider")
    PAYOUTS = "payouts", _("Payouts on their way")
    REFUNDS = "refunds", _("Refunds on their way")
    CHARGEBACKS = "chargebacks", _("Taken back by banks, not decided")
    COMMISSION = "commission", _("Commission")
    SUBSCRIPTIONS = "subscriptions", _("Subscriptions")
    TAX = "tax", _("Tax")
    LOSSES = "losses", _("Losses")


#: Accounts that each person has of their own; of the others there is one a currency.
PERSONAL = (AccountKind.BUYER, AccountKind.PROVIDER_PAYABLE)


class LedgerAccount(models.Model):
    """One account in one currency."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=AccountKind.choices)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="ledger_accounts"
    )
    currency = models.CharField(max_length=3, choices=Currency.choices)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ledger_accounts"
        ordering = ["kind", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "owner", "currency"], nulls_distinct=False, name="ledger_accounts_once"
            ),
            models.UniqueConstraint(fields=["id", "currency"], name="ledger_accounts_id_and_currency"),
            models.CheckConstraint(condition=Q(kind__in=AccountKind.values), name="ledger_accounts_kind_known"),
            models.CheckConstraint(
                condition=Q(kind__in=PERSONAL, owner__isnull=False) | (~Q(kind__in=PERSONAL) & Q(owner=None)),
                name="ledger_accounts_owner_where_personal",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.currency}"


#: The note on what was posted when the ledger was made (migration 0012): there were no invoices then, and are none.
BEFORE_INVOICES = "From before there were invoices"


class Posting(models.TextChoices):
    """What a transaction tells of."""

    PAYMENT = "payment", _("Payment received")
    EARNED = "earned", _("Charge earned")
    REFUND_OWED = "refund_owed", _("Refund owed")
    REFUND_MADE = "refund_made", _("Refund made")
    REFUND_FAILED = "refund_failed", _("Refund failed")
    PAYOUT_SENT = "payout_sent", _("Payout sent")
    PAYOUT_RECEIVED = "payout_received", _("Payout received")
    PAYOUT_FAILED = "payout_failed", _("Payout failed")
    PROVIDER_TAX = "provider_tax", _("Tax on the provider's invoice")
    CHARGEBACK_TAKEN = "chargeback_taken", _("Taken back by a bank")
    CHARGEBACK_WON = "chargeback_won", _("Chargeback won")
    CHARGEBACK_LOST = "chargeback_lost", _("Chargeback lost")
    SUBSCRIPTION = "subscription", _("Subscription paid")
    SUBSCRIPTION_REFUND = "subscription_refund", _("Subscription refunded")
    CORRECTION = "correction", _("Correction")


class LedgerTransaction(models.Model):
    """A set of entries that belong together. ``key`` names the event: it is posted once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20, choices=Posting.choices)
    key = models.CharField(max_length=120, unique=True)
    at = models.DateTimeField()
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    chargeback = models.ForeignKey(Chargeback, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="postings")
    subscription_payment = models.ForeignKey(
        SubscriptionPayment, on_delete=models.PROTECT, null=True, blank=True, related_name="postings"
    )
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "ledger_transactions"
        ordering = ["-at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=Posting.values), name="ledger_transactions_kind_known")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.at:%Y-%m-%d %H:%M}"


class LedgerEntry(models.Model):
    """One side of a transaction. ``booking`` is the transaction's, for what is owed to a provider booking by booking."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    currency = models.CharField(max_length=3, choices=Currency.choices)
    amount = models.DecimalField(max_digits=14, decimal_places=2, help_text="Debits are positive, credits negative.")
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")

    class Meta:
        db_table = "ledger_entries"
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="ledger_entries_not_zero")]
        indexes = [models.Index(fields=["booking", "account"], name="ledger_entries_of_booking")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def debit(self) -> Decimal | None:
        return self.amount if self.amount > 0 else None

    @property
    def credit(self) -> Decimal | None:
        return -self.amount if self.amount < 0 else None
