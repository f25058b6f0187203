"""What the payment processor knows us by, and what it tells us."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.ids import uuid7


class StripeCustomer(models.Model):
    """A person's Customer object at the processor."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="stripe_customer"
    )
    stripe_id = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "stripe_customers"

    def __str__(self) -> str:
        return self.stripe_id


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def due(self, *, now: datetime) -> "WebhookEventQuerySet":
        return self.filter(processed_at=None, next_attempt_at__lte=now).order_by("received_at")


class WebhookEvent(models.Model):
    """A verified hint from the processor, stored raw, once by its event id, processed later in any order."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.CharField(max_length=80, unique=True)
    type = models.CharField(max_length=80)
    account = models.CharField(max_length=80, blank=True, help_text="The connected account that it is about.")
    object_id = models.CharField(max_length=80, blank=True, db_index=True)
    payload = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    processed_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        db_table = "webhook_events"
        ordering = ["-received_at"]
        indexes = [models.Index(fields=["next_attempt_at"], condition=Q(processed_at=None), name="webhook_events_due")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
