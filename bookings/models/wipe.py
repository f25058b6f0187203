"""What was done to erase a buyer's data from a machine, step by step."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from bookings.models.booking import Booking
from common.ids import uuid7
from machines.models import Machine


class WipeMethod(models.TextChoices):
    """The steps of a wipe, in the order they are done (rules: Access and wipe)."""

    SESSIONS = "session_termination", _("Sessions closed, processes ended")
    SSH_KEYS = "ssh_key_removal", _("SSH keys removed")
    HOME = "home_directory_purge", _("Home and scratch purged")
    USER = "user_deletion", _("Account deleted")
    VERIFICATION = "residue_verification", _("Verified: nothing of the account is left")


class WipeStatus(models.TextChoices):
    SUCCESS = "success", _("Success")
    PARTIAL = "partial", _("Partial")
    FAILED = "failed", _("Failed")

    @property
    def tone(self) -> str:
        return {"success": "good", "partial": "warn", "failed": "bad"}[self.value]


class DataWipe(models.Model):
    """One step of a wipe (logical model 1.7). A retry is a row of its own; rows are never changed.

    One exception: the name of somebody who is deleted is taken out of the words.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="wipe_id")
    machine = models.ForeignKey(Machine, on_delete=models.PROTECT, related_name="wipes", db_column="hardware_id")
    booking = models.ForeignKey(
        Booking, on_delete=models.PROTECT, null=True, blank=True, related_name="wipes", db_column="booking_id"
    )
    timestamp = models.DateTimeField("executed at", default=timezone.now)
    method = models.CharField(max_length=40, choices=WipeMethod.choices, db_column="wipe_method_executed")
    status = models.CharField(max_length=10, choices=WipeStatus.choices)
    evidence = models.FileField(upload_to="wipes", blank=True, db_column="wipe_evidence_uri", max_length=300)
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    evidence_name = models.CharField(max_length=200, blank=True)
    note = models.TextField(max_length=2000, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who recorded it by hand. Empty: the agent did, and signed it.",
    )
    signed = models.ForeignKey(
        "bookings.WipeEvidence", on_delete=models.PROTECT, null=True, blank=True, related_name="wipes"
    )
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "data_wipes"
        ordering = ["timestamp", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=WipeStatus.values), name="data_wipes_status_known"),
            models.CheckConstraint(
                condition=Q(recorded_by__isnull=False, signed=None) | Q(recorded_by=None, signed__isnull=False),
                name="data_wipes_by_person_or_agent",
            ),
            models.CheckConstraint(condition=Q(method__in=WipeMethod.values), name="data_wipes_method_known"),
        ]
        indexes = [models.Index(fields=["machine", "-timestamp"], name="data_wipes_of_machine")]

    def __str__(self) -> str:
        return f"{self.get_method_display()}: {self.get_status_display()}"

    @property
    def is_success(self) -> bool:
        return self.status == WipeStatus.SUCCESS

    @property
    def tone(self) -> str:
        return WipeStatus(self.status).tone
