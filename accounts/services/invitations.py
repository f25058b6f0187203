"""Inviting people into an organization by e-mail: one letter, one use, 72 hours (rules: Who).

The link in the letter is all that leads to an invitation, so only its hash is kept, and the letter is forgotten once it
has been sent. The link alone lets nobody in: whoever accepts is signed in, and the invited address is a confirmed one of
theirs.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext

from accounts.models import Invitation, InvitationQuerySet, Membership, Organization, User
from accounts.permissions import OrganizationAction, membership_of, require_in
from accounts.services import organization_news as news
from accounts.services.memberships import join
from accounts.services.organizations import OrganizationError, locked_organization
from common.rates import TooManyRequests, spend

log = logging.getLogger(__name__)

#: So many addresses are invited at once.
MOST_AT_ONCE = 50
TOKEN_BYTES = 32


class InvitationError(OrganizationError):
    """This invitation cannot be sent or accepted like this."""


class InvitationOver(InvitationError):
    """It was accepted, revoked, or its time is over."""


class NotInvited(InvitationError):
    """It is for an address that is not a confirmed one of this person's."""


# Sending -----------------------------------------------------------------------------------------------


def invite(
    *, organization: Organization, by: User, emails: Sequence[str], role: str, now: datetime
) -> list[Invitation]:
    """Send a letter to each address, or none to any. One that was invited before gets a new letter, with this role.

    Raises:
        InvitationError: somebody belongs to the organization already, or it is too many at once.
        TooManyRequests: the organization, or somebody to one of these addresses, has sent many of late.
        NotAllowed: ``by`` may not, or not any more.
    """
    if len(emails) > MOST_AT_ONCE:
        raise InvitationError(
            gettext("That is more than %(most)d addresses. Send the others afterwards.") % {"most": MOST_AT_ONCE},
            field="emails",
        )
    with transaction.atomic():
        row = locked_organization(organization.pk)
        require_in(by, row, OrganizationAction.EDIT_MEMBERS)
        _require_outsiders(row, emails)
        _spend(row, emails)
        return [_sent(row, email, by=by, role=role, now=now) for email in dict.fromkeys(map(str.lower, emails))]


@transaction.atomic
def resend_invitation(*, invitation: Invitation, by: User, now: datetime) -> Invitation:
    """Send the letter again, with a new link and all of the time; the link in the old one is good no more.

    Raises:
        InvitationOver: it was accepted or revoked.
        TooManyRequests: many letters were sent of late.
        NotAllowed: ``by`` may not, or not any more.
    """
    organization = locked_organization(invitation.organization_id)
    require_in(by, organization, OrganizationAction.EDIT_MEMBERS)
    row = organization.invitations.waiting().filter(pk=invitation.pk).first()
    if row is None:
        raise InvitationOver(gettext("This invitation was accepted or revoked meanwhile."))
    _spend(organization, [row.email])
    return _sent(organization, row.email, by=by, role=row.role, now=now)


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, by: User, now: datetime) -> Invitation:
    """Make the link in the letter good for nothing. Doing so twice is quiet.

    Raises:
        InvitationOver: it was accepted: there is a member to remove.
        NotAllowed: ``by`` may not, or not any more.
    """
    organization = locked_organization(invitation.organization_id)
    require_in(by, organization, OrganizationAction.EDIT_MEMBERS)
    row = organization.invitations.get(pk=invitation.pk)
    if row.accepted_at is not None:
        raise InvitationOver(
            gettext("%(email)s has accepted it. You can remove them from the members.") % {"email": row.email}
        )
    if row.revoked_at is None:
        row.revoked_at = now
        row.save(update_fields=["revoked_at"])
        log.info("invitation %s revoked by user %s", row.pk, by.pk)
    return row


def _require_outsiders(organization: Organization, emails: Sequence[str]) -> None:
    """
    Raises:
        InvitationError: a confirmed address of a member is among them.
    """
    members = organization.memberships.current().values("user")
    known = EmailAddress.objects.filter(user__in=members, verified=True).values_list("email", flat=True)
    own = {str(email).lower() for email in known}
    inside = [email for email in emails if email.lower() in own]
    if inside:
        raise InvitationError(
            gettext("Belongs to this organization already: %(emails)s") % {"emails": ", ".join(inside)}, field="emails"
        )


