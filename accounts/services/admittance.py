"""Who is let in by what an organization's provider says, and as whom.

An organization's administrator chooses the provider, so it may be anybody's, and say anything. It is believed about
addresses of the organization's approved domains alone, and signs in only as its members (docs/decisions/0045).
"""

import logging
from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext, gettext_noop

from accounts.models import EmailDomain, Membership, Organization, Role, SignOnOutcome, SignOnUse, SingleSignOn, User
from accounts.permissions import membership_of
from accounts.services import organization_news as news
from accounts.services import sign_on_news
from accounts.services.languages import keep_language
from accounts.services.memberships import join
from accounts.services.organizations import locked_organization
from accounts.services.retention import forget_account
from accounts.sso.asserted import Asserted
from common.errors import MarketplaceError
from common.history.facts import also
from common.rates import TooManyRequests, spend

log = logging.getLogger(__name__)

#: The provider's clock and ours may be so far apart, in seconds.
LEEWAY = 60
#: So many failures of an organization are written down; whoever makes more of them by hand fills no table.
FAILURES = "60/hour"
#: What of a connection says who is believed. While somebody is at the provider, it stays as it was.
CONNECTION = ("kind", "issuer", "client_id", "sealed_secret", "sign_in_url", "certificates")


class SignInRefused(MarketplaceError):
    """What the provider says lets nobody in. ``recorded`` is what is written down: in English, and without the address."""

    def __init__(self, sentence: str, **words: str) -> None:
        super().__init__(gettext(sentence) % words)
        self.recorded = sentence % (words | {"email": "the address"})


def domain_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def sign_on_for(email: str) -> SingleSignOn | None:
    """Where people with such an address sign in, if an organization has said so and its domain is approved."""
    approved = EmailDomain.objects.approved().filter(domain=domain_of(email))
    found = SingleSignOn.objects.filter(organization__in=approved.values("organization"))
    return found.select_related("organization").first()


def looking_after_one() -> QuerySet[User]:
    """Owners and administrators, of whatever organization: more hangs on their accounts than what is their own."""
    administrators = Membership.objects.administrators().values("user")
    return User.objects.filter(Q(pk__in=administrators) | Q(pk__in=Organization.objects.values("owner")))


def required_of(user: User) -> SingleSignOn | None:
    """The provider that this person has to sign in at, if any.

    Never the organization's owner, who could otherwise be locked out with everybody else, and nobody whom no provider may
    sign in (:func:`_require_ordinary`). Whoever looks after an organization is linked to the provider only while they are
    signed in (:func:`_linked`): until then they come in as they always did.
    """
    if user.is_staff or user.is_superuser or user.is_platform_administrator:
        return None
    mine = Membership.objects.current().filter(user=user).exclude(organization__owner=user).values("organization")
    domains = EmailDomain.objects.approved().filter(domain=domain_of(user.email), organization__in=mine)
    found = SingleSignOn.objects.filter(is_required=True, organization__in=domains.values("organization"))
    sign_on = found.select_related("organization").first()
    if sign_on is None or SocialAccount.objects.filter(user=user, provider=sign_on.provider_id).exists():
        return sign_on
    return None if looking_after_one().filter(pk=user.pk).exists() else sign_on


def holds_primary(user: User, address: str) -> SingleSignOn | None:
    """The provider because of which ``address`` cannot become this person's own one: it would free them of it."""
    sign_on = required_of(user)
    if sign_on is None or sign_on.organization.email_domains.approved().filter(domain=domain_of(address)).exists():
        return None
    return sign_on


def linked_to(user: User) -> SingleSignOn | None:
    """A provider at which this person can show who they are, as a member of its organization."""
    names = SocialAccount.objects.filter(user=user).values_list("provider", flat=True)
    known = [pk for name in names if (pk := _uuid(name))]
    mine = Membership.objects.current().filter(user=user).values("organization")
    return SingleSignOn.objects.filter(pk__in=known, organization__in=mine).select_related("organization").first()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(hex=text)
    except ValueError:
        return None


def admit(*, sign_on: SingleSignOn, said: Asserted, signed_in: User | None, now: datetime) -> SocialAccount:
    """Whose account it is, made now where there is none; its person belongs to the organization, or does from now on.

    Args:
        sign_on: the connection by which the provider was believed just now.
        signed_in: who is signed in here already, by means of their own: they may join with that very account.

    Raises:
        SignInRefused: the provider may not say this, or the person may not come in by it, or the connection is another
            one by now. It is written down.
    """
    try:
        with transaction.atomic():
            row = _locked(sign_on)
            account, outcome = _admitted(row, said, signed_in, now)
            _note(row, outcome, user=account.user, email=said.email, now=now)
            if row.proved_at is None:
                row.proved_at = now
                row.save(update_fields=["proved_at"])
    except SignInRefused as error:
        _note(sign_on, SignOnOutcome.REFUSED, email=said.email, reason=error.recorded, now=now)
        raise
    except IntegrityError as error:  # the address signed up, or came by another organization, in this very moment
        log.info("single sign-on %s: %s", sign_on.pk, error)
        raise SignInRefused(
            gettext_noop("Something else was done with your address in this moment. Try again.")
        ) from error
    log.info("single sign-on %s: user %s, %s", sign_on.pk, account.user_id, outcome)
    return account


