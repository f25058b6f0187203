"""What is to be paid for a booking, part by part. Who pays it and how is billing's."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings.lifecycle import BookingStatus
from bookings.models.booking import Booking
from common.ids import uuid7
from common.money import Currency


class ChargeKind(models.TextChoices):
    BOOKING = "booking", _("Booking")
    STAGE = "stage", _("Stage")
    EXTENSION = "extension", _("Extension")


class ChargeStatus(models.TextChoices):
    OPEN = "open", _("To be paid")
    PAID = "paid", _("Paid")
    DROPPED = "dropped", _("Not needed any more")

    @property
    def tone(self) -> str:
        return {"open": "warn", "paid": "good", "dropped": "soft"}[self.value]


class ChargeQuerySet(models.QuerySet["Charge"]):
    def open(self) -> "ChargeQuerySet":
        return self.filter(status=ChargeStatus.OPEN)

    def paid(self) -> "ChargeQuerySet":
        return self.filter(status=ChargeStatus.PAID)

    def kept(self) -> "ChargeQuerySet":
        """Those that are part of the price: paid, or to be paid."""
        return self.exclude(status=ChargeStatus.DROPPED)

    def stages_due(self, *, now: datetime) -> "ChargeQuerySet":
        """Later stages of bookings that go on, whose time to be charged has come."""
        return self.open().filter(
            kind=ChargeKind.STAGE,
            due_at__lte=now,
            booking__paid_at__isnull=False,
            booking__status__in=[BookingStatus.PENDING, BookingStatus.ACTIVE],
            booking__wipe_opened_at=None,
            booking__completed_at=None,
        )

    def extensions_lapsed(self, *, now: datetime) -> "ChargeQuerySet":
        """Extensions that were not paid in time."""
        return self.open().filter(kind=ChargeKind.EXTENSION, expires_at__lte=now)


class Charge(models.Model):
    """A part of a booking's price: the first one, a later stage of a long booking, or an extension.

    ``[covers_from, covers_until)`` is the time that it pays for, as it was booked: a late hand-over, which moves the end
    of the booking, does not move it. The first charge is open until the booking's hold
    lapses; a stage is charged from ``due_at`` on; an extension lapses at ``expires_at`` (rules: When, Money).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="charges", db_column="booking_id")
    number = models.PositiveSmallIntegerField(help_text="1 for what is paid first.")
    kind = models.CharField(max_length=10, choices=ChargeKind.choices)
    status = models.CharField(max_length=10, choices=ChargeStatus.choices, default=ChargeStatus.OPEN)
    covers_from = models.DateTimeField()
    covers_until = models.DateTimeField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    currency = models.CharField(max_length=3, choices=Currency.choices)
    quote_lines = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(help_text="From when on it is charged.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Of an extension: until when it is held.")
    paid_at = models.DateTimeField(null=True, blank=True)
    dropped_at = models.DateTimeField(null=True, blank=True)
    dropped_because = models.CharField(max_length=200, blank=True)

    objects = ChargeQuerySet.as_manager()

    class Meta:
        db_table = "charges"
        ordering = ["booking_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["booking", "number"], name="charges_number_once"),
            models.UniqueConstraint(
                fields=["booking"],
                condition=Q(kind="extension", status="open"),
                name="charges_one_open_extension",
            ),
            models.UniqueConstraint(fields=["booking"], condition=Q(kind="booking"), name="charges_one_first"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="charges_amount_not_negative"),
            models.CheckConstraint(condition=Q(covers_until__gt=F("covers_from")), name="charges_cover_some_time"),
            models.CheckConstraint(condition=Q(kind__in=ChargeKind.values), name="charges_kind_known"),
            models.CheckConstraint(condition=Q(status__in=ChargeStatus.values), name="charges_status_known"),
            models.CheckConstraint(condition=~Q(status="paid") | Q(paid_at__isnull=False), name="charges_paid_at_set"),
            models.CheckConstraint(
                condition=~Q(kind="extension") | Q(expires_at__isnull=False), name="charges_extensions_expire"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="open", kind="stage"), name="charges_stages_due"),
            models.Index(
                fields=["expires_at"], condition=Q(status="open", kind="extension"), name="charges_extensions_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}: {self.amount} {self.currency}"

    @property
    def is_open(self) -> bool:
        return self.status == ChargeStatus.OPEN

    @property
    def is_paid(self) -> bool:
        return self.status == ChargeStatus.PAID

    @property
    def is_extension(self) -> bool:
        return self.kind == ChargeKind.EXTENSION

    @property
    def is_stage(self) -> bool:
        return self.kind == ChargeKind.STAGE

    @property
    def tone(self) -> str:
        return ChargeStatus(self.status).tone

    @property
    def length(self) -> timedelta:
        return self.covers_until - self.covers_from

    @property
    def since(self) -> datetime:
        """As ``covers_from``, on the clock: a late hand-over moves what follows it."""
        return self.covers_from + self.booking.made_up

    @property
    def until(self) -> datetime:
        return self.covers_until + self.booking.made_up

    def is_payable(self, *, now: datetime) -> bool:
        """Whether a buyer can pay it now: its booking must still want it."""
        if not self.is_open:
            return False
        if self.kind == ChargeKind.BOOKING:
            return self.booking.is_payable(now=now)
        if self.expires_at is not None and self.expires_at <= now:
            return False
        return self.booking.is_going_on(now=now)

    def lines(self) -> list[dict[str, Any]]:
        """As :meth:`Booking.lines`."""
        return [{**line, "rate": Decimal(line["rate"]), "amount": Decimal(line["amount"])} for line in self.quote_lines]
