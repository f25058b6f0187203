"""Who is let in by what an organization's provider says, and as whom.

An organization's administrator chooses the provider, so it may be anybody's, and say anything. It is believed about
addresses of the organization's approved domains alone, and signs in only as its members (docs/decisions/0045).
"""

import logging
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from accounts.models import Role, SignOnOutcome, SingleSignOn, User
from accounts.names import has_address
from accounts.permissions import membership_of
from accounts.services import organization_news as news
from accounts.services import sign_on_news
from accounts.services.languages import keep_language
from accounts.services.memberships import join
from accounts.services.organizations import locked_organization
from accounts.services.retention import forget_account
from accounts.services.sign_on_members import is_ordinary, looking_after_one
from accounts.services.sign_on_refusals import SignInRefused, require_address, require_never_left, require_ordinary
from accounts.services.sign_on_uses import note
from accounts.sso.asserted import Asserted
from common.history.facts import also

log = logging.getLogger(__name__)

#: The provider's clock and ours may be so far apart, in seconds.
LEEWAY = 60
#: What of a connection says who is believed. While somebody is at the provider, it stays as it was.
CONNECTION = ("kind", "issuer", "client_id", "sealed_secret", "sign_in_url", "certificates")


def admit(*, sign_on: SingleSignOn, said: Asserted, signed_in: User | None, now: datetime) -> SocialAccount:
    """Whose account it is, made now where there is none; its person belongs to the organization, or does from now on.

    Args:
        sign_on: the connection by which the provider was believed just now.
        signed_in: who has shown here who they are, by means of their own: is signed in, or was sent to the provider
            (:mod:`accounts.sso.shown`). They may join or be linked with that very account.

    Raises:
        SignInRefused: the provider may not say this, or the person may not come in by it, or the connection is another
            one by now. It is written down.
    """
    try:
        with transaction.atomic():
            row = _locked(sign_on)
            account, outcome = _admitted(row, said, signed_in, now)
            note(row, outcome, user=account.user, email=said.email, now=now)
            if row.proved_at is None:
                row.proved_at = now
                row.save(update_fields=["proved_at"])
    except SignInRefused as error:
        note(sign_on, SignOnOutcome.REFUSED, email=said.email, reason=error.recorded, now=now)
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
        SignInRefused: it is somebody else, or the provider has not asked them again, or it may not sign them in any
            more, or the connection is another one by now. It is written down.
    """
    try:
        with transaction.atomic():
            row = _locked(sign_on)
            _require_them(row, said, user)
            _require_asked_again(row, said, began)
            note(row, SignOnOutcome.CONFIRMED, user=user, email=said.email, now=now)
    except SignInRefused as error:
        note(sign_on, SignOnOutcome.REFUSED, user=user, email=said.email, reason=error.recorded, now=now)
        raise


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


def _require_them(sign_on: SingleSignOn, said: Asserted, user: User) -> None:
    """
    Raises:
        SignInRefused: the provider speaks of somebody else, or not for this person any more.
    """
    is_known = SocialAccount.objects.filter(provider=sign_on.provider_id, uid=said.uid, user=user).exists()
    if not is_known or membership_of(user, sign_on.organization) is None:
        raise SignInRefused(gettext_noop("At the provider somebody else is signed in than here."))
    require_ordinary(sign_on.organization, user)


def _require_asked_again(sign_on: SingleSignOn, said: Asserted, began: float) -> None:
    """
    Raises:
        SignInRefused: they were signed in there before they were sent, and nobody asked.
    """
    if said.authenticated_at is None or said.authenticated_at < began - LEEWAY:
        raise SignInRefused(
            gettext_noop("The provider of %(organization)s did not ask you again. Have a code mailed instead."),
            organization=sign_on.organization.name,
        )


def _admitted(
    sign_on: SingleSignOn, said: Asserted, signed_in: User | None, now: datetime
) -> tuple[SocialAccount, SignOnOutcome]:
    organization = sign_on.organization
    require_address(organization, said)
    account = SocialAccount.objects.filter(provider=sign_on.provider_id, uid=said.uid).select_related("user").first()
    user = account.user if account else _known(said.email, now=now)
    if user is None:
        user = _made(said)
        return _joined(sign_on, said, user, now), SignOnOutcome.JOINED
    require_ordinary(organization, user)
    is_here_themselves = signed_in is not None and signed_in.pk == user.pk
    if membership_of(user, organization) is None:
        require_never_left(organization, user)
        if not is_here_themselves:
            raise SignInRefused(
                gettext_noop(
                    "There is an account with %(email)s already, which does not belong to %(organization)s. Sign in to it "
                    "as you always do, then come here once more: you join with it."
                ),
                own_means_first=True,
                email=said.email,
                organization=organization.name,
            )
        return _joined(sign_on, said, user, now), SignOnOutcome.JOINED
    return account or _linked(sign_on, said, user, is_here_themselves, now), SignOnOutcome.SIGNED_IN


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
    return is_ordinary(user) and user.last_login is None and EmailAddress.objects.filter(user=user).exists()


def _made(said: Asserted) -> User:
    """A new account, without a password, whose address is confirmed: the organization speaks for its own domain.

    A name that is an advertisement is left out: they can give their own.
    """
    name = "" if has_address(said.name) else said.name.strip()[:120]
    user = User.objects.create_user(said.email.lower(), name=name, roles=[Role.BUYER])
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
                "it is you: sign in with a password – “Forgot your password?” gives you one – then come here again."
            ),
            own_means_first=True,
            organization=sign_on.organization.name,
        )
    others = SocialAccount.objects.filter(provider=sign_on.provider_id, user=user).exclude(uid=said.uid)
    if others.exists() and not is_here_themselves:
        raise SignInRefused(
            gettext_noop(
                "The provider of %(organization)s knows the owner of this account by another identifier. If it is you, sign "
                "in with a password first – “Forgot your password?” gives you one – then come here again."
            ),
            own_means_first=True,
            organization=sign_on.organization.name,
        )
    others.delete()
    account, is_new = SocialAccount.objects.get_or_create(
        provider=sign_on.provider_id, uid=said.uid, defaults={"user": user}
    )
    if is_new:
        sign_on_news.linked(sign_on, user, now=now)
    return account