def confirm_again(*, sign_on: SingleSignOn, said: Asserted, user: User, began: float, now: datetime) -> None:
    """Somebody who is signed in has shown at the provider again that it is them.

    Args:
        began: when they were sent there, in seconds since 1970.

    Raises:
        SignInRefused: it is somebody else, or the provider has not asked them again. It is written down.
    """
    try:
        account = SocialAccount.objects.filter(provider=sign_on.provider_id, uid=said.uid, user=user).first()
        if account is None or membership_of(user, sign_on.organization) is None:
            raise SignInRefused(gettext_noop("At the provider somebody else is signed in than here."))
        if said.authenticated_at is None or said.authenticated_at < began - LEEWAY:
            raise SignInRefused(
                gettext_noop("The provider of %(organization)s did not ask you again. Have a code mailed instead."),
                organization=sign_on.organization.name,
            )
    except SignInRefused as error:
        _note(sign_on, SignOnOutcome.REFUSED, user=user, email=said.email, reason=error.recorded, now=now)
        raise
    _note(sign_on, SignOnOutcome.CONFIRMED, user=user, email=said.email, now=now)


def note_failure(*, sign_on: SingleSignOn, reason: str, now: datetime) -> None:
    """What came back was not what the protocol wants: for the organization's administrators to find out why."""
    try:
        spend(FAILURES, "sign-on-failures", str(sign_on.pk))
    except TooManyRequests:
        return
    _note(sign_on, SignOnOutcome.REFUSED, reason=reason, now=now)


def _note(
    sign_on: SingleSignOn,
    outcome: str,
    *,
    user: User | None = None,
    email: str = "",
    reason: str = "",
    now: datetime,
) -> None:
    if user is not None:
        also(user=user.pk)
    SignOnUse.objects.create(
        organization=sign_on.organization, user=user, email=email[:254], outcome=outcome, reason=reason[:300], at=now
    )


# Deciding -------------------------------------------------------------------------------------------------


def _locked(believed: SingleSignOn) -> SingleSignOn:
    """The connection, until the transaction ends nobody else's to change; with its organization, likewise.

    Raises:
        SignInRefused: it is not the one any more by which the provider was believed.
    """
    organization = locked_organization(believed.organization_id)
    row = SingleSignOn.objects.select_for_update(no_key=True).filter(pk=believed.pk).first()
    if row is None or any(getattr(row, name) != getattr(believed, name) for name in CONNECTION):
        raise SignInRefused(
            gettext_noop("The provider of %(organization)s was changed while you were there. Try again."),
            organization=organization.name,
        )
    row.organization = organization
    return row


def _admitted(
    sign_on: SingleSignOn, said: Asserted, signed_in: User | None, now: datetime
) -> tuple[SocialAccount, SignOnOutcome]:
    organization = sign_on.organization
    _require_address(organization, said)
    account = SocialAccount.objects.filter(provider=sign_on.provider_id, uid=said.uid).select_related("user").first()
    user = account.user if account else _known(said.email, now=now)
    if user is None:
        user = _made(said)
        return _joined(sign_on, said, user, now), SignOnOutcome.JOINED
    _require_ordinary(organization, user)
    is_here_themselves = signed_in is not None and signed_in.pk == user.pk
    if membership_of(user, organization) is None:
        _require_never_left(organization, user)
        if not is_here_themselves:
            raise SignInRefused(
                gettext_noop(
                    "There is an account with %(email)s already, which does not belong to %(organization)s. Sign in to it "
                    "as you always do, then come here once more: you join with it."
                ),
                email=said.email,
                organization=organization.name,
            )
        return _joined(sign_on, said, user, now), SignOnOutcome.JOINED
    return account or _linked(sign_on, said, user, is_here_themselves, now), SignOnOutcome.SIGNED_IN


def _require_address(organization: Organization, said: Asserted) -> None:
    """
    Raises:
        SignInRefused: the provider names no address, or one that it may not speak for.
    """
    try:
        validate_email(said.email)
    except ValidationError as error:
        raise SignInRefused(
            gettext_noop("The provider of %(organization)s did not say what your e-mail address is."),
            organization=organization.name,
        ) from error
    if not organization.email_domains.approved().filter(domain=domain_of(said.email)).exists():
        raise SignInRefused(
            gettext_noop("%(organization)s signs in people with addresses of its own, and %(email)s is none of them."),
            organization=organization.name,
            email=said.email,
        )
    if said.is_unconfirmed:
        raise SignInRefused(
            gettext_noop(
                "The provider of %(organization)s has not confirmed that %(email)s is yours. Confirm it there first."
            ),
            organization=organization.name,
            email=said.email,
        )


