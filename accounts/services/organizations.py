"""Making an organization, saying what it is and what it asks of bookings, and giving it another owner (rules: Who).

Whatever changes an organization or who belongs to it locks its row first, then looks at who asks: a role that was lost
while a form was open is lost, and of two changes at once the later one sees the earlier.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts.events import ownership_transferred
from accounts.models import Membership, Organization, OrganizationRole, User
from accounts.permissions import NotAllowed, OrganizationAction, require_in
from accounts.services import organization_news as news
from accounts.services.roles import follow_memberships
from common.errors import MarketplaceError
from common.rates import spend

log = logging.getLogger(__name__)


class OrganizationError(MarketplaceError):
    """This cannot be done with an organization or its members."""


@dataclass(frozen=True)
class Policy:
    """What an organization asks of every booking for it.

    Attributes:
        approval_above: bookings of members that cost more wait for an administrator; the number counts in each
            currency. ``None``: none do.
    """

    needs_project: bool = False
    needs_purchase_order: bool = False
    needs_cost_centre: bool = False
    needs_grant: bool = False
    needs_member_budget: bool = False
    approval_above: Decimal | None = None


def locked_organization(pk: UUID) -> Organization:
    """The row, until the transaction ends nobody else's to change."""
    return Organization.objects.select_for_update(no_key=True).get(pk=pk)


def create_organization(*, by: User, name: str, kind: str, country: str, now: datetime) -> Organization:
    """Make one. Who makes it is its administrator and its owner.

    Raises:
        TooManyRequests: this person has made many today.
    """
    spend(settings.MARKETPLACE_ORGANIZATION_RATE, "organizations", str(by.pk))
    with transaction.atomic():
        organization = Organization.objects.create(
            name=name, kind=kind, country=country, owner=by, created_by=by, created_at=now
        )
        Membership.objects.create(
            organization=organization, user=by, role=OrganizationRole.ADMINISTRATOR, joined_at=now
        )
        follow_memberships(user=by)
    log.info("organization %s made by user %s", organization.pk, by.pk)
    return organization


@transaction.atomic
def edit_organization(*, organization: Organization, by: User, name: str, kind: str, country: str) -> Organization:
    """Rename it, and say what it is.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_POLICY)
    row.name, row.kind, row.country = name, kind, country
    row.save(update_fields=["name", "kind", "country"])
    return row


@transaction.atomic
def set_policy(*, organization: Organization, by: User, policy: Policy) -> Organization:
    """Say what bookings need from now on. Those already made stay as they are.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_POLICY)
    values = asdict(policy)
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))
    log.info("policy of organization %s set by user %s: %s", row.pk, by.pk, values)
    return row


def why_not_handed_on(organization: Organization, *, by: User) -> str:
    """Why this administrator cannot make somebody its owner, in words; empty where they can."""
    owner = organization.owner
    if owner.pk == by.pk or not owner.is_active:
        return ""
    return gettext("%(name)s owns this organization. Only the owner can hand it on.") % {"name": owner.known_as}


@transaction.atomic
def transfer_ownership(*, organization: Organization, by: User, to: User, now: datetime) -> Organization:
    """Make another of its administrators the owner. Doing so twice is quiet.

    The owner's to do: machines, and what they earn, go along. Another administrator may once the owner's account is closed.

    Its machines go to the new owner's account with it, which those who know of machines see to
    (:data:`accounts.events.ownership_transferred`).

    Raises:
        OrganizationError: ``to`` is not an administrator of it.
        NotAllowed: ``by`` is no administrator of it (any more), or not its owner.
        MarketplaceError: the new owner cannot take over what belongs to the organization.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.TRANSFER)
    if row.owner_id == to.pk:
        return row
    if reason := why_not_handed_on(row, by=by):
        raise NotAllowed(reason)
    if not row.memberships.administrators().filter(user=to, user__is_active=True).exists():
        raise OrganizationError(
            gettext("%(name)s is not an administrator of it. Change their role first.") % {"name": to.known_as},
            field="to",
        )
    before, row.owner = row.owner, to
    row.save(update_fields=["owner"])
    ownership_transferred.send(sender=Organization, organization=row, before=before, after=to, now=now)
    news.transferred(row, before=before, after=to, by=by, now=now)
    log.info("organization %s: owner %s, before %s, changed by user %s", row.pk, to.pk, before.pk, by.pk)
    return row