def _spend(organization: Organization, emails: Sequence[str]) -> None:
    try:
        for email in emails:
            spend(settings.MARKETPLACE_INVITATION_RATE, "invitations", str(organization.pk))
            spend(settings.MARKETPLACE_INVITATION_ADDRESS_RATE, "invitations-to", email.lower())
    except TooManyRequests as error:
        raise TooManyRequests(
            gettext("So many invitations were sent today that more have to wait until tomorrow. None was sent now.")
        ) from error


def _sent(organization: Organization, email: str, *, by: User, role: str, now: datetime) -> Invitation:
    """With a new link and all of the time. The organization is locked."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = organization.invitations.waiting().filter(email=email).first()
    if row is None:
        row = Invitation(organization=organization, email=email, invited_at=now)
    row.role, row.invited_by, row.token_hash = role, by, digest(token)
    row.sent_at, row.expires_at = now, now + settings.MARKETPLACE_INVITATION
    row.save()
    news.invited(row, token=token, now=now)
    log.info("invitation %s of organization %s sent by user %s", row.pk, organization.pk, by.pk)
    return row


# Accepting ---------------------------------------------------------------------------------------------


def digest(token: str) -> str:
    """As which the link's secret is kept: it is random, so that a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_by(token: str) -> Invitation | None:
    """The one that a link leads to, whatever became of it."""
    found = Invitation.objects.select_related("organization", "invited_by", "accepted_by")
    return found.filter(token_hash=digest(token)).first()


def invitations_for(user: User, *, now: datetime) -> InvitationQuerySet:
    """Those that the person could accept now."""
    own = EmailAddress.objects.filter(user=user, verified=True).values(lower=Lower("email"))
    return Invitation.objects.open(now=now).filter(email__in=own).select_related("organization", "invited_by")


@transaction.atomic
def accept_invitation(*, invitation: Invitation, user: User, now: datetime) -> Membership:
    """Become a member. Whoever has accepted it already is told so by their membership: doing so twice is quiet.

    Raises:
        NotInvited: the invited address is not a confirmed one of the person's.
        InvitationOver: somebody else accepted it, it was revoked, or its time is over.
        InvitationError: they belong to the organization already.
    """
    organization = locked_organization(invitation.organization_id)
    row = Invitation.objects.select_for_update(of=("self",)).select_related("accepted_by").get(pk=invitation.pk)
    membership = membership_of(user, organization)
    if row.accepted_by_id == user.pk and membership is not None:
        return membership
    if reason := why_over(row, now=now):
        raise InvitationOver(reason)
    if reason := why_not_invited(row, user):
        raise NotInvited(reason)
    if membership is not None:
        raise InvitationError(
            gettext("You belong to %(organization)s already, as %(role)s.")
            % {"organization": organization.name, "role": membership.get_role_display().lower()}
        )
    row.accepted_at, row.accepted_by = now, user
    row.save(update_fields=["accepted_at", "accepted_by"])
    joined = join(organization=organization, user=user, role=row.role, now=now)
    news.joined(joined, now=now)
    log.info("invitation %s accepted by user %s", row.pk, user.pk)
    return joined


def why_over(invitation: Invitation, *, now: datetime) -> str:
    """Why nobody can accept it any more, in words; empty where somebody can."""
    if invitation.accepted_at is not None:
        return gettext(
            "This invitation has been used. It is good for one person, once. If that was you, sign in and open "
            "“Organizations” in your account; if not, ask for one of your own."
        )
    if invitation.revoked_at is not None:
        return gettext("This invitation was withdrawn. If you think that is a mistake, ask whoever invited you.")
    if invitation.expires_at <= now:
        return gettext(
            "This invitation has expired. Ask whoever invited you to send it again: it takes them one click."
        )
    return ""


def why_not_invited(invitation: Invitation, user: User) -> str:
    """Why this person cannot accept it, in words; empty where they can."""
    own = EmailAddress.objects.filter(user=user, email__iexact=invitation.email).first()
    if own is None:
        return gettext(
            "This invitation is for %(email)s, and you are signed in as %(own)s. Sign in with that address, or add it to "
            "your addresses and confirm it, or ask for an invitation to %(own)s."
        ) % {"email": invitation.email, "own": user.email}
    if not own.verified:
        return gettext("Confirm %(email)s first: open the mail that we sent there, or have it sent again.") % {
            "email": invitation.email
        }
    return ""
