"""Who: people, their roles, their verification, their keys, and the mail that waits to be sent to them."""

import zoneinfo
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django_countries.fields import CountryField

from common.ids import uuid7


class CaseInsensitiveEmailField(models.EmailField):  # type: ignore[type-arg]
    """An e-mail address in PostgreSQL's ``citext``: one address, however it is written."""

    def db_type(self, connection: Any) -> str:
        return "citext"


class Role(models.TextChoices):
    """What a person may do. One person may hold several."""

    BUYER = "buyer", "Buyer"
    PROVIDER = "provider", "Provider"
    PLATFORM_ADMINISTRATOR = "platform_administrator", "Platform Administrator"
    ORGANIZATIONAL_ADMINISTRATOR = "organizational_administrator", "Organizational Administrator"


def check_timezone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” is not a time zone. Use a name such as Europe/Berlin.")


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        roles = [Role.PLATFORM_ADMINISTRATOR]
        return self.create_user(email, password, is_staff=True, is_superuser=True, roles=roles, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """Any account: buyer, provider, administrator (logical model 1.1)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False, db_column="customer_id")
    email = CaseInsensitiveEmailField("e-mail", unique=True)
    name = models.CharField(max_length=120, blank=True)
    organization_name = models.CharField(max_length=200, blank=True, help_text="Company, university or group.")
    is_billing_account = models.BooleanField(
        default=True, help_text="Whether this user is the primary receiver of invoices."
    )
    signup_date = models.DateTimeField(default=timezone.now, editable=False)
    roles = ArrayField(models.CharField(max_length=40, choices=Role.choices), default=list, blank=True)
    timezone = models.CharField(
        max_length=64, blank=True, validators=[check_timezone], help_text="Empty: the browser's."
    )
    country = CountryField(blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the administration.")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        db_table = "users"
        constraints = [models.CheckConstraint(condition=Q(roles__contained_by=Role.values), name="users_roles_known")]

    def __str__(self) -> str:
        return str(self.email)

    @property
    def public_name(self) -> str:
        """What other people see: never the e-mail address."""
        return str(self.organization_name or self.name or f"Member {self.id.hex[-6:]}")

    @property
    def is_provider(self) -> bool:
        return Role.PROVIDER in self.roles

    @property
    def is_platform_administrator(self) -> bool:
        """Decides about people, machines and money. Entering the administration (``is_staff``) is less than that."""
        return Role.PLATFORM_ADMINISTRATOR in self.roles

    @property
    def is_verified(self) -> bool:
        """Whether an administrator has approved this person's or institution's papers."""
        return any(v.is_approved for v in self.verifications.all())


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


class SSHKey(models.Model):
    """A public key that lets its owner into booked machines. Checked by :mod:`accounts.ssh` before it is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="ssh_keys")
    name = models.CharField(max_length=80)
    public_key = models.TextField(help_text="One line as in id_ed25519.pub, without the comment.")
    key_type = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=80, help_text="SHA-256, as ssh-keygen -l prints it.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "ssh_keys"
        verbose_name = "SSH key"
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "fingerprint"], name="ssh_keys_once_a_user"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.fingerprint}"


#: How the keys of mails begin that may hold a link which lets somebody in.
PRIVATE = "private:"


class OutgoingMailQuerySet(models.QuerySet["OutgoingMail"]):
    def due(self, *, now: datetime) -> "OutgoingMailQuerySet":
        """Not sent yet and, after a failure, not to be tried later than now."""
        return self.filter(sent_at__isnull=True, next_attempt_at__lte=now).order_by("created_at")


class OutgoingMail(models.Model):
    """A mail written in the same transaction as what it tells of, and sent by a sweep afterwards.

    ``key`` names the event (``booking-confirmed:<id>``): the same event never writes two mails.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mails", null=True, blank=True
    )
    address = models.EmailField(blank=True, help_text="Where to, if not to the user's own address.")
    key = models.CharField(max_length=200)
    subject = models.CharField(max_length=250)
    text = models.TextField()
    html = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    objects = OutgoingMailQuerySet.as_manager()

    class Meta:
        db_table = "outgoing_mails"
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="outgoing_mails_once_an_event"),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(sent_at=None), name="outgoing_mails_due"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def is_private(self) -> bool:
        return self.key.startswith(PRIVATE)

    @property
    def recipient(self) -> str:
        return self.address or (self.user.email if self.user else "")


class NotificationQuerySet(models.QuerySet["Notification"]):
    def unread(self) -> "NotificationQuerySet":
        return self.filter(read_at=None)


class Notification(models.Model):
    """Something a person should know, shown in the page. Mail is written beside it, not instead."""

    class Tone(models.TextChoices):
        INFO = "info", "Information"
        GOOD = "good", "Good news"
        WARN = "warn", "Attention"
        BAD = "bad", "Trouble"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications", db_column="customer_id")
    key = models.CharField(max_length=200, help_text="Names the event; the same event is told once.")
    at = models.DateTimeField(default=timezone.now)
    tone = models.CharField(max_length=10, choices=Tone.choices, default=Tone.INFO)
    title = models.CharField(max_length=200)
    text = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=300, blank=True, help_text="A path of this site.")
    read_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        db_table = "notifications"
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notifications_once")]
        indexes = [
            models.Index(fields=["user", "-at"], name="notifications_of_user"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notifications_unread"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def mark_tone(self) -> str:
        """As marks call it."""
        return "soft" if self.tone == self.Tone.INFO else self.tone
