"""Bookings: one buyer, one machine, one window."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Organization, Project, SSHKey
from accounts.permissions import OrganizationAction, organizations_where
from accounts.tax import TaxKind, Treatment
from bookings.lifecycle import HOLDS_MACHINE, RUNNING, BookingStatus
from bookings.models.keys import let_in
from common.ids import short, uuid7
from common.money import Currency
from common.ranges import TsTzRange
from machines.models import (
    AccessKind,
    Agent,
    CancellationTerms,
    HardwarePassport,
    Listing,
    Machine,
    Work,
    WorkKind,
    WorkState,
)
from machines.pricing import Rates

#: The kinds of machines that are handed over without a person.
AUTOMATIC = tuple(kind for kind in AccessKind if kind.is_automatic)

#: What an agent is asked for about who gets in; the newest piece says who should.
ACCESS_WORK = (WorkKind.PROVISION, WorkKind.REVOKE)


RATES = ("hour", "day", "week")

#: How many wipes a machine's turnaround is learned from, and how many of a hundred are to fit in it (rules: When).
WIPES_LEARNED_FROM = 50
WIPES_WITHIN = 95


@dataclass(frozen=True)
class UsualWipe:
    """``length``: 95 of 100 of the last wipes took no longer; ``count``: how many those were."""

    length: timedelta
    count: int


class BookingQuerySet(models.QuerySet["Booking"]):
    """The repository of bookings: every read that has a meaning has a name here."""

    def holding(self) -> "BookingQuerySet":
        """Those that keep their machine to themselves."""
        return self.filter(status__in=HOLDS_MACHINE)

    def overlapping(self, start: Any, blocked_until: Any) -> "BookingQuerySet":
        """Those whose time, turnaround included, meets the half-open ``[start, blocked_until)``.

        Both arguments may be expressions. Touching is not meeting.
        """
        return self.filter(start__lt=blocked_until, blocked_until__gt=start)

    def of_buyer(self, user: Any) -> "BookingQuerySet":
        return self.filter(buyer=user)

    def of_provider(self, user: Any) -> "BookingQuerySet":
        return self.filter(machine__provider=user)

    def of_either(self, user: Any) -> "BookingQuerySet":
        """The two that a booking is between: what the person booked, and what is booked of their machines."""
        return self.filter(Q(buyer=user) | Q(machine__provider=user))

    def seen_by(self, user: Any, as_member: OrganizationAction = OrganizationAction.SEE_BOOKINGS) -> "BookingQuerySet":
        """What a person may see: :meth:`of_either`, and what was booked for organizations in which their role allows
        ``as_member``."""
        theirs = organizations_where(user, as_member)
        return self.filter(Q(buyer=user) | Q(machine__provider=user) | Q(organization__in=theirs))

    def with_context(self) -> "BookingQuerySet":
        """With the machine, its provider, the listing and the buyer: what every page about a booking names."""
        return self.select_related(
            "machine__gpu",
            "machine__provider",
            "listing",
            "buyer",
            "access",
            "passport",
            "organization",
            "project",
            "approval",
        )

    def unpaid_holds(self) -> "BookingQuerySet":
        return self.filter(status=BookingStatus.PENDING, paid_at=None)

    def confirmed(self) -> "BookingQuerySet":
        """Paid, and waiting for their start."""
        return self.filter(status=BookingStatus.PENDING, paid_at__isnull=False)

    # What is due: the questions that the sweeps ask.

    def hold_lapsed(self, *, now: datetime) -> "BookingQuerySet":
        """Not paid, and the time to pay is over."""
        return self.unpaid_holds().filter(hold_expires_at__lte=now)

    def awaiting_wipe(self) -> "BookingQuerySet":
        """Over, with access having been given, and the machine not yet shown to be clean."""
        return self.filter(wipe_opened_at__isnull=False, wiped_at=None)

    def due_to_start(self, *, now: datetime) -> "BookingQuerySet":
        """Paid, begun, not over, and the machine is clean."""
        return self.filter(
            ~models.Exists(_not_clean()),
            status=BookingStatus.PENDING,
            paid_at__isnull=False,
            start__lte=now,
            end__gt=now,
        )

    def kept_waiting(self, *, now: datetime) -> "BookingQuerySet":
        """Paid and begun, but the machine is in quarantine after the booking before."""
        return self.filter(
            models.Exists(_not_clean()), status=BookingStatus.PENDING, paid_at__isnull=False, start__lte=now
        )

    def to_tell_of_delay(self, *, now: datetime) -> "BookingQuerySet":
        """Kept waiting, and the buyer has not been told yet."""
        return self.kept_waiting(now=now).filter(delay_told_at=None, end__gt=now)

    def due_to_provision(self, *, now: datetime) -> "BookingQuerySet":
        """Running on a machine with an agent that has not been asked to let in the keys which it is to let in now."""
        asked = (
            Work.objects.filter(booking_id=OuterRef(OuterRef("pk")), agent=OuterRef("pk"), kind__in=ACCESS_WORK)
            .exclude(state=WorkState.CANCELED)
            .order_by("-created_at", "-pk")
        )
        given = Coalesce(models.Subquery(asked.values("payload__keys")[:1]), Value([], models.JSONField()))
        wanted = let_in(booking=OuterRef("pk"), buyer=OuterRef("buyer"), organization=OuterRef("organization"))
        behind = (
            Agent.objects.enrolled()
            .filter(machine=OuterRef("machine"))
            .alias(given=given)
            .exclude(given=OuterRef("wanted_keys"))
        )
        return self.alias(wanted_keys=_as_json(wanted.values("public_key"))).filter(
            models.Exists(behind),
            status__in=RUNNING,
            access_kind__in=AUTOMATIC,
            completed_at=None,
            wipe_opened_at=None,
            end__gt=now,
        )

    def due_to_end(self, *, now: datetime) -> "BookingQuerySet":
        """Running past their end, and not yet handed to the wipe."""
        return self.filter(status__in=RUNNING, completed_at=None, end__lte=now, wipe_opened_at=None)

    def usual_wipe(self) -> "UsualWipe | None":
        """How long agents took to erase these bookings' machine, from their end on. ``None``: no agent has yet."""
        wiped = self.filter(access_kind__in=AUTOMATIC, wiped_at__isnull=False)
        newest = wiped.order_by("-wiped_at").values_list("end", "wiped_at")[:WIPES_LEARNED_FROM]
        lengths = sorted(wiped_at - end for end, wiped_at in newest if wiped_at)
        if not lengths:
            return None
        return UsualWipe(lengths[ceil(len(lengths) * WIPES_WITHIN / 100) - 1], len(lengths))

    def undelivered(self, *, now: datetime) -> "BookingQuerySet":
        """Paid, over, and never started: the machine was in quarantine the whole time."""
        return self.filter(status=BookingStatus.PENDING, paid_at__isnull=False, end__lte=now)


