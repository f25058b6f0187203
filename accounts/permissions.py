"""Who may do what: the one table. Views, services, the administration, templates and the documentation read it.

Two kinds of roles (rules: Who; the reference's overview): those of a person on the whole site, and those of a member in
one organization. What is a person's own (their bookings, machines, keys) needs no role: ownership is asked by the
querysets, and the walk through every address (``tests/permissions``) holds both against each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, MembershipQuerySet, Organization, OrganizationRole, Role, User
from common.errors import MarketplaceError


class NotAllowed(MarketplaceError):
    """The person's role does not go so far."""


class SiteAction(models.TextChoices):
    """What a role on the whole site allows."""

    BOOK = "book", _("Search, book and pay for servers")
    OFFER = "offer", _("Offer servers, once verified")
    ORGANIZE = "organize", _("Look after an organization: its members, budgets and approvals")
    DECIDE = "decide", _("Decide about people, machines and money in the administration")


class OrganizationAction(models.TextChoices):
    """What a member's role allows in their organization."""

    SEE = "see", _("See the organization, its projects and its members")
    BOOK = "book", _("Book servers for it, within budgets and approvals")
    SEE_BOOKINGS = "see_bookings", _("See the bookings of every member")
    SEE_MACHINES = "see_machines", _("See the machines that it offers")
    SEE_SPEND = "see_spend", _("See what was spent, by project, member, machine and GPU")
    SEE_INVOICES = "see_invoices", _("See invoices and statements, and download them")
    EDIT_BILLING = "edit_billing", _("Change whom its invoices name, and its cost centres")
    EDIT_MEMBERS = "edit_members", _("Invite and remove members, and change their roles")
    EDIT_POLICY = "edit_policy", _("Change projects, budgets and what its policy asks for")
    APPROVE = "approve", _("Approve bookings that cost more than the limit")
    EDIT_KEYS = "edit_keys", _("Change the SSH keys that are let in on every booking")
    EDIT_WEBHOOKS = "edit_webhooks", _("Change the webhooks that hear of its bookings and machines")
    EDIT_TOKENS = "edit_tokens", _("See the API tokens that act for it, and revoke them")
    EDIT_SIGN_ON = "edit_sign_on", _("Set up at which provider its members sign in, and for which e-mail domains")
    SEE_HISTORY = "see_history", _("See who changed what, and export it")
    TRANSFER = "transfer", _("Make another administrator its owner")


A, B, M, V = (
    OrganizationRole.ADMINISTRATOR,
    OrganizationRole.BILLING,
    OrganizationRole.MEMBER,
    OrganizationRole.VIEWER,
)

SITE: Mapping[SiteAction, frozenset[Role]] = {
    SiteAction.BOOK: frozenset(Role),  # whoever books becomes a buyer by it
    SiteAction.OFFER: frozenset({Role.PROVIDER}),
    SiteAction.ORGANIZE: frozenset({Role.ORGANIZATIONAL_ADMINISTRATOR}),
    SiteAction.DECIDE: frozenset({Role.PLATFORM_ADMINISTRATOR}),
}

ORGANIZATION: Mapping[OrganizationAction, frozenset[OrganizationRole]] = {
    OrganizationAction.SEE: frozenset({A, B, M, V}),
    OrganizationAction.BOOK: frozenset({A, M}),
    OrganizationAction.SEE_BOOKINGS: frozenset({A, B, V}),
    OrganizationAction.SEE_MACHINES: frozenset({A, M, V}),
    OrganizationAction.SEE_SPEND: frozenset({A, B, V}),
    OrganizationAction.SEE_INVOICES: frozenset({A, B}),
    OrganizationAction.EDIT_BILLING: frozenset({A, B}),
    OrganizationAction.EDIT_MEMBERS: frozenset({A}),
    OrganizationAction.EDIT_POLICY: frozenset({A}),
    OrganizationAction.APPROVE: frozenset({A}),
    OrganizationAction.EDIT_KEYS: frozenset({A}),
    OrganizationAction.EDIT_WEBHOOKS: frozenset({A}),
    OrganizationAction.EDIT_TOKENS: frozenset({A}),
    OrganizationAction.EDIT_SIGN_ON: frozenset({A}),
    OrganizationAction.SEE_HISTORY: frozenset({A}),
    OrganizationAction.TRANSFER: frozenset({A}),
}


