"""Where else events are told: addresses of a person's or an organization's own, and what was sent there."""

from datetime import datetime
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.models.organization import Organization
from accounts.models.user import User
from common.ids import uuid7


class WebhookKind(models.TextChoices):
    WEBHOOK = "webhook", gettext_lazy("Webhook: signed JSON to an address of yours")
    DISCORD = "discord", gettext_lazy("Discord: a message in a channel")


class WebhookEndpoint(models.Model):
    """An address that hears of some events. ``sealed_secret`` is what its messages are signed with (:mod:`common.sealing`)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="webhooks")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="webhooks"
    )
    kind = models.CharField(max_length=10, choices=WebhookKind.choices, default=WebhookKind.WEBHOOK)
    name = models.CharField(max_length=60, validators=[MinLengthValidator(1)])
    url = models.CharField(max_length=500)
    events = ArrayField(models.CharField(max_length=40))
    sealed_secret = models.TextField(blank=True)
    former_secret = models.TextField(blank=True, help_text="The one before, sealed: signed with as well for a day.")
    former_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    failures = models.PositiveIntegerField(default=0, help_text="In a row.")
    failing_since = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "webhook_endpoints"
        verbose_name = "webhook"
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, organization=None) | Q(user=None, organization__isnull=False),
                name="webhook_endpoints_one_owner",
            ),
            models.CheckConstraint(condition=Q(kind__in=WebhookKind.values), name="webhook_endpoints_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_discord(self) -> bool:
        return self.kind == WebhookKind.DISCORD

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def shown_url(self) -> str:
        """The address as pages show it: whoever knows all of a Discord webhook's can write into the channel."""
        return f"https://{self.host}/…{self.url[-4:]}" if self.is_discord else self.url

    @property
    def state(self) -> tuple[str, str]:
        """Tone and words of its mark."""
        if self.disabled_at:
            return "bad", _("switched off")
        return ("warn", _("failing")) if self.failures else ("good", pgettext("a webhook", "on"))


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def pending(self) -> "WebhookDeliveryQuerySet":
        return self.filter(status=WebhookDelivery.Status.PENDING)

    def due(self, *, now: datetime) -> "WebhookDeliveryQuerySet":
        """To be sent now, the oldest first; nothing to addresses that are switched off."""
        waiting = self.pending().filter(next_attempt_at__lte=now, endpoint__disabled_at=None)
        return waiting.order_by("next_attempt_at", "pk")


class WebhookDelivery(models.Model):
    """One event for one address, written in the event's transaction. ``body`` is sent to the letter: it is what is signed."""

    class Status(models.TextChoices):
        PENDING = "pending", gettext_lazy("Waiting")
        DELIVERED = "delivered", gettext_lazy("Delivered")
        FAILED = "failed", gettext_lazy("Given up")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, help_text="The id of the event there.")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=200, help_text="Names the event; the same event goes to an address once.")
    event = models.CharField(max_length=40)
    title = models.CharField(max_length=250)
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True, blank=True)
    response_code = models.PositiveSmallIntegerField(null=True, blank=True)
    response_excerpt = models.CharField(max_length=500, blank=True)
    error = models.CharField(max_length=300, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "key", "event"], name="webhook_deliveries_once_an_event"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="pending"), name="webhook_deliveries_due"),
            models.Index(fields=["endpoint", "-created_at"], name="webhook_deliveries_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.title} → {self.endpoint}"

    @property
    def mark(self) -> tuple[str, str]:
        """Tone and words."""
        tone = {self.Status.DELIVERED: "good", self.Status.FAILED: "bad"}.get(self.Status(self.status), "soft")
        return ("warn" if tone == "soft" and self.attempts else tone), str(self.get_status_display())
