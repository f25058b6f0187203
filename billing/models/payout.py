"""Paying providers: where to, how much, for what, and what came of it."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bookings.models import Booking
from common.ids import short, uuid7
from common.money import Currency


class PayoutMethod(models.TextChoices):
    CONNECT = "connect", "Stripe"
    SEPA = "sepa", _("SEPA credit transfer")


class PayoutStatus(models.TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")
    SENT = "sent", _("Sent")
    RECEIVED = "received", _("Received")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        return {"scheduled": "warn", "sent": "warn", "received": "good", "failed": "bad"}[self.value]


#: A payout in one of these has taken the amounts of its lines: they are in no other.
LIVE_PAYOUTS = (PayoutStatus.SCHEDULED, PayoutStatus.SENT, PayoutStatus.RECEIVED)


class PayoutAccountQuerySet(models.QuerySet["PayoutAccount"]):
    def current(self) -> "PayoutAccountQuerySet":
        return self.filter(replaced_at=None)


class PayoutAccount(models.Model):
    """Where a provider is paid to. It is replaced, never changed: payouts tell where they went."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payout_accounts", db_column="customer_id"
    )
    method = models.CharField(max_length=10, choices=PayoutMethod.choices)
    stripe_account = models.CharField(max_length=80, null=True, blank=True, unique=True)
    details_submitted = models.BooleanField(default=False)
    payouts_enabled = models.BooleanField(default=False)
    requirements = models.CharField(max_length=500, blank=True, help_text="What the processor still wants.")
    currencies = ArrayField(
        models.CharField(max_length=3),
        default=list,
        blank=True,
        help_text="Those of the bank accounts that the processor knows.",
    )
    holder = models.CharField(max_length=70, blank=True, help_text="The account's holder, as the bank knows them.")
    iban = models.CharField(max_length=34, blank=True)
    bic = models.CharField(max_length=11, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    replaced_at = models.DateTimeField(null=True, blank=True)

    objects = PayoutAccountQuerySet.as_manager()

    class Meta:
        db_table = "payout_accounts"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "method"], condition=Q(replaced_at=None), name="payout_accounts_one_a_method"
            ),
            models.CheckConstraint(condition=Q(method__in=PayoutMethod.values), name="payout_accounts_method_known"),
            models.CheckConstraint(
                condition=~Q(method="sepa") | (~Q(iban="") & ~Q(holder="")), name="payout_accounts_sepa_has_iban"
            ),
            models.CheckConstraint(
                condition=~Q(method="connect") | Q(stripe_account__isnull=False), name="payout_accounts_connect_has_id"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """In words, without giving the whole number away: ``DE89 … 3000``."""
        if self.method == PayoutMethod.SEPA:
            return f"{self.iban[:4]} … {self.iban[-4:]}"
        return gettext("Stripe account %(number)s") % {"number": self.stripe_account}

    @property
    def is_ready(self) -> bool:
        return self.replaced_at is None and (self.method == PayoutMethod.SEPA or self.payouts_enabled)

    @property
    def is_sepa(self) -> bool:
        return self.method == PayoutMethod.SEPA


class SepaFile(models.Model):
    """A pain.001 file for our bank, kept as it was handed out."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message_id = models.CharField(max_length=35, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    execute_on = models.DateField()
    count = models.PositiveIntegerField()
    total = models.DecimalField(max_digits=14, decimal_places=2)
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)

    class Meta:
        db_table = "sepa_files"
        verbose_name = "SEPA file"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.message_id


class PayoutQuerySet(models.QuerySet["Payout"]):
    def live(self) -> "PayoutQuerySet":
        return self.filter(status__in=LIVE_PAYOUTS)

    def due(self, *, now: datetime) -> "PayoutQuerySet":
        """Scheduled at the processor's, and not being tried by anyone at this moment."""
        return self.filter(
            status=PayoutStatus.SCHEDULED, method=PayoutMethod.CONNECT, next_attempt_at__lte=now
        ).order_by("scheduled_at")

    def to_ask_after(self, *, now: datetime) -> "PayoutQuerySet":
        """Sent through the processor, and not known to have arrived: its webhook may never come."""
        return self.filter(status=PayoutStatus.SENT, method=PayoutMethod.CONNECT, next_attempt_at__lte=now).order_by(
            "sent_at"
        )

    def for_the_bank(self) -> "PayoutQuerySet":
        """Scheduled, and waiting for the next SEPA file."""
        return self.filter(status=PayoutStatus.SCHEDULED, method=PayoutMethod.SEPA).order_by("scheduled_at", "pk")


class Payout(models.Model):
    """Money for one provider in one currency. Sent is not received (rules: Money)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="payouts", db_column="provider_id"
    )
    account = models.ForeignKey(PayoutAccount, on_delete=models.PROTECT, related_name="payouts")
    method = models.CharField(max_length=10, choices=PayoutMethod.choices)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    amount = models.DecimalField(max_digits=12, decimal_places=2, help_text="Net earnings and the tax on them.")
    tax = models.DecimalField(max_digits=12, decimal_places=2, default=0, help_text="The provider's tax in it.")
    status = models.CharField(max_length=10, choices=PayoutStatus.choices, default=PayoutStatus.SCHEDULED)
    scheduled_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=300, blank=True)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    stripe_transfer = models.CharField(max_length=80, null=True, blank=True, unique=True)
    stripe_payout = models.CharField(max_length=80, null=True, blank=True, unique=True)
    stripe_reversal = models.CharField(max_length=80, null=True, blank=True, unique=True)
    sepa_file = models.ForeignKey(SepaFile, on_delete=models.PROTECT, null=True, blank=True, related_name="payouts")
    retry_of = models.OneToOneField("self", on_delete=models.PROTECT, null=True, blank=True, related_name="retry")

    objects = PayoutQuerySet.as_manager()

    class Meta:
        db_table = "payouts"
        ordering = ["-scheduled_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payouts_amount_positive"),
            models.CheckConstraint(condition=Q(status__in=PayoutStatus.values), name="payouts_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=["sent", "received"]) | Q(sent_at__isnull=False), name="payouts_sent_at_set"
            ),
            models.CheckConstraint(
                condition=~Q(status="received") | Q(received_at__isnull=False), name="payouts_received_at_set"
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-scheduled_at"], name="payouts_of_provider"),
            models.Index(fields=["next_attempt_at"], condition=Q(status="scheduled"), name="payouts_to_send"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.get_status_display().lower()}"

    @property
    def tone(self) -> str:
        return PayoutStatus(self.status).tone

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_PAYOUTS

    @property
    def net(self) -> Decimal:
        """The earnings in it: its lines together."""
        return self.amount - self.tax

    @property
    def reference(self) -> str:
        """What stands on the bank's statement, and what people read out."""
        return f"PO-{short(self.id).upper()}"


class PayoutLine(models.Model):
    """What a payout holds of one booking, without tax; negative where something is taken off."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="lines")
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="payout_lines")
    amount = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        db_table = "payout_lines"
        constraints = [models.UniqueConstraint(fields=["payout", "booking"], name="payout_lines_once")]

    def __str__(self) -> str:
        return f"{self.amount} for {self.booking_id}"


class PayoutHoldQuerySet(models.QuerySet["PayoutHold"]):
    def standing(self) -> "PayoutHoldQuerySet":
        return self.filter(released_at=None)


class PayoutHold(models.Model):
    """A part of a booking's earnings that is not paid out for now: the disputed part, or what a person holds."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="payout_holds")
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True, help_text="Empty: all of it.")
    reason = models.CharField(max_length=300)
    placed_at = models.DateTimeField(default=timezone.now)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    released_because = models.CharField(max_length=300, blank=True)

    objects = PayoutHoldQuerySet.as_manager()

    class Meta:
        db_table = "payout_holds"
        ordering = ["-placed_at"]
        constraints = [
            models.CheckConstraint(condition=Q(amount=None) | Q(amount__gt=0), name="payout_holds_amount_positive")
        ]

    def __str__(self) -> str:
        return f"{self.amount if self.amount is not None else 'all'} of {self.booking_id} held"
