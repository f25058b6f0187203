"""Invoices and credit notes: numbered without gaps, never changed."""

from datetime import UTC, date
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, User
from accounts.permissions import OrganizationAction, organizations_where
from accounts.tax import TaxKind
from billing.models.chargeback import Chargeback
from billing.models.payment import Payment
from billing.models.payout import Payout
from billing.models.refund import Refund
from billing.models.subscription import SubscriptionPayment
from bookings.models import Booking
from common.ids import uuid7
from common.money import Currency


class Series(models.TextChoices):
    """What counts on its own, each year from 1."""

    INVOICE = "INV", _("Invoice")
    CREDIT_NOTE = "CN", _("Credit note")
    SELF_BILLING = "SB", _("Self-billing invoice")
    SELF_BILLING_CREDIT = "SC", _("Self-billing credit note")
    SUBSCRIPTION = "SUB", _("Subscription invoice")


class InvoiceCounter(models.Model):
    """The last number of a series in a year. Its row is locked from the taking of a number to the commit."""

    series = models.CharField(max_length=4, choices=Series.choices)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "invoice_counters"
        constraints = [models.UniqueConstraint(fields=["series", "year"], name="invoice_counters_once")]

    def __str__(self) -> str:
        return f"{self.series}-{self.year}: {self.last}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def of(self, account: User | Organization) -> "InvoiceQuerySet":
        """An organization's; or a person's own, without what they bought for an organization."""
        if isinstance(account, Organization):
            return self.filter(organization=account)
        return self.filter(owner=account, organization=None)

    def seen_by(self, user: User) -> "InvoiceQuerySet":
        """Those of whoever paid, of organizations in which the person's role shows them, and for administrators all."""
        if user.is_platform_administrator:
            return self.all()
        theirs = organizations_where(user, OrganizationAction.SEE_INVOICES)
        return self.filter(Q(owner=user) | Q(organization__in=theirs))


class Invoice(models.Model):
    """A document as it was issued: parties, lines and tax are frozen in. A correction is a credit note.

    What a credit note took back and is earned again after all has an invoice that ``corrects`` the credit note.

    Amounts in ``currency``. Triggers refuse a number that leaves a gap, any change but the first writing of the PDF's
    place, and deletion.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    series = models.CharField(max_length=4, choices=Series.choices)
    year = models.PositiveSmallIntegerField()
    sequence = models.PositiveIntegerField()
    number = models.CharField(max_length=40, unique=True, help_text="As in INV-2026-000001.")
    issued_at = models.DateTimeField(default=timezone.now)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="invoices",
        help_text="Whom it is addressed to: the buyer or, self-billed, the provider.",
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="invoices",
        help_text="Whom the buyer bought for, and whose it is then; empty: the buyer's own.",
    )
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_note")
    chargeback = models.ForeignKey(Chargeback, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    subscription_payment = models.ForeignKey(
        SubscriptionPayment, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices"
    )
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="corrections")
    currency = models.CharField(max_length=3, choices=Currency.choices)
    net = models.DecimalField(max_digits=12, decimal_places=2)
    tax = models.DecimalField(max_digits=12, decimal_places=2)
    gross = models.DecimalField(max_digits=12, decimal_places=2)
    tax_kind = models.CharField(max_length=20, choices=TaxKind.choices)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=4)
    purchase_order = models.CharField(max_length=60, blank=True)
    cost_centre = models.CharField(max_length=60, blank=True)
    document = models.JSONField(help_text="billing.documents.facts.InvoiceDocument, all of it.")
    pdf = models.CharField(max_length=200, blank=True)
    pdf_sha256 = models.CharField(max_length=64, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        db_table = "invoices"
        ordering = ["-issued_at", "-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["series", "year", "sequence"], name="invoices_number_once"),
            models.UniqueConstraint(
                fields=["payment"], condition=Q(series="INV", corrects=None), name="invoices_one_a_payment"
            ),
            models.CheckConstraint(condition=Q(gross=models.F("net") + models.F("tax")), name="invoices_add_up"),
            models.CheckConstraint(condition=Q(series__in=Series.values), name="invoices_series_known"),
            models.CheckConstraint(
                condition=~Q(series="CN") | Q(corrects__isnull=False), name="invoices_credit_notes_correct"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "-issued_at"], name="invoices_of_owner"),
            models.Index(
                fields=["organization", "-issued_at"],
                condition=Q(organization__isnull=False),
                name="invoices_of_organization",
            ),
            models.Index(fields=["issued_at"], condition=Q(pdf=""), name="invoices_to_print"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_correction(self) -> bool:
        return self.series in (Series.CREDIT_NOTE, Series.SELF_BILLING_CREDIT)

    @property
    def subject(self) -> str:
        """What it is for, in the words of its lines."""
        first, *others = dict.fromkeys(line["description"] for line in self.document["lines"]) or [""]
        if not others:
            return str(first)
        return gettext("%(first)s and %(count)d more") % {"first": first, "count": len(others)}

    @property
    def issued_on(self) -> date:
        """The day that stands on it: the seller's calendar is UTC."""
        return self.issued_at.astimezone(UTC).date()

    @property
    def signed_gross(self) -> Decimal:
        """Negative of a correction."""
        return -self.gross if self.is_correction else self.gross

    @property
    def signed_tax(self) -> Decimal:
        return -self.tax if self.is_correction else self.tax
