"""Forms about single sign-on: what an administrator enters, and where somebody says at whose provider they sign in."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import EmailDomain, Organization, OrganizationRole, SignOnKind, SingleSignOn
from accounts.organization_words import WHAT_ROLES_DO
from accounts.sso.certificates import LONGEST_METADATA, read_metadata
from common.errors import MarketplaceError

#: Addresses of pages that an organization's own address would hide.
TAKEN = frozenset({"go", "new"})
PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


def first_roles() -> list[tuple[str, str]]:
    return [(str(role), f"{OrganizationRole(role).label}: {WHAT_ROLES_DO[role]}") for role in SingleSignOn.FIRST_ROLES]


class SignOnForm(forms.Form):
    """What both protocols need."""

    kind: SignOnKind

    slug = forms.SlugField(
        label=_("Address to sign in at"),
        max_length=40,
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_("The end of the address that your members open. Letters, digits and hyphens."),
    )
    first_role = forms.ChoiceField(
        label=_("Role of new members"),
        choices=first_roles,
        widget=forms.RadioSelect,
        help_text=_("Of whoever comes for the first time. You can give them another one afterwards."),
    )

    def __init__(self, *args: Any, organization: Organization, stored: SingleSignOn | None, **kwargs: Any) -> None:
        kwargs.setdefault("initial", self._known(organization, stored))
        super().__init__(*args, **kwargs)

    def _known(self, organization: Organization, stored: SingleSignOn | None) -> dict[str, Any]:
        if stored is None:
            return {"slug": slugify(organization.name)[:40], "first_role": OrganizationRole.MEMBER}
        known = {"slug": stored.slug, "first_role": stored.first_role}
        if stored.kind == self.kind:
            known |= {name: getattr(stored, name) for name in self.base_fields if hasattr(stored, name)}
        return known

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"].lower()
        if slug in TAKEN:
            raise ValidationError(gettext("This address is taken. Choose another one."))
        return slug


class OIDCForm(SignOnForm):
    """OpenID Connect."""

    kind = SignOnKind.OIDC

    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=500,
        widget=forms.URLInput(attrs=PLAIN),
        help_text=_("As in https://login.example.org/realms/staff, without /.well-known at its end."),
    )
    client_id = forms.CharField(label=_("Client ID"), max_length=191, widget=forms.TextInput(attrs=PLAIN))
    secret = forms.CharField(
        label=_("Client secret"),
        max_length=500,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("It is stored sealed and never shown again. Empty: the stored one stays."),
    )

    def clean_issuer(self) -> str:
        """As the provider writes it: a slash at the end counts."""
        issuer: str = self.cleaned_data["issuer"].strip()
        return issuer.removesuffix("/.well-known/openid-configuration")


class SAMLForm(SignOnForm):
    """SAML: the provider's metadata, or what of it matters."""

    kind = SignOnKind.SAML

    metadata = forms.CharField(
        label=_("Metadata of the provider"),
        max_length=LONGEST_METADATA,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, **PLAIN}),
        help_text=_("The XML, pasted whole. Then nothing else is needed of the next three."),
    )
    issuer = forms.CharField(label=_("Entity ID"), max_length=500, required=False, widget=forms.TextInput(attrs=PLAIN))
    sign_in_url = forms.CharField(
        label=_("Sign-in address"),
        max_length=500,
        required=False,
        widget=forms.URLInput(attrs=PLAIN),
        help_text=_("For HTTP-Redirect."),
    )
    certificates = forms.CharField(
        label=_("Certificate"),
        max_length=50_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, **PLAIN}),
        help_text=_("What it signs with, as PEM. While it changes its key: both, one after the other."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        pasted = cleaned.pop("metadata", "")
        if pasted:
            try:
                found = read_metadata(pasted)
            except MarketplaceError as error:
                raise ValidationError({"metadata": error.message}) from error
            return cleaned | {
                "issuer": found.issuer,
                "sign_in_url": found.sign_in_url,
                "certificates": found.certificates,
            }
        for name in ("issuer", "sign_in_url", "certificates"):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, gettext("Paste the metadata, or fill this in."))
        return cleaned


FORMS: dict[str, type[SignOnForm]] = {SignOnKind.OIDC: OIDCForm, SignOnKind.SAML: SAMLForm}


class DomainForm(forms.Form):
    """A domain that is the organization's."""

    domain = forms.CharField(
        label=_("E-mail domain"),
        max_length=253,
        validators=EmailDomain._meta.get_field("domain").validators[:1],
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "example.org"}),
        help_text=_("What stands behind the @. Each subdomain is a domain of its own."),
    )

    def __init__(self, data: Any = None) -> None:
        typed = data.copy() if data else None
        if typed is not None:
            typed["domain"] = _in_ascii(typed.get("domain", ""))
        super().__init__(typed)


def _in_ascii(domain: str) -> str:
    """As mail servers write it, without a leading @; what cannot be written so is left for the form to refuse."""
    plain = domain.strip().removeprefix("@").rstrip(".").lower()
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


class WhereForm(forms.Form):
    """Whose provider it is, by the address that somebody has there."""

    email = forms.EmailField(
        label=_("Your e-mail address at your organization"),
        widget=forms.EmailInput(attrs={"autocomplete": "email", "autofocus": True}),
    )
