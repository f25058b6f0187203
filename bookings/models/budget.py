"""What an organization lets its projects and members spend, and bookings that wait for an administrator (rules: Who)."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, Project
from bookings.models.booking import Booking
from common.ids import uuid7
from common.money import Currency


class BudgetPeriod(models.TextChoices):
    """How long an amount is for; months, quarters and years are those of the calendar in UTC."""

    MONTH = "month", _("a month")
    QUARTER = "quarter", _("a quarter")
    YEAR = "year", _("a year")
    ONCE = "once", _("once, until it is used up")


class BudgetQuerySet(models.QuerySet["Budget"]):
    def current(self) -> "BudgetQuerySet":
        return self.filter(ended_at=None)

    def of(self, organization: Any) -> "BudgetQuerySet":
        return self.filter(organization=organization)

    def that_concern(self, *, organization: Any, project: Any, member: Any) -> "BudgetQuerySet":
        """Those that a booking of this member for this project counts against: at most one of each kind a currency."""
        whose = Q(project=None, member=None) | Q(member=member)
        if project is not None:
            whose |= Q(project=project)
        return self.current().filter(whose, organization=organization)


class Budget(models.Model):
    """So much may be spent in each period by an organization, for one of its projects, or by one of its members.

    A booking counts with all that it costs, in the period in which it was asked for, from then on, and an extension in
    the period in which that one was; what comes back is free again. Amounts include tax. Nothing is converted: a
    booking in a currency in which there is none of a kind that exists otherwise is refused.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="budgets")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets")
    member = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="budgets"
    )
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    period = models.CharField(max_length=10, choices=BudgetPeriod.choices, default=BudgetPeriod.MONTH)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        db_table = "budgets"
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "member", "currency"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="budgets_one_of_each_a_currency",
            ),
            models.CheckConstraint(condition=Q(project=None) | Q(member=None), name="budgets_of_one_thing"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="budgets_not_negative"),
            models.CheckConstraint(condition=Q(period__in=BudgetPeriod.values), name="budgets_period_known"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}, {self.get_period_display()}"

    def since(self, *, now: datetime) -> datetime | None:
        """When the period began that ``now`` is in. ``None``: everything counts."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.period == BudgetPeriod.MONTH:
            return midnight.replace(day=1)
        if self.period == BudgetPeriod.QUARTER:
            return midnight.replace(month=(midnight.month - 1) // 3 * 3 + 1, day=1)
        if self.period == BudgetPeriod.YEAR:
            return midnight.replace(month=1, day=1)
        return None


class BudgetWarning(models.Model):
    """That people were told that so much of a budget is used: once a step and period."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="warnings")
    since = models.DateTimeField(help_text="When the period began; of a budget for once, when it was made.")
    step = models.PositiveSmallIntegerField(help_text="Percent.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "budget_warnings"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "since", "step"], name="budget_warnings_once_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.step} % of {self.budget}"


class ApprovalStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting for approval")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Not decided in time")
    WITHDRAWN = "withdrawn", _("Withdrawn")

    @property
    def tone(self) -> str:
        return {"waiting": "now", "approved": "good", "declined": "bad", "expired": "warn"}.get(self.value, "")


class ApprovalQuerySet(models.QuerySet["Approval"]):
    def waiting(self) -> "ApprovalQuerySet":
        return self.filter(status=ApprovalStatus.WAITING)


class Approval(models.Model):
    """A member's booking above the organization's limit, and what an administrator said to it.

    While it waits the machine is held for it, as long as its listing allows; then the ordinary hold begins.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.OneToOneField(Booking, on_delete=models.CASCADE, related_name="approval")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="approvals")
    reason = models.CharField(max_length=1000, help_text="Why the booking is needed, in the member's words.")
    status = models.CharField(max_length=10, choices=ApprovalStatus.choices, default=ApprovalStatus.WAITING)
    asked_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    answer = models.CharField(max_length=1000, blank=True, help_text="What the administrator said to it.")

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        db_table = "approvals"
        ordering = ["-asked_at"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=ApprovalStatus.values), name="approvals_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "declined"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="approvals_decided_by_someone",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(status="waiting"), name="approvals_to_lapse")]

    def __str__(self) -> str:
        return f"{self.booking.reference}: {self.get_status_display()}"

    @property
    def is_waiting(self) -> bool:
        return self.status == ApprovalStatus.WAITING

    @property
    def tone(self) -> str:
        return ApprovalStatus(self.status).tone
