"""What people are told in the page."""

from django.db import models
from django.utils import timezone

from accounts.models.user import User
from common.ids import uuid7


class NotificationQuerySet(models.QuerySet["Notification"]):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None)


class Notification(models.Model):
    """Something a person should know, shown in the page. Mail is written beside it, not instead."""

    class Tone(models.TextChoices):
        INFO = "info", "Information"
        GOOD = "good", "Good news"
        WARN = "warn", "Attention"
        BAD = "bad", "Trouble"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications", db_column="customer_id")
    key = models.CharField(max_length=200, help_text="Names the event; the same event is told once.")
    at = models.DateTimeField(default=timezone.now)
    tone = models.CharField(max_length=10, choices=Tone.choices, default=Tone.INFO)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=300, blank=True, help_text="A path of this site.")
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notifications"
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notifications_once")]
        indexes = [
            models.Index(fields=["user", "-at"], name="notifications_of_user"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notifications_unread"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def mark_tone(self) -> str:
        """As marks call it."""
        return "soft" if self.tone == self.Tone.INFO else self.tone
