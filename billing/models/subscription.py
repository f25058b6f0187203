"""Plans for people (reference: hosting-intelligence-data-model, Subscription). Marketplace bookings need none."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.tax import TaxKind
from common.ids import uuid7
from common.money import Currency


class Tier(models.TextChoices):
    FREE = "free", pgettext_lazy("plan", "Free")
    INDIVIDUAL = "individual", pgettext_lazy("plan", "Individual")
    PROFESSIONAL = "professional", pgettext_lazy("plan", "Professional")
    ENTERPRISE = "enterprise", pgettext_lazy("plan", "Enterprise")


class SubscriptionStatus(models.TextChoices):
    """Stripe's statuses."""

    INCOMPLETE = "incomplete", _("Waiting for the first payment")
    INCOMPLETE_EXPIRED = "incomplete_expired", _("Never paid")
    TRIALING = "trialing", _("On trial")
    ACTIVE = "active", _("Active")
    PAST_DUE = "past_due", _("Payment overdue")
    UNPAID = "unpaid", _("Not paid")
    CANCELED = "canceled", _("Canceled")
    PAUSED = "paused", _("Paused")

    @property
    def tone(self) -> str:
        return {"active": "good", "trialing": "good", "past_due": "bad", "unpaid": "bad", "incomplete": "warn"}.get(
            self.value, "soft"
        )


#: In these the tier's features are there.
IN_FORCE = (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING, SubscriptionStatus.PAST_DUE)


class Subscription(models.Model):
    """A person's plan. Who has no row is on *free*. One to one with the user."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="subscription", db_column="user_id"
    )
    tier = models.CharField(max_length=20, choices=Tier.choices, default=Tier.FREE)
    stripe_subscription_id = models.CharField(max_length=80, null=True, blank=True, unique=True)
    stripe_customer_id = models.CharField(max_length=80, blank=True)
    stripe_schedule_id = models.CharField(max_length=80, blank=True)
    monthly_price = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal(0))
    currency = models.CharField(max_length=3, choices=Currency.choices, default=Currency.EUR)
    current_period_start = models.DateTimeField(null=True, blank=True)
    current_period_end = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=20, choices=SubscriptionStatus.choices, default=SubscriptionStatus.ACTIVE)
    next_tier = models.CharField(
        max_length=20, choices=Tier.choices, blank=True, help_text="What it becomes when the period ends."
    )
    wanted_tier = models.CharField(
        max_length=20, choices=Tier.choices, blank=True, help_text="Asked for, and not yet confirmed by the processor."
    )
    wanted_at = models.DateTimeField(null=True, blank=True)
    attempt = models.UUIDField(
        null=True,
        blank=True,
        help_text="Names what is being asked of the processor, until it is known to have answered.",
    )
    needs_authentication = models.BooleanField(default=False, help_text="The bank wants to see the person.")
    failure = models.CharField(max_length=300, blank=True, help_text="Why the last payment did not succeed.")
    asked_at = models.DateTimeField(default=timezone.now, help_text="When the processor was last asked about it.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    billing_details = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "subscriptions"
        constraints = [
            models.CheckConstraint(condition=Q(tier__in=Tier.values), name="subscriptions_tier_known"),
            models.CheckConstraint(
                condition=Q(status__in=SubscriptionStatus.values), name="subscriptions_status_known"
            ),
            models.CheckConstraint(condition=Q(monthly_price__gte=0), name="subscriptions_price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.get_tier_display()}, {self.get_status_display().lower()}"

    @property
    def is_in_force(self) -> bool:
        return self.status in IN_FORCE

    @property
    def tone(self) -> str:
        return SubscriptionStatus(self.status).tone


class SubscriptionPayment(models.Model):
    """A paid invoice of the processor's for one period of a subscription: what the ledger and our invoice tell of."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="payments")
    stripe_invoice = models.CharField(max_length=80, unique=True)
    stripe_payment_intent = models.CharField(max_length=80, null=True, blank=True, unique=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    tier = models.CharField(max_length=20, choices=Tier.choices)
    tax_kind = models.CharField(max_length=20, choices=TaxKind.choices, default=TaxKind.NONE)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal(0))
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    paid_at = models.DateTimeField()
    refunded = models.DecimalField(max_digits=12, decimal_places=2, default=Decimal(0))
    disputes = models.JSONField(
        default=dict,
        blank=True,
        help_text="The processor's Disputes about it, by their ids: what each said last (status, state, amount).",
    )
    disputed = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="What banks have taken back and not decided."
    )
    charged_back = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="What banks have taken back for good."
    )

    class Meta:
        db_table = "subscription_payments"
        ordering = ["-paid_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="subscription_payments_amount_positive"),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=models.F("amount")), name="subscription_payments_refunded"
            ),
            models.CheckConstraint(
                condition=Q(disputed__gte=0, charged_back__gte=0), name="subscription_payments_taken_back"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.get_tier_display()}"

    @property
    def given_back(self) -> Decimal:
        """What of it went back for good, by whichever way; never more than was paid."""
        return min(self.refunded + self.charged_back, self.amount)
