"""An administrator who sees the site as somebody else does, to help them (rules: Administrators)."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User
from common.ids import uuid7


class ActingEnd(models.TextChoices):
    STOPPED = "stopped", _("Stopped")
    TIME = "time", _("Its time was over")
    SIGNED_OUT = "signed_out", _("Signed out")
    REFUSED = "refused", _("No longer allowed")


class Acting(models.Model):
    """A time in which an administrator looked at the site as somebody else. Its person is told, and may read why."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    administrator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="looked_at")
    reason = models.CharField(max_length=1000, help_text="The person reads it.")
    began_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=10, choices=ActingEnd.choices, blank=True)

    class Meta:
        db_table = "actings"
        verbose_name = _("acting as a person")
        verbose_name_plural = _("acting as people")
        ordering = ["-began_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(administrator=F("user")), name="actings_as_another"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("began_at")), name="actings_end_after_beginning"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_by="") | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="actings_ended_somehow",
            ),
        ]
        indexes = [models.Index(fields=["user", "-began_at"], name="actings_of_user")]

    def __str__(self) -> str:
        return f"{self.administrator} as {self.user}, {self.began_at:%Y-%m-%d %H:%M} UTC"

    @property
    def over_at(self) -> datetime:
        """When it ended, or will."""
        return self.ended_at or self.ends_at

    def goes_on(self, *, now: datetime) -> bool:
        return self.ended_at is None and self.ends_at > now