def tables() -> Iterator[tuple[list[str], list[list[str]]]]:
    """Both tables in words, for pages and for the documentation: roles, then each action with a mark for each role."""
    yield _in_words(list(Role), SITE)
    yield _in_words(list(OrganizationRole), ORGANIZATION)


def _in_words(roles: Sequence[Any], allowed: Mapping[Any, frozenset[Any]]) -> tuple[list[str], list[list[str]]]:
    rows = [
        [str(action.label), *("yes" if role in those else "" for role in roles)] for action, those in allowed.items()
    ]
    return ["", *(str(role.label) for role in roles)], rows


def may(user: User, action: SiteAction) -> bool:
    """Whether a role that the person holds allows it."""
    return bool(SITE[action] & {Role(role) for role in user.roles})


def may_in(membership: Membership | None, action: OrganizationAction) -> bool:
    """Whether the membership goes on and its role allows it. Nobody's membership allows nothing."""
    return membership is not None and membership.is_current and membership.role in ORGANIZATION[action]


def powers_of(membership: Membership | None) -> frozenset[str]:
    """All that it allows: for templates, as in ``{% if "edit_members" in powers %}``."""
    return frozenset(action.value for action in OrganizationAction if may_in(membership, action))


def membership_of(user: User, organization: Organization) -> Membership | None:
    """The person's part in it now, if they have one."""
    return Membership.objects.current().filter(user=user, organization=organization).first()


def organizations_where(user: User, action: OrganizationAction) -> QuerySet[Organization]:
    """Those in which the person's role allows it now: for the querysets of what organizations own."""
    return Organization.objects.filter(pk__in=memberships_for(action).filter(user=user).values("organization"))


def memberships_for(action: OrganizationAction) -> MembershipQuerySet:
    """Those that go on and whose role allows it: for querysets of what hangs on it."""
    return Membership.objects.current().filter(role__in=ORGANIZATION[action])


class Booker(NamedTuple):
    """Whether somebody may book for an organization now, and since when that is so; ``None``: they never could."""

    may: bool
    since: datetime | None


def booker(*, user: UUID, organization: UUID) -> Booker:
    """By the newest of the person's memberships in it."""
    row = Membership.objects.filter(user=user, organization=organization).order_by("-joined_at", "-pk").first()
    if row is None:
        return Booker(False, None)
    had = row.role in ORGANIZATION[OrganizationAction.BOOK]
    return Booker(had and row.is_current, (row.left_at if had else None) or row.booking_changed_at or row.joined_at)


def require_in(user: User, organization: Organization, action: OrganizationAction) -> Membership:
    """The membership that allows it, read now: a role may have been lost while a form was open.

    Raises:
        NotAllowed: the person is no member any more, or their role does not go so far.
    """
    membership = membership_of(user, organization)
    if membership is None:
        raise NotAllowed(gettext("You do not belong to this organization any more."))
    if reason := why_not_in(membership, action):
        raise NotAllowed(reason)
    return membership


def why_not_in(membership: Membership, action: OrganizationAction) -> str:
    """Why the role of this member, who is one now, does not allow it, and whose does; empty where it allows it."""
    if may_in(membership, action):
        return ""
    others = ", ".join(str(role.label).lower() for role in OrganizationRole if role in ORGANIZATION[action])
    what: str | Promise = action.label
    return gettext("Your role here is %(role)s. This needs another: %(others)s. (%(what)s)") % {
        "role": str(OrganizationRole(membership.role).label).lower(),
        "others": others,
        "what": what,
    }
