"""Requests to be a verified individual or institution: written in steps, looked at, decided, and good for a time."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django_countries.fields import CountryField

from accounts.models.billing import check_line
from accounts.models.user import User
from common.ids import uuid7


class VerificationQuerySet(models.QuerySet["Verification"]):
    def pending(self) -> "VerificationQuerySet":
        """Those that wait for an administrator."""
        return self.filter(status=Verification.Status.PENDING)

    def approved(self) -> "VerificationQuerySet":
        """Approved once; whether that still counts is :meth:`valid`."""
        return self.filter(status=Verification.Status.APPROVED)

    def valid(self, *, now: datetime) -> "VerificationQuerySet":
        """Approvals that count now, the one that lasts longest first."""
        return self.approved().filter(valid_until__gt=now).order_by("-valid_until")

    def open(self) -> "VerificationQuerySet":
        """Not decided yet; a person has one of them at most."""
        return self.filter(status__in=Verification.OPEN)

    def sent(self) -> "VerificationQuerySet":
        """What administrators see: everything but what a person is still writing."""
        return self.exclude(status=Verification.Status.DRAFT)


class Verification(models.Model):
    """A request to be a verified individual or institution, decided by a platform administrator."""

    class Kind(models.TextChoices):
        INDIVIDUAL = "individual", pgettext_lazy("kind of verification", "Individual")
        INSTITUTION = "institution", _("Company or institution")

    class Status(models.TextChoices):
        DRAFT = "draft", _("Not sent yet")
        PENDING = "pending", _("Waiting for review")
        MORE = "more", _("More was asked for")
        APPROVED = "approved", _("Verified")
        REJECTED = "rejected", _("Rejected")
        LAPSED = "lapsed", _("Closed without an answer")

    #: Its person can change it: add documents, correct what is written.
    WRITABLE = (Status.DRAFT, Status.MORE)
    OPEN = (Status.DRAFT, Status.PENDING, Status.MORE)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verifications")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    legal_name = models.CharField(max_length=200, validators=[check_line])
    country = CountryField()
    acts_as = models.CharField(
        _("your part in it"),
        max_length=200,
        blank=True,
        validators=[check_line],
        help_text=_("Why you may act for it: managing director, head of the institute, authorised by …"),
    )
    statement = models.TextField(
        _("how we can check this"),
        max_length=4000,
        help_text=_("A register number, a web page of your institution that names you, or another way to be sure."),
    )
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    submitted_at = models.DateTimeField(default=timezone.now, help_text="Of a draft: when it was begun.")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True, help_text="Shown to the person.")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Of an approval: how long it counts.")
    warned_days = models.PositiveSmallIntegerField(
        null=True, blank=True, editable=False, help_text="How many days ahead its person was last told that it ends."
    )
    expired_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its end was noticed, and its person told."
    )

    objects = VerificationQuerySet.as_manager()

    class Meta:
        db_table = "verifications"
        ordering = ["-submitted_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(status__in=["draft", "pending", "more"]),
                name="verifications_one_open_a_user",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "pending", "more", "approved", "rejected", "lapsed"]),
                name="verifications_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "pending", "more", "lapsed"])
                | Q(decided_at__isnull=False, decided_by__isnull=False),
                name="verifications_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~Q(status="lapsed") | Q(decided_at__isnull=False), name="verifications_lapsed_at_some_time"
            ),
            models.CheckConstraint(
                condition=Q(status="approved", valid_until__isnull=False)
                | (~Q(status="approved") & Q(valid_until__isnull=True)),
                name="verifications_approved_for_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["submitted_at"], condition=Q(status="pending"), name="verifications_queue"),
            models.Index(
                fields=["valid_until"],
                condition=Q(status="approved", expired_at__isnull=True),
                name="verifications_to_expire",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.legal_name} ({self.get_status_display()})"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    @property
    def is_pending(self) -> bool:
        return self.status == self.Status.PENDING

    @property
    def needs_more(self) -> bool:
        return self.status == self.Status.MORE

    @property
    def is_writable(self) -> bool:
        return self.status in self.WRITABLE

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_approved(self) -> bool:
        """Approved once; whether that still counts is :attr:`is_valid`."""
        return self.status == self.Status.APPROVED

    @property
    def is_rejected(self) -> bool:
        return self.status == self.Status.REJECTED

    @property
    def is_institution(self) -> bool:
        return self.kind == self.Kind.INSTITUTION

    @property
    def is_valid(self) -> bool:
        """Whether it makes its person verified at this moment."""
        return self.is_valid_at(timezone.now())

    def is_valid_at(self, now: datetime) -> bool:
        return self.is_approved and self.valid_until is not None and self.valid_until > now


class VerificationQuestion(models.Model):
    """What an administrator wants to know or to see before deciding, and what the person answered."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    verification = models.ForeignKey(Verification, on_delete=models.CASCADE, related_name="questions")
    text = models.TextField(max_length=2000)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    answer = models.TextField(blank=True, max_length=4000)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "verification_questions"
        ordering = ["asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["verification"],
                condition=Q(answered_at__isnull=True),
                name="verification_questions_one_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.text


class DocumentKind(models.TextChoices):
    """What a document shows."""

    IDENTITY = "identity", _("Identity card or passport")
    REGISTER = "register", _("Register extract, statutes or another founding paper")
    AUTHORITY = "authority", _("Who may act for it: power of attorney, appointment, letter of the management")
    REGISTER_AND_AUTHORITY = "register_authority", _("Register extract that also names who may act")
    OTHER = "other", _("Something else")


class DocumentQuerySet(models.QuerySet["VerificationDocument"]):
    def unwanted(self) -> "DocumentQuerySet":
        """Taken away by their person, or left behind by a request that is gone."""
        return self.filter(verification=None)

    def outlived(self, *, before: datetime) -> "DocumentQuerySet":
        """Still stored, of requests that were decided before that."""
        return self.filter(deleted_at=None, verification__decided_at__lt=before)


class VerificationDocument(models.Model):
    """A paper that shows who somebody is. Read only through links of a few minutes; deleted after the retention time.

    What stays of it then is that it was there: its kind, size and digests.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    verification = models.ForeignKey(
        Verification,
        on_delete=models.SET_NULL,
        null=True,
        related_name="documents",
        help_text="None: nobody wants it any more, and a sweep removes it with its file.",
    )
    kind = models.CharField(max_length=20, choices=DocumentKind.choices)
    name = models.CharField(max_length=200, blank=True, help_text="As it was called where it came from.")
    file = models.CharField(max_length=200, blank=True, editable=False, help_text="In the storage of files.")
    media_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField(help_text="Bytes, as stored.")
    pages = models.PositiveSmallIntegerField(default=1)
    sha256 = models.CharField(max_length=64, help_text="Of what is stored.")
    sent_sha256 = models.CharField(max_length=64, help_text="Of what was uploaded: images are stored anew.")
    uploaded_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="Since when its file and its name are gone.")

    objects = DocumentQuerySet.as_manager()

    class Meta:
        db_table = "verification_documents"
        ordering = ["uploaded_at", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=DocumentKind.values), name="verification_documents_kind_known"),
            models.CheckConstraint(
                condition=Q(file="", deleted_at__isnull=False) | (~Q(file="") & Q(deleted_at__isnull=True)),
                name="verification_documents_stored_or_deleted",
            ),
        ]
        indexes = [models.Index(fields=["sent_sha256"], name="verification_documents_same")]

    def __str__(self) -> str:
        return self.name or str(_("A document that has been deleted"))

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")


class DocumentOpening(models.Model):
    """That somebody looked at a document."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    document = models.ForeignKey(VerificationDocument, on_delete=models.CASCADE, related_name="openings")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        db_table = "verification_document_openings"
        ordering = ["at"]

    def __str__(self) -> str:
        return f"{self.by}, {self.at:%Y-%m-%d %H:%M} UTC"
