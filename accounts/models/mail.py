"""Mail that waits to be sent."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from common.ids import uuid7

#: How the keys of mails begin that may hold a link which lets somebody in.
PRIVATE = "private:"
#: And those of mails to people whose account is deleted: nothing of one is kept once it is out.
FAREWELL = f"{PRIVATE}farewell:"


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self, *, now: datetime) -> "OutgoingMailQuerySet":
        """Not sent yet and, after a failure or in quiet hours, not to be tried later than now."""
        waiting = self.filter(sent_at__isnull=True, next_attempt_at__lte=now, is_for_digest=False)
        return waiting.order_by("created_at")

    def to_gather(self) -> "OutgoingMailQuerySet":
        """Those that wait for the next digest."""
        return self.filter(sent_at__isnull=True, is_for_digest=True)


class OutgoingMail(models.Model):
    """A mail written in the same transaction as what it tells of, and sent by a sweep afterwards.

    ``key`` names the event (``booking-confirmed:<id>``): the same event never writes two mails. One that ``is_for_digest``
    is not sent by itself: it becomes a part of the next digest, which counts as sent then (:mod:`accounts.services.digests`).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mails", null=True, blank=True
    )
    address = models.EmailField(blank=True, help_text="Where to, if not to the user's own address.")
    key = models.CharField(max_length=200)
    event = models.CharField(max_length=40, blank=True, help_text="What kind of event, if it can be switched off.")
    subject = models.CharField(max_length=250)
    text = models.TextField()
    html = models.TextField(blank=True)
    parts = models.JSONField(
        null=True, blank=True, help_text="What the digest is made of: paragraphs, and a button's words and address."
    )
    is_for_digest = models.BooleanField(default=False)
    digest = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="gathered", help_text="Where it went."
    )
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
            models.Index(
                fields=["next_attempt_at"], condition=Q(sent_at=None, is_for_digest=True), name="outgoing_mails_gather"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def is_private(self) -> bool:
        return self.key.startswith(PRIVATE)

    @property
    def recipient(self) -> str:
        return self.address or (self.user.email if self.user else "")
