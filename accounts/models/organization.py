"""Organizations: what several people book, pay and answer for together (rules: Who)."""

from datetime import datetime
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from accounts.models.billing import check_line
from accounts.models.user import CaseInsensitiveEmailField, User
from common.ids import uuid7


class OrganizationKind(models.TextChoices):
    COMPANY = "company", _("Company")
    UNIVERSITY = "university", _("University or research institute")
    PUBLIC = "public", _("Public body")
    OTHER = "other", _("Something else")


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def of_member(self, user: Any) -> "OrganizationQuerySet":
        """Those that a person belongs to now."""
        return self.filter(memberships__user=user, memberships__left_at=None)


class Organization(models.Model):
    """A department, a start-up, a university: apart from the people in it (rules: Who).

    ``owner`` is the administrator whose account its machines belong to and whom its invoices reach.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, validators=[check_line])
    kind = models.CharField(max_length=20, choices=OrganizationKind.choices, default=OrganizationKind.COMPANY)
    country = CountryField()
    owner = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="owned_organizations",
        help_text="The administrator whose account its machines belong to and who receives its invoices.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    # What its policy asks of every booking.
    needs_project = models.BooleanField(_("a project"), default=False)
    needs_purchase_order = models.BooleanField(_("a purchase-order number"), default=False)
    needs_cost_centre = models.BooleanField(_("a cost centre"), default=False)
    needs_grant = models.BooleanField(_("a project whose grant has an end"), default=False)
    needs_member_budget = models.BooleanField(_("a budget of the member's own"), default=False)
    approval_above = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Bookings of members that cost more wait for an administrator. Empty: none do. The number counts in each currency.",
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        db_table = "organizations"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=OrganizationKind.values), name="organizations_kind_known"),
            models.CheckConstraint(
                condition=Q(approval_above=None) | Q(approval_above__gte=0), name="organizations_approval_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OrganizationRole(models.TextChoices):
    """What a member may do in an organization; :mod:`accounts.permissions` has the table."""

    ADMINISTRATOR = "administrator", _("Administrator")
    BILLING = "billing", _("Billing")
    MEMBER = "member", _("Member")
    VIEWER = "viewer", _("Viewer")


class MembershipQuerySet(models.QuerySet["Membership"]):
    def current(self) -> "MembershipQuerySet":
        return self.filter(left_at=None)

    def administrators(self) -> "MembershipQuerySet":
        return self.current().filter(role=OrganizationRole.ADMINISTRATOR)


class Membership(models.Model):
    """A person's part in an organization. Those that ended stay, because bookings and spend name them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=OrganizationRole.choices)
    joined_at = models.DateTimeField(default=timezone.now)
    left_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: they left by themselves.",
    )
    booking_changed_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When another role last let them book for it, or did not any more. Empty: it is as when they joined.",
    )

    objects = MembershipQuerySet.as_manager()

    class Meta:
        db_table = "memberships"
        ordering = ["joined_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], condition=Q(left_at=None), name="memberships_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(role__in=OrganizationRole.values), name="memberships_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user.known_as}, {self.get_role_display().lower()} of {self.organization}"

    @property
    def is_current(self) -> bool:
        return self.left_at is None

    @property
    def is_administrator(self) -> bool:
        return self.is_current and self.role == OrganizationRole.ADMINISTRATOR


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, *, now: datetime) -> "InvitationQuerySet":
        """Those that somebody can still accept."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=now)

    def waiting(self) -> "InvitationQuerySet":
        """Neither accepted nor revoked: what can be sent again, also after it has expired."""
        return self.filter(accepted_at=None, revoked_at=None)


class Invitation(models.Model):
    """A letter to one address, good for one use within 72 hours (rules: Who). Only the hash of its link is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = CaseInsensitiveEmailField("e-mail")
    role = models.CharField(max_length=20, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        db_table = "invitations"
        ordering = ["-invited_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitations_one_waiting_an_address",
            ),
            models.CheckConstraint(condition=Q(role__in=OrganizationRole.values), name="invitations_role_known"),
            models.CheckConstraint(
                condition=Q(accepted_at=None, accepted_by=None)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False),
                name="invitations_accepted_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization}"

    def is_open(self, *, now: datetime) -> bool:
        return self.accepted_at is None and self.revoked_at is None and self.expires_at > now


class Project(models.Model):
    """What bookings of an organization are for. A grant pays for it until its last day, where one does."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=120, validators=[check_line])
    grant = models.CharField(max_length=120, blank=True, validators=[check_line], help_text="Its number, if any.")
    grant_ends_on = models.DateField(
        null=True, blank=True, help_text="The last day, in UTC: no booking for this project ends after it."
    )
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "projects"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint("organization", models.functions.Lower("name"), name="projects_one_of_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None


class CostCentre(models.Model):
    """Where an organization books its costs. Where it has any, bookings name one of them."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="cost_centres")
    code = models.CharField(max_length=60, validators=[check_line])
    name = models.CharField(max_length=120, blank=True, validators=[check_line])
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "cost_centres"
        verbose_name = "cost centre"
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint("organization", models.functions.Lower("code"), name="cost_centres_one_of_a_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}".strip()
