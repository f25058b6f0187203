"""What people are told in the page."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.event_kinds import kinds_of
from accounts.models.user import User
from common.ids import uuid7


class NotificationQuerySet(models.QuerySet["Notification"]):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None)

    def of_group(self, group: str) -> "NotificationQuerySet":
        """Those about events of that group of the catalogue."""
        return self.filter(event__in=kinds_of(group))


class Notification(models.Model):
    """Something a person should know, shown in the page. Mail is written beside it, not instead."""

    class Tone(models.TextChoices):
        INFO = "info", _("Information")
        GOOD = "good", _("Good news")
        WARN = "warn", _("Attention")
        BAD = "bad", _("Trouble")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications", db_column="customer_id")
    key = models.CharField(max_length=200, help_text="Names the event; the same event is told once.")
    event = models.CharField(max_length=40, blank=True, help_text="What kind of event it is.")
    at = models.DateTimeField(default=timezone.now)
    tone = models.CharField(max_length=10, choices=Tone.choices, default=Tone.INFO)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=300, blank=True, help_text="A path of this site.")
    read_at = models.DateTimeField(null=True, blank=True)
    kept_at = models.DateTimeField(null=True, blank=True, help_text="Kept by the person: not tidied away.")

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notifications"
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notifications_once")]
        indexes = [
            models.Index(fields=["user", "-at"], name="notifications_of_user"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notifications_unread"),
            models.Index(fields=["at"], condition=models.Q(kept_at=None), name="notifications_to_tidy"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def mark_tone(self) -> str:
        """As marks call it."""
        return "soft" if self.tone == self.Tone.INFO else self.tone
