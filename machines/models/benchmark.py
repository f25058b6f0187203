"""Measured performance, and an administrator's verdict on it."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.ids import uuid7
from machines.models.machine import Machine

#: What a run may measure.
VALUES = (
    "gpu_throughput_fp16",
    "gpu_throughput_fp32",
    "cpu_score",
    "disk_read_mb_s",
    "disk_write_mb_s",
    "network_bandwidth_gbps",
)
#: In whatever unit, a measured value lies between these two. Prices are divided by some of them.
LEAST, MOST = 0.01, 1e9
#: No run is older than this, however long ago it was entered.
FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)


class BenchmarkStatus(models.TextChoices):
    PENDING = "pending", _("Not yet verified")
    APPROVED = "approved", _("Verified")
    REJECTED = "rejected", _("Rejected")

    @property
    def tone(self) -> str:
        return {"pending": "warn", "approved": "good", "rejected": "bad"}[self.value]


class Challenge(models.Model):
    """All machines of one provider measured at the same moment, so that a strong one cannot answer for a weak one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="challenges")
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        db_table = "benchmark_challenges"
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.provider}, {self.made_at:%Y-%m-%d %H:%M} UTC"


class BenchmarkQuerySet(models.QuerySet["Benchmark"]):
    def pending(self) -> "BenchmarkQuerySet":
        return self.filter(status=BenchmarkStatus.PENDING)

    def approved(self) -> "BenchmarkQuerySet":
        return self.filter(status=BenchmarkStatus.APPROVED)


class Benchmark(models.Model):
    """One benchmark run of a machine (logical model 1.5). A value that was not measured is null, never invented."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="benchmark_id")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, related_name="benchmarks", db_column="hardware_id")
    gpu_throughput_fp16 = models.FloatField(_("fp16, TFLOPS, all GPUs"), null=True, blank=True)
    gpu_throughput_fp32 = models.FloatField(_("fp32, TFLOPS, all GPUs"), null=True, blank=True)
    cpu_score = models.FloatField(_("CPU, sysbench events/s, all cores"), null=True, blank=True)
    disk_read_mb_s = models.FloatField(_("disk read, MB/s"), null=True, blank=True)
    disk_write_mb_s = models.FloatField(_("disk write, MB/s"), null=True, blank=True)
    network_bandwidth_gbps = models.FloatField(_("network, Gbit/s"), null=True, blank=True)
    collected_at = models.DateTimeField(default=timezone.now)
    status = models.CharField(
        max_length=10,
        choices=BenchmarkStatus.choices,
        default=BenchmarkStatus.PENDING,
        db_column="admin_verification_status",
        verbose_name="verification",
    )
    source = models.CharField(max_length=120, blank=True, help_text="What measured it, with its version.")
    agent_version = models.CharField(max_length=40, blank=True, help_text="Empty: entered by hand.")
    is_simulated = models.BooleanField(default=False, help_text="Made up by demo_fleet: nothing was measured.")
    seed = models.CharField(max_length=64, blank=True, help_text="What the server gave the run to draw from.")
    reasons = models.JSONField(default=dict, blank=True, help_text="Why a value is missing, by its name.")
    details = models.JSONField(default=dict, blank=True, help_text="By node: what the run says beside its values.")
    reports = models.ManyToManyField("machines.Report", blank=True, related_name="benchmarks")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    challenge = models.ForeignKey(
        "machines.Challenge", on_delete=models.PROTECT, null=True, blank=True, related_name="benchmarks"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    reason = models.TextField(blank=True, help_text="Why it was approved or rejected. Shown to the provider.")

    objects = BenchmarkQuerySet.as_manager()

    class Meta:
        db_table = "benchmarks"
        ordering = ["-collected_at"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=BenchmarkStatus.values), name="benchmarks_status_known"),
            models.CheckConstraint(
                # What is above the physical limit is rejected at once, by nobody.
                condition=Q(status=BenchmarkStatus.PENDING)
                | Q(decided_at__isnull=False, decided_by__isnull=False)
                | Q(status=BenchmarkStatus.REJECTED, decided_at__isnull=False, agent_version__gt=""),
                name="benchmarks_decided_by_someone",
            ),
            # Dates from long ago cannot be written in every time zone.
            models.CheckConstraint(condition=Q(collected_at__gte=FIRST_DAY), name="benchmarks_collected_in_our_time"),
            *[
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True})
                    | Q(**{f"{name}__gte": LEAST}) & Q(**{f"{name}__lte": MOST}),
                    name=f"benchmarks_{name}_positive",
                )
                for name in VALUES
            ],
        ]
        indexes = [models.Index(fields=["machine", "-collected_at"], name="benchmarks_of_machine")]

    def __str__(self) -> str:
        return f"{self.machine.name} {self.collected_at:%Y-%m-%d} ({self.get_status_display()})"

    @property
    def is_pending(self) -> bool:
        return self.status == BenchmarkStatus.PENDING

    @property
    def is_approved(self) -> bool:
        return self.status == BenchmarkStatus.APPROVED

    @property
    def is_rejected(self) -> bool:
        return self.status == BenchmarkStatus.REJECTED

    @property
    def tone(self) -> str:
        return BenchmarkStatus(self.status).tone
