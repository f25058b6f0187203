"""At which provider the members of an organization sign in, and for which e-mail domains it may speak.

An administrator of the organization sets up the provider; whether a domain is the organization's, a platform administrator
finds out (docs/decisions/0045). Without an approved domain a provider signs in nobody.
"""

import logging
from datetime import datetime
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from accounts.models import EmailDomain, Organization, SignOnKind, SingleSignOn, User
from accounts.permissions import OrganizationAction, require_in
from accounts.services import organization_news as news
from accounts.services import sign_on_news
from accounts.services.organizations import OrganizationError, locked_organization
from accounts.services.roles import require_administrator
from accounts.services.sign_on_members import looking_after_one
from accounts.sso import oidc
from accounts.sso.certificates import checked_certificates
from accounts.sso.network import Unreachable
from common import outward
from common.errors import violates
from common.sealing import seal

log = logging.getLogger(__name__)

MOST_DOMAINS = 20
#: A browser goes to the sign-in address of SAML, on whatever port: nothing is sent there from here.
ANY_PORT = range(1, 65536)


class SignOnError(OrganizationError):
    """Single sign-on cannot be set up like this."""


# The provider ---------------------------------------------------------------------------------------------


def save_oidc(
    *,
    organization: Organization,
    by: User,
    slug: str,
    issuer: str,
    client_id: str,
    secret: str,
    first_role: str,
    now: datetime,
) -> SingleSignOn:
    """Have members sign in by OpenID Connect. The provider is asked what it says about itself, now.

    Args:
        secret: empty: the one that is stored stays.

    Raises:
        SignOnError: the address is taken, there is no secret, or the provider does not answer as the protocol says.
        common.outward.TargetRefused: nothing is asked at such an address.
        NotAllowed: ``by`` may not, or not any more.
    """
    require_in(by, organization, OrganizationAction.EDIT_SIGN_ON)
    _check_issuer(issuer)
    stored = SingleSignOn.objects.filter(organization=organization, kind=SignOnKind.OIDC).first()
    if not secret and (stored is None or stored.issuer != issuer):
        raise SignOnError(gettext("Enter the client secret that the provider gave you."), field="secret")
    sealed = seal(secret) if secret or stored is None else stored.sealed_secret
    values = {"kind": SignOnKind.OIDC, "issuer": issuer, "client_id": client_id, "sealed_secret": sealed}
    return _save(organization, by, slug, first_role, values | {"sign_in_url": "", "certificates": ""}, now)


def save_saml(
    *,
    organization: Organization,
    by: User,
    slug: str,
    issuer: str,
    sign_in_url: str,
    certificates: str,
    first_role: str,
    now: datetime,
) -> SingleSignOn:
    """Have members sign in by SAML.

    Raises:
        SignOnError: the address is taken.
        accounts.sso.certificates.WrongProvider: a certificate is none, or weak.
        common.outward.TargetRefused: the sign-in address is none for a browser to go to.
        NotAllowed: ``by`` may not, or not any more.
    """
    outward.checked_url(sign_in_url, ports=ANY_PORT, field="sign_in_url")
    values = {
        "kind": SignOnKind.SAML,
        "issuer": issuer,
        "sign_in_url": sign_in_url,
        "certificates": checked_certificates(certificates),
        "client_id": "",
        "sealed_secret": "",
    }
    return _save(organization, by, slug, first_role, values, now)


def _check_issuer(issuer: str) -> None:
    parts = outward.checked_url(issuer, ports=settings.MARKETPLACE_WEBHOOK_PORTS, field="issuer")
    outward.addresses_of(parts, field="issuer")
    try:
        oidc.discover(issuer)
    except (oidc.NotOpenID, Unreachable) as error:
        raise SignOnError(
            gettext("The provider does not answer as OpenID Connect says: %(why)s") % {"why": error}, field="issuer"
        ) from error


def _save(
    organization: Organization, by: User, slug: str, first_role: str, values: dict[str, Any], now: datetime
) -> SingleSignOn:
    """What was changed has to be proved before it is required again. Who looks after the organization is told."""
    try:
        with transaction.atomic():
            row = locked_organization(organization.pk)
            require_in(by, row, OrganizationAction.EDIT_SIGN_ON)
            found = SingleSignOn.objects.filter(organization=row).first()
            sign_on = found or SingleSignOn(organization=row)
            before = {name: getattr(sign_on, name) for name in values}
            is_changed = found is None or before != values
            if is_changed:
                sign_on.proved_at, sign_on.is_required = None, False
            if found:
                _forget_accounts_of_another(found, before, values)
            for name, value in (values | {"slug": slug, "first_role": first_role}).items():
                setattr(sign_on, name, value)
            sign_on.save()
            if is_changed:
                sign_on_news.saved(sign_on, by=by, now=now)
    except IntegrityError as error:
        if not violates(error, "single_sign_on_slug_key"):
            raise
        raise SignOnError(
            gettext("Another organization has this address. Choose another one."), field="slug"
        ) from error
    log.info("single sign-on %s of organization %s saved by user %s", sign_on.pk, row.pk, by.pk)
    return sign_on


