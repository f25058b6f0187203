"""Who belongs to an organization: roles change, members leave and are removed. One administrator always stays.

What somebody booked for the organization stays the organization's, whatever becomes of them: bookings go on, count
against its budgets and are on its invoices. They lose its pages, and whoever may not book for it any more is not let in
on its bookings (:data:`accounts.events.membership_changed`).
"""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.events import membership_changed
from accounts.models import Membership, Organization, OrganizationRole, User
from accounts.permissions import ORGANIZATION, NotAllowed, OrganizationAction, may_in, membership_of, require_in
from accounts.services import organization_news as news
from accounts.services.organizations import OrganizationError, locked_organization
from accounts.services.roles import follow_memberships
from accounts.services.tokens import revoke_tokens_for
from common.history.facts import because

log = logging.getLogger(__name__)

BOOKERS = ORGANIZATION[OrganizationAction.BOOK]


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: User, now: datetime) -> Membership:
    """Give a member another role. Giving them the one that they have is quiet.

    Raises:
        OrganizationError: it is over, or the last administrator or the owner would be none any more.
        NotAllowed: ``by`` may not, or not any more.
    """
    organization = locked_organization(membership.organization_id)
    require_in(by, organization, OrganizationAction.EDIT_MEMBERS)
    row = _current(membership.pk)
    if row.role == role:
        return row
    if row.is_administrator:
        _require_another_administrator(organization, row, by=by)
    before, row.role = row.role, role
    if (before in BOOKERS) != (role in BOOKERS):
        row.booking_changed_at = now
    row.save(update_fields=["role", "booking_changed_at"])
    _follow(row, before=before, by=by, now=now)
    if row.user_id != by.pk:
        news.role_changed(row, before=before, by=by, now=now)
    log.info("membership %s: role %s, before %s, changed by user %s", row.pk, role, before, by.pk)
    return row


@transaction.atomic
def remove_member(*, membership: Membership, by: User, now: datetime) -> Membership:
    """End somebody's membership. Ending one that is over is quiet.

    Raises:
        OrganizationError: it is the last administrator's, the owner's, or ``by``'s own.
        NotAllowed: ``by`` may not, or not any more.
    """
    organization = locked_organization(membership.organization_id)
    require_in(by, organization, OrganizationAction.EDIT_MEMBERS)
    row = Membership.objects.select_related("user", "organization").get(pk=membership.pk)
    if not row.is_current:
        return row
    if row.user_id == by.pk:
        raise OrganizationError(gettext("This is you. To go, leave the organization."))
    if row.is_administrator:
        _require_another_administrator(organization, row, by=by)
    row.left_at, row.removed_by = now, by
    row.save(update_fields=["left_at", "removed_by"])
    _follow(row, before=row.role, by=by, now=now)
    news.removed(row, by=by, now=now)
    log.info("membership %s ended by user %s", row.pk, by.pk)
    return row


@transaction.atomic
def leave_organization(*, organization: Organization, user: User, now: datetime) -> Membership:
    """End one's own membership.

    Raises:
        OrganizationError: they are the last administrator, or the owner.
        NotAllowed: they do not belong to it any more.
    """
    row = locked_organization(organization.pk)
    membership = membership_of(user, row)
    if membership is None:
        raise NotAllowed(gettext("You do not belong to this organization any more."))
    if membership.is_administrator:
        _require_another_administrator(row, membership, by=user)
    membership.user, membership.organization = user, row
    membership.left_at = now
    membership.save(update_fields=["left_at"])
    _follow(membership, before=membership.role, by=user, now=now)
    news.left(membership, now=now)
    log.info("membership %s ended by its member", membership.pk)
    return membership


def why_one_stays(membership: Membership, *, by: User) -> str:
    """Why this administrator can neither go nor have another role, for whoever asks; empty where they can."""
    if not membership.is_administrator:
        return ""
    organization, is_oneself = membership.organization, membership.user_id == by.pk
    others = organization.memberships.administrators().filter(user__is_active=True).exclude(pk=membership.pk)
    if not others.exists():
        if is_oneself:
            return gettext(
                "You are the only administrator, and an organization always has one. Make another member an "
                "administrator first."
            )
        return gettext("%(name)s is the only administrator, and an organization always has one.") % {
            "name": membership.user.known_as
        }
    if organization.owner_id == membership.user_id:
        if is_oneself:
            return gettext(
                "You own this organization: its machines are in your account, and its invoices reach you. Make another "
                "administrator its owner first."
            )
        return gettext("%(name)s owns this organization. Make another administrator its owner first.") % {
            "name": membership.user.known_as
        }
    return ""


def _require_another_administrator(organization: Organization, membership: Membership, *, by: User) -> None:
    """The organization's row is locked, so that two who go at once do not both find the other."""
    membership.organization = organization
    if reason := why_one_stays(membership, by=by):
        raise OrganizationError(reason)


def _current(pk: UUID) -> Membership:
    row = Membership.objects.select_related("user", "organization").get(pk=pk)
    if not row.is_current:
        raise OrganizationError(
            gettext("%(name)s does not belong to this organization any more.") % {"name": row.user.known_as}
        )
    return row


def join(*, organization: Organization, user: User, role: str, now: datetime) -> Membership:
    """Begin a membership, inside a transaction that has locked the organization.

    Raises:
        OrganizationError: the person's account has been closed meanwhile.
    """
    # The row is locked: a deletion that has looked at their memberships already is over before there is another one.
    if not User.objects.select_for_update(no_key=True).get(pk=user.pk).is_active:
        raise OrganizationError(gettext("This account is closed."))
    membership = Membership.objects.create(
        organization=organization, user=user, role=OrganizationRole(role), joined_at=now
    )
    _follow(membership, before="", by=user, now=now)
    return membership


def _follow(membership: Membership, *, before: str, by: User, now: datetime) -> None:
    """What else changes with it: what rested on it, what those above see to, who lock bookings, and the person's roles on
    the whole site.
    """
    _take_back(membership, by=by, now=now)
    membership_changed.send(Membership, membership=membership, before=before, by=by, now=now)
    follow_memberships(user=membership.user)


def _take_back(membership: Membership, *, by: User, now: datetime) -> None:
    """What rests on a role goes with it: invitations that wait, and tokens, which would come back with the person."""
    organization, person = membership.organization, membership.user
    if not may_in(membership, OrganizationAction.EDIT_MEMBERS):
        with because("Whoever sent it may not invite any more."):
            organization.invitations.waiting().filter(invited_by=person).update(revoked_at=now)
    if not membership.is_current:
        revoke_tokens_for(organization=organization, user=person, by=by, now=now)