def _as_json(rows: models.QuerySet[Any]) -> Func:
    """The one column of a subquery as a JSON list, in its order; empty where there are no rows."""
    return Func(ArraySubquery(rows), function="to_jsonb", output_field=models.JSONField())


def _not_clean() -> models.QuerySet["Booking"]:
    """Other bookings of the outer query's machine that run, or after which it has not been shown to be wiped.

    Later ones too: a sweep that was held up for long does not start a booking whose turn is over.
    """
    return (
        Booking.objects.filter(machine=OuterRef("machine"))
        .exclude(pk=OuterRef("pk"))
        .filter(Q(wipe_opened_at__isnull=False, wiped_at=None) | Q(status__in=RUNNING, completed_at=None))
    )


class Booking(models.Model):
    """A reservation of a machine for ``[start, end)`` (logical model 1.4).

    ``blocked_until`` is the end plus the machine's turnaround. Whether a pending booking is paid, and until
    when an unpaid one is held, are facts of their own: ``paid_at``, ``hold_expires_at``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="booking_id")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="bookings", db_column="listing_id")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="bookings", db_column="hardware_id")
    buyer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bookings", db_column="buyer_id"
    )
    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bookings",
        help_text="Whom the buyer booked for; empty: for themselves.",
    )
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings")
    start = models.DateTimeField(db_column="start_timestamp")
    end = models.DateTimeField(db_column="end_timestamp")
    blocked_until = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    status = models.CharField(
        max_length=10, choices=BookingStatus.choices, default=BookingStatus.PENDING, db_column="booking_status"
    )
    hold_expires_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    delay_told_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    access_kind = models.CharField(
        max_length=20,
        choices=AccessKind.choices,
        default=AccessKind.MANUAL,
        help_text="Who handed the machine over, set at the start: the same erases it, whatever its setting is by then.",
    )
    passport = models.ForeignKey(
        HardwarePassport,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="bookings",
        help_text="The version of the hardware that was booked.",
    )
    mismatch = models.JSONField(
        default=list, blank=True, help_text="What differed from it at hand-over: [{what, before, after}]."
    )
    booked_end = models.DateTimeField(
        null=True, blank=True, help_text="The end as it was booked, where a late hand-over has moved it."
    )
    left_at = models.DateTimeField(
        null=True, blank=True, help_text="When its buyer left because the machine was not as booked."
    )
    late_minutes = models.PositiveIntegerField(default=0, help_text="Begun minutes that access came after the start.")
    down_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="Minutes of silence in it, counted when it ended."
    )
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When lost time was given back.")
    lost_amount = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="What was given back for it."
    )
    paid_minutes = models.PositiveIntegerField(
        null=True, blank=True, help_text="The minutes that the price is for, where those between its ends are not."
    )
    ended_early_at = models.DateTimeField(null=True, blank=True, help_text="When its buyer asked to end it early.")
    unused_amount = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="What was given back for the time that was left."
    )
    wipe_opened_at = models.DateTimeField(null=True, blank=True)
    wiped_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)
    cancellation_terms = models.CharField(max_length=10, choices=CancellationTerms.choices)
    refund_steps = models.JSONField(
        help_text="What the terms meant then: seconds before the start, share of the price."
    )
    currency = models.CharField(max_length=3, choices=Currency.choices)
    price_total = models.DecimalField(
        max_digits=12, decimal_places=2, help_text="What is paid and what later stages will cost, tax included."
    )
    given_back = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        help_text="What of the price went back, for whatever reason.",
    )
    tax_kind = models.CharField(max_length=20, choices=TaxKind.choices, default=TaxKind.NONE)
    tax_rate = models.DecimalField(
        max_digits=5, decimal_places=4, default=Decimal(0), help_text="The share of the net price, as 0.19."
    )
    billed_to = models.JSONField(
        default=dict,
        blank=True,
        help_text="The buyer's billing details as the tax was decided by them; empty where there were none.",
    )
    purchase_order = models.CharField(max_length=60, blank=True)
    cost_centre = models.CharField(max_length=60, blank=True)
    quote_lines = models.JSONField(help_text="The quote as it was when the window was asked for.")
    quote_rates = models.JSONField(
        default=dict, blank=True, help_text="The rates then: of an hour, a day, a week. Empty in the oldest bookings."
    )

    objects = BookingQuerySet.as_manager()

    class Meta:
        db_table = "bookings"
        ordering = ["-start"]
        constraints = [
            ExclusionConstraint(
                name="bookings_one_at_a_time",
                expressions=[
                    ("machine", RangeOperators.EQUAL),
                    (TsTzRange(F("start"), F("blocked_until"), RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(status__in=["pending", "active", "disputed"]),
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="bookings_end_after_start"),
            models.CheckConstraint(condition=Q(blocked_until__gte=F("end")), name="bookings_blocked_past_end"),
            models.CheckConstraint(condition=Q(price_total__gte=0), name="bookings_price_not_negative"),
            models.CheckConstraint(condition=Q(status__in=BookingStatus.values), name="bookings_status_known"),
            models.CheckConstraint(condition=Q(tax_kind__in=TaxKind.values), name="bookings_tax_kind_known"),
            models.CheckConstraint(condition=Q(tax_rate__gte=0, tax_rate__lt=1), name="bookings_tax_rate_is_a_share"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "canceled"]) | Q(paid_at__isnull=False),
                name="bookings_unpaid_never_start",
            ),
            models.CheckConstraint(condition=Q(access_kind__in=AccessKind.values), name="bookings_access_kind_known"),
            models.CheckConstraint(
                condition=~Q(status="completed") | Q(completed_at__isnull=False), name="bookings_completed_at_set"
            ),
            models.CheckConstraint(
                condition=~Q(status="canceled") | Q(canceled_at__isnull=False), name="bookings_canceled_at_set"
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-start"], name="bookings_of_buyer"),
            models.Index(fields=["machine", "-start"], name="bookings_of_machine"),
            models.Index(
                fields=["hold_expires_at"], condition=Q(status="pending", paid_at=None), name="bookings_unpaid_holds"
            ),
            models.Index(fields=["start"], condition=Q(status="pending"), name="bookings_to_start"),
            models.Index(fields=["end"], condition=Q(completed_at=None, wipe_opened_at=None), name="bookings_to_end"),
            models.Index(
                fields=["machine"],
                condition=Q(wipe_opened_at__isnull=False, wiped_at=None),
                name="bookings_awaiting_wipe",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.start:%Y-%m-%d %H:%M} – {self.end:%Y-%m-%d %H:%M} UTC"

    @property
    def reference(self) -> str:
        """What people read out, and what the account on the machine is named after."""
        return short(self.id)

    @property
    def account(self) -> str:
        """The account on the machine, where an agent makes it."""
        return f"rsm-{self.reference}"

    def keys_let_in(self) -> models.QuerySet[SSHKey]:
        """The keys that are to be on the machine: what its buyer has chosen of theirs, and its organization's."""
        return let_in(booking=self.pk, buyer=self.buyer_id, organization=self.organization_id)

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def booked_until(self) -> datetime:
        """The end without what a late hand-over has added to it: charges say in these terms what they are for."""
        return self.booked_end or self.end

    @property
    def made_up(self) -> timedelta:
        """By how much a late hand-over has moved the end."""
        return self.end - self.booked_until

    @property
    def booked_duration(self) -> timedelta:
        """What the price is for: a late hand-over moves the end, not the length; ending early changes neither."""
        if self.paid_minutes is not None:
            return timedelta(minutes=self.paid_minutes)
        return self.booked_until - self.start

    @property
    def paid_total(self) -> Decimal:
        """What has been paid of the price so far: all of it, unless later stages are still to come."""
        if not self.is_paid:
            return Decimal(0)
        open_stages = (charge.amount for charge in self.charges.all() if charge.is_open and charge.is_stage)
        return self.price_total - sum(open_stages, Decimal(0))

    @property
    def kept_so_far(self) -> Decimal:
        """What has been paid of the price and has not gone back, for whatever reason: no more can come back."""
        return max(self.paid_total - self.given_back, Decimal(0))

    def is_going_on(self, *, now: datetime) -> bool:
        """Paid, and neither over nor ended: what hangs on it can still be paid for."""
        is_live = self.is_confirmed or self.status in RUNNING
        return is_live and self.wipe_opened_at is None and self.completed_at is None and self.end > now

    @property
    def is_automatic(self) -> bool:
        """Whether the machine's agent hands it over and erases it: as it was at the start, until then as it is set."""
        kind = self.access_kind if self.started_at else self.machine.access_kind
        return AccessKind(kind).is_automatic

    @property
    def is_paid(self) -> bool:
        return self.paid_at is not None

    @property
    def is_hold(self) -> bool:
        """Asked for, not paid."""
        return self.status == BookingStatus.PENDING and not self.is_paid

    def is_payable(self, *, now: datetime) -> bool:
        return self.is_hold and self.hold_expires_at > now and not self.awaits_approval

    @property
    def awaits_approval(self) -> bool:
        """Whether its organization's administrator has still to agree."""
        return (
            self.organization_id is not None
            and self.is_hold
            and getattr(self, "approval", None) is not None
            and (self.approval.is_waiting)
        )

    @property
    def is_confirmed(self) -> bool:
        """Paid, and waiting for its start."""
        return self.status == BookingStatus.PENDING and self.is_paid

    @property
    def is_active(self) -> bool:
        return self.status == BookingStatus.ACTIVE

    @property
    def is_awaiting_wipe(self) -> bool:
        return self.wipe_opened_at is not None and self.wiped_at is None

    @property
    def is_canceled(self) -> bool:
        return self.status == BookingStatus.CANCELED

    @property
    def is_completed(self) -> bool:
        return self.status == BookingStatus.COMPLETED

    @property
    def state_label(self) -> str:
        """The state in the words of a page, which tells a hold from a confirmed booking and a run from a wipe."""
        if self.awaits_approval:
            return _("Waiting for approval")
        if self.is_hold:
            return _("Waiting for payment")
        if self.is_confirmed:
            return _("Confirmed")
        if self.is_awaiting_wipe:
            return _("Being erased")
        return str(BookingStatus(self.status).label)

    @property
    def tone(self) -> str:
        if self.is_awaiting_wipe:
            return "warn"
        return "good" if self.is_confirmed else BookingStatus(self.status).tone

    @property
    def rates(self) -> Rates | None:
        """The rates as they were when the window was asked for, before tax was decided."""
        if not self.quote_rates:
            return None
        hour, day, week = (None if rate is None else Decimal(rate) for rate in map(self.quote_rates.get, RATES))
        return Rates(hour or Decimal(0), day, week, self.currency)

    @property
    def treatment(self) -> Treatment:
        """How it is taxed, as that was decided when the window was asked for."""
        return Treatment(TaxKind(self.tax_kind), self.tax_rate, settings.MARKETPLACE_VAT_RATE)

    def lines(self) -> list[dict[str, Any]]:
        """The frozen quote: ``unit``, ``quantity``, ``rate``, ``amount`` (both ``Decimal``)."""
        return [{**line, "rate": Decimal(line["rate"]), "amount": Decimal(line["amount"])} for line in self.quote_lines]
