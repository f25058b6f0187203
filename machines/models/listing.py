"""Listings: a machine on offer, with rates, limits and terms."""

import re
from datetime import timedelta
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Floor
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from common.ids import uuid7
from common.money import Currency
from machines.models.machine import Machine
from machines.pricing import Rates

RATES = ("price_hour", "price_day", "price_week")
#: The most that a rate may be. Even at the hourly one the longest booking fits into every column of money.
MOST_RATES = {"price_hour": Decimal(100_000), "price_day": Decimal(1_000_000), "price_week": Decimal(5_000_000)}
#: Why the listings of somebody whose verification has ended take no new bookings.
UNVERIFIED = "Its provider's verification has ended."
#: Why the listings of a machine do that is not reliable enough: the least share, and of how many days.
UNRELIABLE = "Reliability below %(share)s over the last %(days)s days."
UNRELIABLE_SHAPE = re.compile(r"Reliability below (?P<share>.+) over the last (?P<days>\d+) days\.")
#: A yen is worth less than the others.
YEN = 10


def most_rate(rate: str, currency: str) -> Decimal:
    """The most that ``rate`` (one of :data:`RATES`) may be in this currency."""
    return MOST_RATES[rate] * (YEN if currency == Currency.JPY else 1)


def _limits(rate: str) -> list[MinValueValidator | MaxValueValidator]:
    """What holds in every currency. Forms and the database also look at the currency."""
    return [MinValueValidator(Decimal("0.01")), MaxValueValidator(most_rate(rate, Currency.JPY))]


def _is_bounded(rate: str) -> Q:
    yen = Q(currency=Currency.JPY, **{f"{rate}__lte": most_rate(rate, Currency.JPY)})
    return Q(**{f"{rate}__isnull": True}) | Q(**{f"{rate}__lte": most_rate(rate, Currency.EUR)}) | yen


def _is_whole(rate: str) -> Q:
    return Q(**{f"{rate}__isnull": True}) | Q(**{rate: Floor(rate)})


class ListingStatus(models.TextChoices):
    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    ARCHIVED = "archived", _("Archived")

    @property
    def tone(self) -> str:
        return {"active": "good", "paused": "warn", "archived": "soft"}[self.value]


class CancellationTerms(models.TextChoices):
    """What a buyer gets back. The shares and times are ``settings.MARKETPLACE_CANCELLATION``."""

    FLEXIBLE = "flexible", _("Flexible")
    MODERATE = "moderate", _("Moderate")
    STRICT = "strict", _("Strict")


class ListingQuerySet(models.QuerySet["Listing"]):
    def of(self, user: User) -> "ListingQuerySet":
        """The listings of this person's machines."""
        return self.filter(machine__provider=user)

    def on_offer(self) -> "ListingQuerySet":
        """Active, be it that the marketplace lets nobody new book them."""
        return self.filter(status=ListingStatus.ACTIVE)

    def active(self) -> "ListingQuerySet":
        """On offer and not suspended: the only ones that can be booked."""
        return self.on_offer().filter(suspended_at=None)

    def active_or_unverified(self) -> "ListingQuerySet":
        """As :meth:`active`, or waiting for its machine's first benchmark to be approved: those can be looked at, not
        booked."""
        return self.filter(
            Q(status=ListingStatus.ACTIVE, suspended_at=None)
            | Q(status=ListingStatus.PAUSED, machine__verified_benchmark=None)
        )

    def public(self) -> "ListingQuerySet":
        """What anyone may look at: on offer, or paused for now."""
        return self.exclude(status=ListingStatus.ARCHIVED)

    def with_machine(self) -> "ListingQuerySet":
        """With everything a listing's page names: the machine, its GPU, its verified benchmark, its provider."""
        return self.select_related("machine__gpu", "machine__verified_benchmark__decided_by", "machine__provider")