def _forget_accounts_of_another(sign_on: SingleSignOn, before: dict[str, Any], values: dict[str, Any]) -> None:
    """Another provider knows nobody yet. One of the same name that signs with other keys may be another one, too: it
    goes on for members, and whoever looks after an organization shows again that it is them (``admittance``)."""
    is_other = {name for name in values if before[name] != values[name]}
    if is_other & {"kind", "issuer"}:
        _forget_accounts(sign_on)
    elif is_other & {"client_id", "certificates"}:
        SocialAccount.objects.filter(provider=sign_on.provider_id, user__in=looking_after_one()).delete()


def _forget_accounts(sign_on: SingleSignOn) -> None:
    """Whom the provider knows by which identifier. The people and their memberships stay."""
    SocialAccount.objects.filter(provider=sign_on.provider_id).delete()


@transaction.atomic
def require_sign_on(*, organization: Organization, by: User, is_required: bool, now: datetime) -> SingleSignOn:
    """Refuse members with addresses of the organization's domains every other way to sign in, or allow it again.

    Never its owner: whatever becomes of the provider, somebody can still come in and change it
    (:func:`accounts.services.sign_on_members.required_of`).

    Raises:
        SignOnError: nobody has signed in by it as it is set up now, or no domain is approved.
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_SIGN_ON)
    sign_on = SingleSignOn.objects.filter(organization=row).first()
    if sign_on is None:
        raise SignOnError(gettext("There is no provider yet. Set it up first."))
    if is_required and sign_on.proved_at is None:
        raise SignOnError(
            gettext(
                "Nobody has signed in by it since it was set up like this. Do so yourself first, to see that it works."
            )
        )
    if is_required and not row.email_domains.approved().exists():
        raise SignOnError(gettext("None of your domains is approved yet, so this would be required of nobody."))
    if sign_on.is_required != is_required:
        sign_on.is_required = is_required
        sign_on.save(update_fields=["is_required"])
        sign_on_news.required(sign_on, by=by, now=now)
        log.info("single sign-on of organization %s required: %s, by user %s", row.pk, is_required, by.pk)
    return sign_on


@transaction.atomic
def remove_sign_on(*, organization: Organization, by: User, now: datetime) -> None:
    """Nobody signs in by it any more. Whoever has no password gets one by mail. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_SIGN_ON)
    sign_on = SingleSignOn.objects.filter(organization=row).first()
    if sign_on is not None:
        _forget_accounts(sign_on)
        sign_on.delete()
        sign_on_news.removed(row, by=by, now=now)
        log.info("single sign-on of organization %s removed by user %s", row.pk, by.pk)


# Its domains ----------------------------------------------------------------------------------------------


@transaction.atomic
def ask_for_domain(*, organization: Organization, by: User, domain: str, now: datetime) -> EmailDomain:
    """Say that a domain is the organization's. It counts once a platform administrator has approved it.

    Raises:
        SignOnError: it is named already, too many are, or it is approved for another organization.
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_SIGN_ON)
    domain = domain.lower()
    if row.email_domains.count() >= MOST_DOMAINS:
        raise SignOnError(
            gettext("There are %(most)d domains already. Remove one first.") % {"most": MOST_DOMAINS}, field="domain"
        )
    if row.email_domains.filter(domain=domain).exists():
        raise SignOnError(gettext("This domain is in the list already."), field="domain")
    if EmailDomain.objects.approved().filter(domain=domain).exists():
        raise SignOnError(
            gettext("This domain belongs to another organization here. If that is wrong, write to us."), field="domain"
        )
    made = EmailDomain.objects.create(organization=row, domain=domain, asked_by=by, asked_at=now)
    news.domain_asked(row, made, now=now)
    return made


@transaction.atomic
def remove_domain(*, domain: EmailDomain, by: User) -> None:
    """The provider speaks for its addresses no more. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(domain.organization_id)
    require_in(by, row, OrganizationAction.EDIT_SIGN_ON)
    EmailDomain.objects.filter(pk=domain.pk).delete()


@transaction.atomic
def approve_domain(*, domain: EmailDomain, by: User, now: datetime) -> EmailDomain:
    """A platform administrator has found out that it is the organization's. Approving it twice is quiet.

    Raises:
        SignOnError: another organization has it.
        NotAnAdministrator: ``by`` is none.
    """
    require_administrator(by)
    row = _locked_domain(domain)
    if row.approved_at is None:
        if EmailDomain.objects.approved().filter(domain=row.domain).exists():
            raise SignOnError(gettext("It is approved for another organization. Withdraw it there first."))
        row.approved_at, row.approved_by = now, by
        row.save(update_fields=["approved_at", "approved_by"])
        news.domain_approved(row.organization, row.domain, now=now)
        log.info("domain %s of organization %s approved by user %s", row.domain, row.organization_id, by.pk)
    return row


@transaction.atomic
def withdraw_domain(*, domain: EmailDomain, by: User) -> EmailDomain:
    """From now on the organization's provider speaks for none of its addresses. Doing so twice is quiet.

    Raises:
        NotAnAdministrator: ``by`` is none.
    """
    require_administrator(by)
    row = _locked_domain(domain)
    if row.approved_at is not None:
        row.approved_at = row.approved_by = None
        row.save(update_fields=["approved_at", "approved_by"])
        log.info("domain %s of organization %s withdrawn by user %s", row.domain, row.organization_id, by.pk)
    return row


def _locked_domain(domain: EmailDomain) -> EmailDomain:
    found = EmailDomain.objects.select_for_update(of=("self",)).select_related("organization")
    return found.get(pk=domain.pk)
