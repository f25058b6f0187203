"""People and their roles."""

import zoneinfo
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from common.ids import uuid7
from common.languages import known


class CaseInsensitiveEmailField(models.EmailField):  # type: ignore[type-arg]
    """An e-mail address in PostgreSQL's ``citext``: one address, however it is written."""

    def db_type(self, connection: Any) -> str:
        return "citext"


class Role(models.TextChoices):
    """What a person may do. One person may hold several."""

    BUYER = "buyer", _("Buyer")
    PROVIDER = "provider", _("Provider")
    PLATFORM_ADMINISTRATOR = "platform_administrator", _("Platform Administrator")
    ORGANIZATIONAL_ADMINISTRATOR = "organizational_administrator", _("Organizational Administrator")


def check_timezone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(
            gettext("“%(name)s” is not a time zone. Use a name such as Europe/Berlin.") % {"name": name}
        )


def check_language(code: str) -> None:
    if not known(code):
        raise ValidationError(gettext("“%(code)s” is none of the languages here.") % {"code": code})


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
    language = models.CharField(
        max_length=12, blank=True, validators=[check_language], help_text="Empty: the browser's; mails are in English."
    )
    country = CountryField(blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May enter the administration.")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    #: Of the one in hand, never stored: whoever asks is a program with a token, or has not shown a second factor. Then an
    #: administrator is a person like others (accounts.sessions, accounts.services.tokens).
    is_limited = False

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        db_table = "users"
        constraints = [models.CheckConstraint(condition=Q(roles__contained_by=Role.values), name="users_roles_known")]

    def __str__(self) -> str:
        return str(self.email)

    @property
    def public_name(self) -> str:
        """What other people see: never the e-mail address."""
        return str(self.organization_name or self.name or gettext("Member %(id)s") % {"id": self.id.hex[-6:]})

    @property
    def known_as(self) -> str:
        """What those who belong to the same organization see."""
        return str(self.name or self.email)

    @property
    def is_provider(self) -> bool:
        return Role.PROVIDER in self.roles

    @property
    def is_platform_administrator(self) -> bool:
        """Decides about people, machines and money. Entering the administration (``is_staff``) is less than that."""
        return Role.PLATFORM_ADMINISTRATOR in self.roles and not self.is_limited

    @property
    def is_verified(self) -> bool:
        """Whether an administrator has approved this person's or institution's papers, and not too long ago."""
        return any(verification.is_valid for verification in self.verifications.all())
