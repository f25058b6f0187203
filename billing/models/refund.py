"""Refunds: money on its way back to a buyer."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models.payment import Payment
from common.ids import uuid7
from common.money import Currency


class RefundStatus(models.TextChoices):
    REQUESTED = "requested", _("On its way")
    MADE = "made", pgettext_lazy("refund", "Made")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        return {"requested": "warn", "made": "good", "failed": "bad"}[self.value]


class RefundReason(models.TextChoices):
    CANCELED_BY_BUYER = "canceled_by_buyer", _("Canceled by the buyer")
    CANCELED_BY_PROVIDER = "canceled_by_provider", _("Canceled by the provider")
    NOT_DELIVERED = "not_delivered", _("The machine could not be handed over")
    PAID_TOO_LATE = "paid_too_late", _("Paid after the hold had lapsed")
    PAID_TWICE = "paid_twice", _("Paid twice")
    TIME_LOST = "time_lost", _("Time lost: late or down")
    NOT_AS_BOOKED = "not_as_booked", _("The machine was not as booked")
    ENDED_EARLY = "ended_early", _("Ended early")
    STAGE_NOT_PAID = "stage_not_paid", _("Ended because a stage was not paid")
    DISPUTE = "dispute", _("Decided in a dispute")
    GOODWILL = "goodwill", _("Given back by an administrator")
    OUTSIDE = "outside", _("Given back at the payment processor")


class RefundQuerySet(models.QuerySet["Refund"]):
    def due(self, *, now: datetime) -> "RefundQuerySet":
        """Requested, and not being tried by anyone at this moment.

        Of a payment that a bank has taken back and not decided about, nothing can be given back yet.
        """
        due = self.filter(status=RefundStatus.REQUESTED, next_attempt_at__lte=now).order_by("requested_at")
        return due.exclude(payment__chargebacks__state="open")


class Refund(models.Model):
    """Money given back from one payment. Written first, then made by a sweep, exactly once.

    Its id is in the processor's metadata and makes the idempotency key: after a crash the processor is
    asked whether it has been done before it is done.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds", db_column="payment_id")
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    reason = models.CharField(max_length=30, choices=RefundReason.choices)
    status = models.CharField(max_length=10, choices=RefundStatus.choices, default=RefundStatus.REQUESTED)
    requested_at = models.DateTimeField(default=timezone.now)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: the marketplace itself.",
    )
    retry_of = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="retry",
        help_text="The refund that failed and is asked for again by this one.",
    )
    next_attempt_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    stripe_refund = models.CharField(max_length=80, null=True, blank=True, unique=True)
    made_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True)
    note = models.CharField(max_length=300, blank=True, help_text="Why, where a person decided it.")

    objects = RefundQuerySet.as_manager()

    class Meta:
        db_table = "refunds"
        ordering = ["requested_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="refunds_amount_positive"),
            models.CheckConstraint(condition=Q(status__in=RefundStatus.values), name="refunds_status_known"),
            models.CheckConstraint(
                condition=~Q(status="made") | Q(stripe_refund__isnull=False, made_at__isnull=False),
                name="refunds_made_has_processors_id",
            ),
        ]
        indexes = [models.Index(fields=["next_attempt_at"], condition=Q(status="requested"), name="refunds_to_make")]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} back, {self.get_status_display().lower()}"

    @property
    def counts(self) -> bool:
        """Whether it lessens what can still be refunded: a refund in flight does."""
        return self.status != RefundStatus.FAILED

    @property
    def tone(self) -> str:
        return RefundStatus(self.status).tone
