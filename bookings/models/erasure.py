"""Evidence of an erasure as machines signed it, and the certificate that the platform countersigns."""

from django.db import models
from django.utils import timezone

from bookings.models.booking import Booking
from common.ids import uuid7
from machines.models import Agent, Machine, Work


class WipeEvidence(models.Model):
    """What one agent signed about one go at a wipe. A retry is a row of its own; rows are never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, related_name="evidence", db_column="booking_id")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="evidence", db_column="hardware_id")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="evidence")
    work = models.ForeignKey(Work, on_delete=models.PROTECT, related_name="evidence")
    document = models.FileField(upload_to="wipes", max_length=300, help_text="Canonical JSON, the very bytes signed.")
    sha256 = models.CharField(max_length=64)
    signature = models.TextField(help_text="SSHSIG, namespace rsm-erasure, by the agent's key.")
    logs = models.FileField(upload_to="wipes", max_length=300)
    logs_sha256 = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    agent_version = models.CharField(max_length=40, blank=True)
    is_complete = models.BooleanField(help_text="Every step is a success.")
    is_simulated = models.BooleanField(default=False)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "wipe_evidence"
        ordering = ["received_at", "id"]
        verbose_name_plural = "wipe evidence"

    def __str__(self) -> str:
        return f"{self.agent}, {self.finished_at:%Y-%m-%d %H:%M} UTC"


class ErasureCertificate(models.Model):
    """The platform's word that it checked the evidence of every node. Its id is the address of the public check."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    booking = models.OneToOneField(
        Booking, on_delete=models.PROTECT, related_name="certificate", db_column="booking_id"
    )
    evidence = models.ManyToManyField(WipeEvidence, related_name="certificates")
    document = models.TextField(help_text="Canonical JSON, the very text signed.")
    sha256 = models.CharField(max_length=64)
    signature = models.TextField(help_text="SSHSIG, namespace rsm-certificate, by the platform's key.")
    platform_key = models.CharField(max_length=200)
    issued_at = models.DateTimeField(default=timezone.now)
    is_simulated = models.BooleanField(default=False)

    class Meta:
        db_table = "erasure_certificates"
        ordering = ["-issued_at"]

    def __str__(self) -> str:
        return f"{self.booking.reference}, {self.issued_at:%Y-%m-%d}"
