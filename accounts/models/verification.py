"""Requests to be a verified individual or institution."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_countries.fields import CountryField

from accounts.models.user import User
from common.ids import uuid7


class VerificationQuerySet(models.QuerySet["Verification"]):
    def pending(self) -> "VerificationQuerySet":
        return self.filter(status=Verification.Status.PENDING)

    def approved(self) -> "VerificationQuerySet":
        return self.filter(status=Verification.Status.APPROVED)


class Verification(models.Model):
    """A request to be a verified individual or institution, decided by a platform administrator."""

    class Kind(models.TextChoices):
        INDIVIDUAL = "individual", "Individual"
        INSTITUTION = "institution", "Company or institution"

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting for review"
        APPROVED = "approved", "Verified"
        REJECTED = "rejected", "Rejected"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verifications")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    legal_name = models.CharField(max_length=200)
    country = CountryField()
    statement = models.TextField(
        "how we can check this",
        max_length=4000,
        help_text="A register number, a web page of your institution that names you, or another way to be sure.",
    )
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    submitted_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True, help_text="Shown to the person.")

    objects = VerificationQuerySet.as_manager()

    class Meta:
        db_table = "verifications"
        ordering = ["-submitted_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(status="pending"), name="verifications_one_pending_a_user"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "approved", "rejected"]), name="verifications_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status="pending") | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="verifications_decided_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.legal_name} ({self.get_status_display()})"

    @property
    def is_pending(self) -> bool:
        return self.status == self.Status.PENDING

    @property
    def is_approved(self) -> bool:
        return self.status == self.Status.APPROVED

    @property
    def is_rejected(self) -> bool:
        return self.status == self.Status.REJECTED