class Listing(models.Model):
    """A commercial offering of one machine (logical model 1.3). Prices are for the whole machine, all in."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="listing_id")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="listings", db_column="hardware_id")
    price_hour = models.DecimalField(_("an hour"), max_digits=12, decimal_places=2, validators=_limits("price_hour"))
    price_day = models.DecimalField(
        _("a day"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=_limits("price_day"),
        help_text=_("Empty: days are counted in hours."),
    )
    price_week = models.DecimalField(
        _("a week"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=_limits("price_week"),
        help_text=_("Empty: weeks are counted in days and hours."),
    )
    currency = models.CharField(max_length=3, choices=Currency.choices, default=Currency.EUR)
    min_hours = models.PositiveIntegerField(_("shortest booking, hours"), default=1, validators=[MinValueValidator(1)])
    max_hours = models.PositiveIntegerField(
        _("longest booking, hours"), default=24 * 28, validators=[MinValueValidator(1), MaxValueValidator(24 * 90)]
    )
    max_ahead_days = models.PositiveIntegerField(
        _("how far ahead, days"), default=90, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    approval_hours = models.PositiveSmallIntegerField(
        _("held for an approval, hours"),
        default=24,
        validators=[MaxValueValidator(72)],
        help_text=_(
            "So long a window is kept for an organization whose administrator has to agree first. 0: it is not."
        ),
    )
    cancellation_terms = models.CharField(
        max_length=10, choices=CancellationTerms.choices, default=CancellationTerms.MODERATE
    )
    description = models.TextField(max_length=4000, blank=True, help_text=_("What a buyer should know. Plain text."))
    status = models.CharField(max_length=10, choices=ListingStatus.choices, default=ListingStatus.PAUSED)
    suspended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when the marketplace lets nobody new book it."
    )
    suspended_because = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ListingQuerySet.as_manager()

    class Meta:
        db_table = "listings"
        ordering = ["-created_at"]
        constraints = [
            # Bookings refer to both columns at once, so that the database refuses a booking whose machine
            # is not its listing's.
            models.UniqueConstraint(fields=["id", "machine"], name="listings_id_and_machine"),
            models.CheckConstraint(condition=Q(status__in=ListingStatus.values), name="listings_status_known"),
            models.CheckConstraint(condition=Q(currency__in=Currency.values), name="listings_currency_known"),
            models.CheckConstraint(
                condition=Q(cancellation_terms__in=CancellationTerms.values), name="listings_terms_known"
            ),
            models.CheckConstraint(condition=Q(price_hour__gt=0), name="listings_price_hour_positive"),
            models.CheckConstraint(
                condition=Q(price_day__isnull=True) | Q(price_day__gt=0), name="listings_price_day_positive"
            ),
            models.CheckConstraint(
                condition=Q(price_week__isnull=True) | Q(price_week__gt=0), name="listings_price_week_positive"
            ),
            *[models.CheckConstraint(condition=_is_bounded(rate), name=f"listings_{rate}_bounded") for rate in RATES],
            models.CheckConstraint(
                condition=~Q(currency=Currency.JPY)
                | _is_whole("price_hour") & _is_whole("price_day") & _is_whole("price_week"),
                name="listings_yen_are_whole",
            ),
            models.CheckConstraint(
                condition=Q(min_hours__gte=1) & Q(max_hours__gte=F("min_hours")), name="listings_limits_in_order"
            ),
            models.CheckConstraint(condition=Q(approval_hours__lte=72), name="listings_approval_bounded"),
        ]
        indexes = [
            models.Index(fields=["machine", "status"], name="listings_of_machine"),
            models.Index(fields=["-created_at"], condition=Q(status="active"), name="listings_active_newest"),
            models.Index(fields=["currency", "price_hour"], condition=Q(status="active"), name="listings_active_price"),
        ]

    def __str__(self) -> str:
        return f"{self.machine}: {self.price_hour} {self.currency}/h"

    @property
    def rates(self) -> Rates:
        return Rates(hour=self.price_hour, day=self.price_day, week=self.price_week, currency=self.currency)

    @property
    def shortest(self) -> timedelta:
        return timedelta(hours=self.min_hours)

    @property
    def longest(self) -> timedelta:
        return timedelta(hours=self.max_hours)

    @property
    def is_active(self) -> bool:
        return self.status == ListingStatus.ACTIVE

    @property
    def is_suspended(self) -> bool:
        """On offer, and the marketplace lets nobody new book it."""
        return self.is_active and self.suspended_at is not None

    @property
    def awaits_verification(self) -> bool:
        """Suspended until its provider is verified again; otherwise it is reliability."""
        return self.suspended_because == UNVERIFIED

    @property
    def why_suspended(self) -> str:
        """``suspended_because``, which is kept in English, in the reader's language."""
        if self.awaits_verification:
            return gettext("Its provider's verification has ended.")
        if found := UNRELIABLE_SHAPE.fullmatch(self.suspended_because):
            return gettext("Reliability below %(share)s over the last %(days)s days.") % found.groupdict()
        return self.suspended_because

    @property
    def is_bookable(self) -> bool:
        return self.is_active and self.suspended_at is None

    @property
    def is_paused(self) -> bool:
        return self.status == ListingStatus.PAUSED

    @property
    def is_archived(self) -> bool:
        return self.status == ListingStatus.ARCHIVED

    @property
    def tone(self) -> str:
        return ListingStatus(self.status).tone
