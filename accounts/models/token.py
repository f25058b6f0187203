"""Secrets by which programs act for a person: API tokens, and the addresses of calendar feeds."""

from datetime import datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.organization import Organization
from accounts.models.user import User
from common.ids import uuid7


class Scope(models.TextChoices):
    """What a token is good for (rules: Who). To write includes to read."""

    LISTINGS_READ = "listings:read", _("Listings: read")
    LISTINGS_WRITE = "listings:write", _("Listings: read and change")
    BOOKINGS_READ = "bookings:read", _("Bookings: read")
    BOOKINGS_WRITE = "bookings:write", _("Bookings: read and change")
    BILLING_READ = "billing:read", _("Billing: read")
    BILLING_WRITE = "billing:write", _("Billing: read and change")
    MACHINES_READ = "machines:read", _("Machines: read")
    MACHINES_WRITE = "machines:write", _("Machines: read and change")
    ORGANIZATION_READ = "organization:read", _("Organization: read")
    ORGANIZATION_WRITE = "organization:write", _("Organization: read and change")
    FEEDS = "feeds", _("Calendar feeds")

    @property
    def also_by(self) -> "frozenset[Scope]":
        """The scopes that allow it: itself, and of one to read the one to write."""
        subject, _sign, power = self.value.partition(":")
        return frozenset({self, Scope(f"{subject}:write")}) if power == "read" else frozenset({self})


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def feeds(self) -> "ApiTokenQuerySet":
        """Addresses of calendar feeds."""
        return self.filter(scopes=[Scope.FEEDS])

    def for_programs(self) -> "ApiTokenQuerySet":
        """What is sent in a header: all but the addresses of feeds."""
        return self.exclude(scopes=[Scope.FEEDS])

    def current(self, *, now: datetime) -> "ApiTokenQuerySet":
        """Neither revoked nor expired."""
        return self.filter(revoked_at=None, expires_at__gt=now)


class ApiToken(models.Model):
    """Lets a program act for a person, or for an organization with what its member may do at that moment.

    The secret is shown once; what is kept is its SHA-256, which is enough for 256 random bits, and its beginning, by
    which people tell tokens apart. :mod:`accounts.tokens` knows how it looks and who is let in by it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_tokens",
        help_text="Whom it acts for; empty: for the person alone.",
    )
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=20, help_text="How the secret begins.")
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret.")
    scopes = ArrayField(models.CharField(max_length=30, choices=Scope.choices))
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"
        verbose_name_plural = "API tokens"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values, scopes__len__gt=0), name="api_tokens_scopes_known"
            ),
            models.CheckConstraint(
                condition=~Q(scopes__contains=[Scope.FEEDS]) | Q(scopes=[Scope.FEEDS]),
                name="api_tokens_feeds_apart",
            ),
            models.UniqueConstraint(
                fields=["user", "organization"],
                condition=Q(scopes=[Scope.FEEDS], revoked_at=None),
                nulls_distinct=False,
                name="api_tokens_one_feed_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="api_tokens_of_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_feed(self) -> bool:
        return self.scopes == [Scope.FEEDS]

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def is_current(self, *, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now

    def allows(self, scope: Scope) -> bool:
        return not scope.also_by.isdisjoint(self.scopes)

    def scope_labels(self) -> list[Any]:
        return [Scope(scope).label for scope in self.scopes]


class ApiTokenUseQuerySet(models.QuerySet["ApiTokenUse"]):
    def of_organization(self, organization: Organization) -> "ApiTokenUseQuerySet":
        """With tokens that act for it, the newest first, with the token and who made it."""
        found = self.filter(token__organization=organization).select_related("token__user")
        return found.order_by("-at", "-pk")


class ApiTokenUse(models.Model):
    """One request with a token, whatever was answered. The database refuses to change a row; a sweep forgets old ones."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="uses")
    at = models.DateTimeField()
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300, help_text="Without what follows a question mark, and without secrets.")
    status = models.PositiveSmallIntegerField()
    address = models.GenericIPAddressField(null=True, blank=True)

    objects = ApiTokenUseQuerySet.as_manager()

    class Meta:
        db_table = "api_token_uses"
        verbose_name = "use of an API token"
        verbose_name_plural = "uses of API tokens"
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["token", "-at"], name="api_token_uses_of_token"),
            BrinIndex(fields=["at"], name="api_token_uses_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.status}"