def _require_ordinary(organization: Organization, user: User) -> None:
    """
    Raises:
        SignInRefused: nobody's provider may sign in as this person.
    """
    if not user.is_active:
        raise SignInRefused(gettext_noop("This account is not active any more."))
    if user.is_staff or user.is_superuser or user.is_platform_administrator:
        raise SignInRefused(
            gettext_noop(
                "Whoever administers the marketplace signs in with means of their own, and at no other provider."
            )
        )
    is_confirmed = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
    is_inside = organization.email_domains.approved().filter(domain=domain_of(user.email)).exists()
    if not is_confirmed or not is_inside:
        raise SignInRefused(
            gettext_noop(
                "Your account's own address is not one of %(organization)s. Sign in as you always do, and make your address "
                "there the primary one first."
            ),
            organization=organization.name,
        )


def _require_never_left(organization: Organization, user: User) -> None:
    """
    Raises:
        SignInRefused: they belonged to it once. The provider does not bring back whom an administrator has removed.
    """
    if organization.memberships.filter(user=user).exists():
        raise SignInRefused(
            gettext_noop(
                "You do not belong to %(organization)s any more. Its administrators can invite you again; until then, "
                "sign in with a password of your own."
            ),
            organization=organization.name,
        )


def _known(email: str, *, now: datetime) -> User | None:
    """Whose confirmed address it is. An account that somebody began with it and never confirmed gives way."""
    confirmed = EmailAddress.objects.filter(email__iexact=email, verified=True).select_related("user").first()
    if confirmed is not None:
        found: User = confirmed.user
        return found
    user = User.objects.filter(email=email).first()
    if user is None or (_never_came(user) and forget_account(user, now=now)):
        return None
    return user


def _never_came(user: User) -> bool:
    """They typed the address where one signs up, and that was all. Whoever was made in the administration did not."""
    is_nobody = not (user.is_staff or user.is_superuser or user.is_platform_administrator)
    return is_nobody and user.last_login is None and EmailAddress.objects.filter(user=user).exists()


def _made(said: Asserted) -> User:
    """A new account, without a password, whose address is confirmed: the organization speaks for its own domain."""
    user = User.objects.create_user(said.email.lower(), name=said.name.strip()[:120], roles=[Role.BUYER])
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    keep_language(user=user)
    return user


def _joined(sign_on: SingleSignOn, said: Asserted, user: User, now: datetime) -> SocialAccount:
    """With the role of an invitation that waits for them, else with that of everybody who is new."""
    organization = sign_on.organization
    also(user=user.pk)
    invitation = organization.invitations.open(now=now).filter(email=said.email).first()
    if invitation is not None:
        invitation.accepted_at, invitation.accepted_by = now, user
        invitation.save(update_fields=["accepted_at", "accepted_by"])
    role = invitation.role if invitation else sign_on.first_role
    news.joined_by_sign_on(join(organization=organization, user=user, role=role, now=now), now=now)
    return _linked(sign_on, said, user, True, now)


def _linked(
    sign_on: SingleSignOn, said: Asserted, user: User, is_here_themselves: bool, now: datetime
) -> SocialAccount:
    """From now on it is they whom the provider calls so. They are told.

    Raises:
        SignInRefused: the provider has called them otherwise until now: the address may be another person's by now. Or
            they look after an organization: any administrator of it could choose a provider that says it is them.
    """
    if not is_here_themselves and looking_after_one().filter(pk=user.pk).exists():
        raise SignInRefused(
            gettext_noop(
                "You look after an organization here. Before the provider of %(organization)s signs you in, show here that "
                "it is you: sign in with a password – “Forgotten?” gives you one – then come here again."
            ),
            organization=sign_on.organization.name,
        )
    others = SocialAccount.objects.filter(provider=sign_on.provider_id, user=user).exclude(uid=said.uid)
    if others.exists() and not is_here_themselves:
        raise SignInRefused(
            gettext_noop(
                "The provider of %(organization)s knows the owner of this account by another identifier. If it is you, sign "
                "in with a password first – “Forgotten?” gives you one – then come here again."
            ),
            organization=sign_on.organization.name,
        )
    others.delete()
    account, is_new = SocialAccount.objects.get_or_create(
        provider=sign_on.provider_id, uid=said.uid, defaults={"user": user}
    )
    if is_new:
        sign_on_news.linked(sign_on, user, now=now)
    return account
