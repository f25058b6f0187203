"""Mail that waits to be sent."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.ids import uuid7

#: How the keys of mails begin that may hold a link which lets somebody in.
PRIVATE = "private:"


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self, *, now: datetime) -> "OutgoingMailQuerySet":
        """Not sent yet and, after a failure, not to be tried later than now."""
        return self.filter(sent_at__isnull=True, next_attempt_at__lte=now).order_by("created_at")


class OutgoingMail(models.Model):
    """A mail written in the same transaction as what it tells of, and sent by a sweep afterwards.

    ``key`` names the event (``booking-confirmed:<id>``): the same event never writes two mails.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mails", null=True, blank=True
    )
    address = models.EmailField(blank=True, help_text="Where to, if not to the user's own address.")
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=250)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    objects = OutgoingMailQuerySet.as_manager()

    class Meta:
        db_table = "outgoing_mails"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="outgoing_mails_once_an_event"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(sent_at=None), name="outgoing_mails_due"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def is_private(self) -> bool:
        return self.key.startswith(PRIVATE)

    @property
    def recipient(self) -> str:
        return self.address or (self.user.email if self.user else "")
