"""Chargebacks: a buyer's bank takes a payment back, or asks about it. (Stripe calls them disputes.)"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models.payment import Payment
from common.ids import uuid7
from common.money import Currency


class ChargebackState(models.TextChoices):
    INQUIRY = "inquiry", _("The bank asks")
    OPEN = "open", _("Taken back, not decided")
    WON = "won", _("Decided for us")
    LOST = "lost", _("Decided for the buyer")
    CLOSED = "closed", _("Inquiry closed")

    @property
    def tone(self) -> str:
        return {"inquiry": "warn", "open": "bad", "won": "good", "lost": "bad", "closed": "soft"}[self.value]


class ChargebackQuerySet(models.QuerySet["Chargeback"]):
    def undecided(self) -> "ChargebackQuerySet":
        return self.filter(state__in=[ChargebackState.INQUIRY, ChargebackState.OPEN])


class Chargeback(models.Model):
    """A Dispute object of the processor, once. ``amount`` is what the bank wants, in the payment's currency."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks", db_column="payment_id")
    stripe_dispute = models.CharField(max_length=80, unique=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    reason = models.CharField(max_length=60, blank=True, help_text="In the bank's words.")
    state = models.CharField(max_length=10, choices=ChargebackState.choices)
    stripe_status = models.CharField(max_length=40)
    opened_at = models.DateTimeField(default=timezone.now)
    evidence_due_by = models.DateTimeField(null=True, blank=True)
    funds_taken_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ChargebackQuerySet.as_manager()

    class Meta:
        db_table = "chargebacks"
        ordering = ["-opened_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="chargebacks_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=ChargebackState.values), name="chargebacks_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.get_state_display().lower()}"

    @property
    def counts(self) -> bool:
        """Whether the money is with the buyer's bank."""
        return self.state in (ChargebackState.OPEN, ChargebackState.LOST)

    @property
    def is_lost(self) -> bool:
        return self.state == ChargebackState.LOST

    @property
    def tone(self) -> str:
        return ChargebackState(self.state).tone
