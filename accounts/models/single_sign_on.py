"""How members of an organization sign in at a provider of its own: the connection, its e-mail domains, and each use."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.organization import Organization, OrganizationRole
from accounts.models.user import CaseInsensitiveEmailField, User
from common.ids import uuid7

#: A name in the DNS with at least one dot, in lower case; other scripts in their ASCII form (RFC 5891).
DOMAIN = RegexValidator(
    r"\A(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+\Z",
    _("This is no domain. It is what stands behind the @ of your addresses, as in example.org."),
)


class SignOnKind(models.TextChoices):
    OIDC = "oidc", _("OpenID Connect")
    SAML = "saml", _("SAML 2.0")


class SingleSignOn(models.Model):
    """An organization's connection to the provider at which its members sign in; at most one each.

    ``id`` is what django-allauth calls the provider in its accounts: it never comes again, as an address could.
    """

    #: What somebody who comes for the first time may become. More than that an administrator gives.
    FIRST_ROLES = (OrganizationRole.MEMBER, OrganizationRole.VIEWER)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="single_sign_on")
    slug = models.SlugField(_("address"), max_length=40, unique=True)
    kind = models.CharField(_("protocol"), max_length=10, choices=SignOnKind.choices, default=SignOnKind.OIDC)
    issuer = models.CharField(
        _("issuer"), max_length=500, help_text="Of OpenID Connect its issuer, of SAML the provider's entity ID."
    )
    client_id = models.CharField(_("client ID"), max_length=191, blank=True, help_text="Of OpenID Connect.")
    sealed_secret = models.TextField(blank=True, help_text="Of OpenID Connect: the client secret (common.sealing).")
    sign_in_url = models.CharField(_("sign-in address"), max_length=500, blank=True, help_text="Of SAML.")
    certificates = models.TextField(
        _("certificates"), blank=True, help_text="Of SAML: what the provider signs with, as PEM, one after the other."
    )
    first_role = models.CharField(
        _("role of new members"), max_length=20, choices=OrganizationRole.choices, default=OrganizationRole.MEMBER
    )
    is_required = models.BooleanField(_("members must sign in by it"), default=False)
    proved_at = models.DateTimeField(
        _("first sign-in"),
        null=True,
        blank=True,
        help_text="When somebody signed in by it for the first time since it was set up as it is now.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "single_sign_on"
        verbose_name = _("single sign-on")
        verbose_name_plural = _("single sign-on")
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="oidc", sign_in_url="", certificates="") & ~Q(client_id="") & ~Q(sealed_secret="")
                | Q(kind="saml", client_id="", sealed_secret="") & ~Q(sign_in_url="") & ~Q(certificates=""),
                name="single_sign_on_of_a_kind",
            ),
            models.CheckConstraint(
                condition=Q(first_role__in=["member", "viewer"]), name="single_sign_on_first_role_small"
            ),
            models.CheckConstraint(
                condition=Q(is_required=False) | Q(proved_at__isnull=False), name="single_sign_on_proved_if_required"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.issuer}"

    @property
    def provider_id(self) -> str:
        """What django-allauth's accounts name it by."""
        return self.id.hex


class EmailDomainQuerySet(models.QuerySet["EmailDomain"]):
    def approved(self) -> "EmailDomainQuerySet":
        """Those for whose addresses the organization's provider may speak."""
        return self.exclude(approved_at=None)


class EmailDomain(models.Model):
    """A domain of e-mail addresses that an organization says is its own; a platform administrator finds out whether it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="email_domains")
    domain = models.CharField(_("domain"), max_length=253, validators=[DOMAIN])
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = EmailDomainQuerySet.as_manager()

    class Meta:
        db_table = "email_domains"
        verbose_name = _("e-mail domain")
        verbose_name_plural = _("e-mail domains")
        ordering = ["domain"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "domain"], name="email_domains_once_an_organization"),
            models.UniqueConstraint(
                fields=["domain"], condition=Q(approved_at__isnull=False), name="email_domains_one_organization"
            ),
            models.CheckConstraint(
                condition=Q(domain=models.functions.Lower("domain")), name="email_domains_in_lower_case"
            ),
        ]

    def __str__(self) -> str:
        return self.domain


class SignOnOutcome(models.TextChoices):
    SIGNED_IN = "signed_in", _("Signed in")
    JOINED = "joined", _("Joined and signed in")
    CONFIRMED = "confirmed", _("Showed again who they are")
    REFUSED = "refused", _("Refused")


class SignOnUse(models.Model):
    """Somebody came back from the provider. ``email`` is what the provider said, and is forgotten in time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="sign_on_uses")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="sign_on_uses")
    email = CaseInsensitiveEmailField(_("e-mail"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=SignOnOutcome.choices)
    reason = models.CharField(_("reason"), max_length=300, blank=True, help_text="Why it was refused, in English.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "sign_on_uses"
        verbose_name = _("sign-in at the provider")
        verbose_name_plural = _("sign-ins at the provider")
        ordering = ["-at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["signed_in", "joined", "confirmed", "refused"]),
                name="sign_on_uses_outcome_known",
            ),
        ]
        indexes = [models.Index(fields=["organization", "-at"], name="sign_on_uses_of_organization")]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}, {self.at:%Y-%m-%d %H:%M} UTC"
