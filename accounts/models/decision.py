"""What one administrator asked for and another has to confirm (rules: Administrators)."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User
from common.ids import uuid7


class DecisionState(models.TextChoices):
    WAITING = "waiting", _("Waits for a second administrator")
    DONE = "done", _("Confirmed and done")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Nobody confirmed it in time")


class DecisionQuerySet(models.QuerySet["Decision"]):
    def waiting(self, *, now: datetime) -> "DecisionQuerySet":
        """Those that somebody can still confirm."""
        return self.filter(state=DecisionState.WAITING, expires_at__gt=now)

    def lapsed(self, *, now: datetime) -> "DecisionQuerySet":
        """Those whose time is over, and nobody has said so yet."""
        return self.filter(state=DecisionState.WAITING, expires_at__lte=now)


class Decision(models.Model):
    """A dangerous action that two administrators do together: one asks for it, another one confirms it.

    ``action`` is an entry of :mod:`accounts.dangerous`; ``arguments`` are frozen when it is asked for, ``about`` names what it
    is done to, and ``shown`` is what both of them read: pairs of words.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.CharField(max_length=40)
    about = models.CharField(max_length=80)
    arguments = models.JSONField(default=dict)
    shown = models.JSONField(default=list)
    reason = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=DecisionState.choices, default=DecisionState.WAITING)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=1000, blank=True, help_text="What the second administrator said.")

    objects = DecisionQuerySet.as_manager()

    class Meta:
        db_table = "decisions"
        verbose_name = _("decision of two")
        verbose_name_plural = _("decisions of two")
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["action", "about"], condition=Q(state="waiting"), name="decisions_one_waiting"
            ),
            models.CheckConstraint(condition=Q(state__in=DecisionState.values), name="decisions_state_known"),
            models.CheckConstraint(
                condition=~Q(state="done") | (Q(decided_by__isnull=False) & ~Q(decided_by=models.F("asked_by"))),
                name="decisions_done_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.words}, asked for by {self.asked_by}"

    @property
    def words(self) -> str:
        """What is to be done, in words."""
        return words_of(self.action)

    @property
    def details(self) -> list[tuple[str, str]]:
        """What exactly: pairs of words."""
        return [(str(label), str(value)) for label, value in self.shown]

    def is_waiting(self, *, now: datetime) -> bool:
        return self.state == DecisionState.WAITING and self.expires_at > now


def words_of(action: str) -> str:
    """What an action of :mod:`accounts.dangerous` does, in words."""
    from accounts.dangerous import label_of

    return label_of(action)
