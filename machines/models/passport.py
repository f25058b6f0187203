"""The hardware passport: what a machine consists of, as its agents found it, version by version."""

from django.db import models
from django.utils import timezone

from common.ids import uuid7
from machines.models.machine import Machine


class HardwarePassport(models.Model):
    """One version of what a machine consists of. A new one is made when the hardware has changed; none is ever changed.

    ``facts``: ``{"nodes": {name or "": {"gpus": [...], "cpu": {...}, "memory_mb", "disks": [...], ...}}}``.
    ``changes``: what differs from the version before, as ``[{"what", "before", "after"}]``.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="passports", db_column="hardware_id")
    version = models.PositiveIntegerField()
    facts = models.JSONField()
    sha256 = models.CharField(max_length=64)
    changes = models.JSONField(default=list, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    is_simulated = models.BooleanField(default=False)

    class Meta:
        db_table = "hardware_passports"
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["machine", "version"], name="hardware_passports_version_once")]

    def __str__(self) -> str:
        return f"{self.machine.name}, version {self.version}"
