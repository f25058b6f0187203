"""How a machine has been doing: samples, hours, outages, maintenance, and when it was on offer."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeBoundary, RangeOperators
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from common.ranges import TsTzRange
from machines.models.agent import Agent
from machines.models.machine import Machine

#: What a sample measures, in the units of ``health_indicators``.
MEASURES = (
    "cpu_percent",
    "gpu_percent",
    "memory_percent",
    "gpu_memory_percent",
    "temperature_c",
    "disk_percent",
    "network_rx_mbps",
    "network_tx_mbps",
)


class RealField(models.FloatField):  # type: ignore[type-arg]
    """Four bytes: a load or a temperature needs no more, and there are millions of them."""

    def db_type(self, connection: object) -> str:
        return "real"


class HealthSample(models.Model):
    """One heartbeat's figures. Partitioned by day; a day is dropped whole after 30 (``machines.partitions``)."""

    pk = models.CompositePrimaryKey("agent", "at")
    agent = models.ForeignKey(Agent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    at = models.DateTimeField()
    cpu_percent = RealField(null=True)
    gpu_percent = RealField(null=True)
    memory_percent = RealField(null=True)
    gpu_memory_percent = RealField(null=True)
    temperature_c = RealField(null=True)
    disk_percent = RealField(null=True)
    network_rx_mbps = RealField(null=True)
    network_tx_mbps = RealField(null=True)

    class Meta:
        db_table = "health_samples"
        managed = False


class HealthHour(models.Model):
    """An hour of one agent rolled up: how many samples, and of each figure the mean and the most. Kept for two years."""

    pk = models.CompositePrimaryKey("agent", "hour")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    samples = models.PositiveIntegerField()
    means = models.JSONField(default=dict)
    peaks = models.JSONField(default=dict)

    class Meta:
        db_table = "health_hours"
        # Written hour by hour, so that a tiny index finds what is too old.
        indexes = [BrinIndex(fields=["hour"], name="health_hours_by_time")]


class Outage(models.Model):
    """A time without a heartbeat of one server. Open (``ended_at`` empty) until it is heard of again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="outages", db_column="hardware_id")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="outages")
    began_at = models.DateTimeField(help_text="The last heartbeat before it.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="The first heartbeat after it.")
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When the provider was told. Empty: not, or maintenance was announced."
    )

    class Meta:
        db_table = "outages"
        ordering = ["-began_at"]
        constraints = [
            models.UniqueConstraint(fields=["agent"], condition=Q(ended_at=None), name="outages_one_open_an_agent"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")), name="outages_end_after_begin"
            ),
        ]
        indexes = [models.Index(fields=["machine", "began_at"], name="outages_of_machine")]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} – {self.ended_at or 'now'}"


class PlatformPulse(models.Model):
    """When the marketplace last knew itself alive: one row. A gap becomes a :class:`PlatformOutage`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    at = models.DateTimeField()

    class Meta:
        db_table = "platform_pulse"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="platform_pulse_one_row")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


class PlatformOutage(models.Model):
    """A time in which the marketplace itself was away: no machine is held to account for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        db_table = "platform_outages"
        ordering = ["-began_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ended_at__gte=F("began_at")), name="platform_outages_in_order")
        ]


class ListedPeriod(models.Model):
    """A time in which a machine was on offer: what its reliability is measured over."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(
        Machine, on_delete=models.PROTECT, related_name="listed_periods", db_column="hardware_id"
    )
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "listed_periods"
        ordering = ["began_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["machine"], condition=Q(ended_at=None), name="listed_periods_one_open_a_machine"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")), name="listed_periods_in_order"
            ),
        ]


class ReliabilityDebit(models.Model):
    """Down time that a machine is charged for something other than silence: a provider's cancellation, a lost dispute."""

    class Reason(models.TextChoices):
        CANCELLATION = "cancellation", _("The provider canceled a booking")
        DISPUTE = "dispute", _("A dispute was lost")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="debits", db_column="hardware_id")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    at = models.DateTimeField(default=timezone.now)
    minutes = models.PositiveIntegerField()
    key = models.CharField(max_length=120, unique=True, help_text="What it is for: nothing is charged twice.")

    class Meta:
        db_table = "reliability_debits"
        ordering = ["-at"]


class MaintenanceWindowQuerySet(models.QuerySet["MaintenanceWindow"]):
    def announced(self) -> "MaintenanceWindowQuerySet":
        """Those that were not taken back."""
        return self.filter(canceled_at=None)

    def overlapping(self, start: Any, end: Any) -> "MaintenanceWindowQuerySet":
        """Those that meet the half-open ``[start, end)``. Both may be expressions. Touching is not meeting."""
        return self.filter(start__lt=end, end__gt=start)


class MaintenanceWindow(models.Model):
    """Announced time in which a machine is worked on: shown in the calendar, not booked, not counted as down."""

    class Kind(models.TextChoices):
        POWER = "power", _("Power")
        INTERNET = "internet", _("Internet")
        DISK = "disk", _("Disk")
        GPU = "gpu", "GPU"
        SOFTWARE = "software", _("Software")
        OTHER = "other", _("Other")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="maintenance", db_column="hardware_id")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    start = models.DateTimeField()
    end = models.DateTimeField()
    note = models.CharField(max_length=300, blank=True, help_text="What buyers should know.")
    announced_at = models.DateTimeField(default=timezone.now)
    announced_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    canceled_at = models.DateTimeField(null=True, blank=True)

    objects = MaintenanceWindowQuerySet.as_manager()

    class Meta:
        db_table = "maintenance_windows"
        ordering = ["start"]
        constraints = [
            ExclusionConstraint(
                name="maintenance_one_at_a_time",
                expressions=[
                    ("machine", RangeOperators.EQUAL),
                    (TsTzRange(F("start"), F("end"), RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(canceled_at=None),
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="maintenance_end_after_start"),
            models.CheckConstraint(
                condition=Q(kind__in=["power", "internet", "disk", "gpu", "software", "other"]),
                name="maintenance_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.start:%Y-%m-%d %H:%M} – {self.end:%Y-%m-%d %H:%M} UTC"
