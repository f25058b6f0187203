"""Payments: each attempt to pay for a booking is a row."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking, Charge
from common.ids import uuid7
from common.money import Currency
from machines.models import Machine


class PaymentStatus(models.TextChoices):
    INCOMPLETE = "incomplete", _("Incomplete")
    PAID = "paid", _("Paid")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        return {"incomplete": "warn", "paid": "good", "failed": "bad"}[self.value]


class PaymentQuerySet(models.QuerySet["Payment"]):
    def incomplete(self) -> "PaymentQuerySet":
        return self.filter(status=PaymentStatus.INCOMPLETE)

    def paid(self) -> "PaymentQuerySet":
        return self.filter(status=PaymentStatus.PAID)

    def to_ask_after(self, *, now: datetime, quiet: timedelta) -> "PaymentQuerySet":
        """Begun a while ago, with no word from the processor since: the webhook may never come."""
        return self.incomplete().filter(asked_at__lte=now - quiet).order_by("asked_at")


class Payment(models.Model):
    """One attempt to pay a charge of a booking (logical model 1.6), matched to one PaymentIntent.

    Its id makes the idempotency key. Incomplete until the processor says paid or failed; a late failure
    never overwrites a success.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="payment_id")
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="payments", db_column="booking_id")
    charge = models.ForeignKey(
        Charge, on_delete=models.PROTECT, related_name="payments", help_text="The part of the booking that it pays for."
    )
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="payments", db_column="hardware_id")
    payer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payments_made", db_column="payer_id"
    )
    provider = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payments_earned", db_column="provider_id"
    )
    amount_total = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    status = models.CharField(
        max_length=10,
        choices=PaymentStatus.choices,
        default=PaymentStatus.INCOMPLETE,
        db_column="payment_status",
    )
    timestamp = models.DateTimeField(default=timezone.now)
    invoice_number = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001 - unique when there is one
    stripe_payment_intent = models.CharField(max_length=80, null=True, blank=True, unique=True)
    payment_method = models.CharField(max_length=80, blank=True)
    card_label = models.CharField(max_length=40, blank=True, help_text="As in “Visa 4242”.")
    commission_rate = models.DecimalField(
        max_digits=5, decimal_places=4, default=Decimal(0), help_text="The platform's share of the net amount, as 0.10."
    )
    off_session = models.BooleanField(default=False, help_text="Charged without the buyer being there.")
    needs_authentication = models.BooleanField(default=False, help_text="The bank wants to see the buyer.")
    failure = models.CharField(max_length=300, blank=True)
    asked_at = models.DateTimeField(default=timezone.now, help_text="When the processor was last asked about it.")
    paid_at = models.DateTimeField(null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        db_table = "payments"
        ordering = ["-timestamp"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_total__gte=0), name="payments_amount_not_negative"),
            models.CheckConstraint(condition=Q(status__in=PaymentStatus.values), name="payments_status_known"),
            models.CheckConstraint(
                condition=~Q(status="paid") | Q(paid_at__isnull=False, stripe_payment_intent__isnull=False),
                name="payments_paid_has_intent",
            ),
            models.UniqueConstraint(
                fields=["charge"], condition=Q(status="incomplete"), name="payments_one_open_a_charge"
            ),
            models.UniqueConstraint(fields=["invoice_number"], name="payments_invoice_number_once"),
        ]
        indexes = [
            models.Index(fields=["paid_at"], condition=Q(status="paid"), name="payments_paid"),
            models.Index(fields=["asked_at"], condition=Q(status="incomplete"), name="payments_incomplete"),
            models.Index(fields=["payer", "-timestamp"], name="payments_of_payer"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_total} {self.currency} {self.get_status_display().lower()}"

    @property
    def refunded(self) -> Decimal:
        """What has been given back or is on its way: refunds in flight count."""
        return sum((refund.amount for refund in self.refunds.all() if refund.counts), Decimal(0))

    @property
    def charged_back(self) -> Decimal:
        """What the buyer's bank has taken for good. While it has not decided, refunds are owed and wait."""
        return sum((chargeback.amount for chargeback in self.chargebacks.all() if chargeback.is_lost), Decimal(0))

    @property
    def refundable(self) -> Decimal:
        return max(self.amount_total - self.refunded - self.charged_back, Decimal(0)) if self.is_paid else Decimal(0)

    @property
    def is_paid(self) -> bool:
        return self.status == PaymentStatus.PAID

    @property
    def tone(self) -> str:
        return PaymentStatus(self.status).tone
