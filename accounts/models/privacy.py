"""What a person asks about their own data: a copy of all of it, and that it goes."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models.user import User
from common.ids import uuid7


class DataExportQuerySet(models.QuerySet["DataExport"]):
    def open(self) -> "DataExportQuerySet":
        """Asked for, and neither made nor given up."""
        return self.filter(ready_at=None, failed_at=None)

    def due(self, *, now: datetime) -> "DataExportQuerySet":
        """To be made, and nobody is at it: never begun, or whoever was has been silent for too long."""
        return self.open().filter(next_attempt_at__lte=now).order_by("asked_at")

    def outlived(self, *, now: datetime) -> "DataExportQuerySet":
        """Those whose time is over."""
        return self.filter(expires_at__lte=now)


class DataExport(models.Model):
    """A copy of all of a person's data, made by a task: a zip in the storage of files, for some days.

    ``doing`` is the kind of data that is being written; ``done`` and ``total`` count records.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="data_exports")
    asked_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    doing = models.CharField(max_length=80, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    ready_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When its file is deleted, and it with it.")
    file = models.CharField(max_length=200, blank=True, editable=False, help_text="In the storage of files.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    error = models.CharField(max_length=300, blank=True)

    objects = DataExportQuerySet.as_manager()

    class Meta:
        db_table = "data_exports"
        verbose_name = "export of data"
        verbose_name_plural = "exports of data"
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(ready_at=None, failed_at=None), name="data_exports_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(ready_at=None) | (Q(expires_at__isnull=False) & ~Q(file="")),
                name="data_exports_ready_has_file_and_end",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=Q(ready_at=None, failed_at=None), name="data_exports_to_make"
            ),
            models.Index(fields=["expires_at"], name="data_exports_to_forget"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.asked_at:%Y-%m-%d %H:%M} UTC"

    @property
    def is_open(self) -> bool:
        return self.ready_at is None and self.failed_at is None

    @property
    def share(self) -> float:
        """How far it is, of one."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    def is_there(self, *, now: datetime) -> bool:
        """Whether it can be downloaded."""
        return self.ready_at is not None and self.expires_at is not None and self.expires_at > now


class DeletionRequestQuerySet(models.QuerySet["DeletionRequest"]):
    def open(self) -> "DeletionRequestQuerySet":
        """Neither taken back nor done."""
        return self.filter(taken_back_at=None, done_at=None)

    def due(self, *, now: datetime) -> "DeletionRequestQuerySet":
        """Those whose time to reconsider is over, the oldest first."""
        return self.open().filter(due_at__lte=now).order_by("due_at")


class DeletionRequest(models.Model):
    """That an account is to be deleted, after a time in which its person may take it back.

    The row stays, as the proof that it was done: it names nobody by then.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="deletion_requests")
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", help_text="The person, or an administrator they wrote to."
    )
    reason = models.TextField(blank=True, max_length=2000, help_text="Of an administrator: who asked for it, and how.")
    due_at = models.DateTimeField(help_text="When it is done; later where something keeps it from being done.")
    taken_back_at = models.DateTimeField(null=True, blank=True)
    held_up_at = models.DateTimeField(null=True, blank=True, help_text="Since when something keeps it from being done.")
    done_at = models.DateTimeField(null=True, blank=True)

    objects = DeletionRequestQuerySet.as_manager()

    class Meta:
        db_table = "deletion_requests"
        verbose_name = "request for deletion"
        verbose_name_plural = "requests for deletion"
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(taken_back_at=None), name="deletion_requests_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(taken_back_at=None) | Q(done_at=None), name="deletion_requests_taken_back_or_done"
            ),
            models.CheckConstraint(condition=Q(due_at__gte=F("asked_at")), name="deletion_requests_leave_time"),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(taken_back_at=None, done_at=None), name="deletion_requests_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}, {self.asked_at:%Y-%m-%d}"

    @property
    def is_open(self) -> bool:
        return self.taken_back_at is None and self.done_at is None

    @property
    def state(self) -> str:
        if self.done_at:
            return _("done")
        if self.taken_back_at:
            return _("taken back")
        return _("held up") if self.held_up_at else _("waiting")
