"""Booking for an organization: what its policy asks for, what its budgets leave, and whether an administrator has to agree.

Rules: Who. Whoever books for an organization holds its row's lock from before the booking is made until it is: so two
bookings that together are more than a budget allows cannot both be made. That lock comes before a booking's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import CostCentre, Membership, Organization, Project, User
from accounts.permissions import NotAllowed, OrganizationAction, may_in, membership_of, require_in
from bookings.errors import BookingError
from bookings.models import Booking, Charge
from bookings.services.budgets import check_budgets, warn_of_budgets
from common.formats import day, money

#: An approval is waited for at least so long, and at most half the time to the start.
SHORTEST_WAIT = timedelta(minutes=15)


@dataclass(frozen=True)
class Purpose:
    """For whom a booking is made, and what for; ``reason`` is for the administrator who may have to agree."""

    organization: Organization
    project: Project | None = None
    purchase_order: str = ""
    cost_centre: str = ""
    reason: str = ""


def check_purpose(purpose: Purpose, *, buyer: User, end: datetime) -> Membership:
    """Whether the person may book for the organization, and has given what its policy asks for.

    Called with the organization's row locked, so the policy and the role are those of now.

    Raises:
        BookingError: with the field it belongs to.
    """
    organization = purpose.organization
    try:
        membership = require_in(buyer, organization, OrganizationAction.BOOK)
    except NotAllowed as refused:
        raise BookingError(refused.message) from refused
    if getattr(organization, "billing_details", None) is None:
        raise BookingError(
            _(
                "%(name)s has not said yet whom its invoices name. An administrator or billing member does so in its settings."
            )
            % {"name": organization.name}
        )
    _check_project(organization, purpose.project, end=end)
    check_references(organization, purchase_order=purpose.purchase_order, cost_centre=purpose.cost_centre)
    return membership


def check_references(
    organization: Organization, *, purchase_order: str | None = None, cost_centre: str | None = None
) -> None:
    """Whether they are what the policy asks for; ``None``: this one is not given, and stays as it is.

    Raises:
        BookingError: with the field it belongs to.
    """
    if purchase_order is not None and organization.needs_purchase_order and not purchase_order:
        raise BookingError(_("Your organization asks for a purchase-order number."), field="purchase_order")
    if cost_centre is not None:
        _check_cost_centre(organization, cost_centre)


def _check_project(organization: Organization, project: Project | None, *, end: datetime) -> None:
    """
    Raises:
        BookingError: the policy wants one, it is not open any more, or its grant is over before ``end``.
    """
    if project is None:
        if organization.needs_project or organization.needs_grant:
            raise BookingError(_("Your organization asks for a project."), field="project")
        return
    project.refresh_from_db(fields=["organization", "archived_at", "grant_ends_on"])
    if project.organization_id != organization.pk or project.is_archived:
        raise BookingError(_("This project is not open any more. Choose another."), field="project")
    if organization.needs_grant and project.grant_ends_on is None:
        raise BookingError(
            _("Your organization asks for a project whose grant has an end. An administrator can enter it."),
            field="project",
        )
    last = project.grant_ends_on
    if last is not None and end.astimezone(UTC) > datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(
        days=1
    ):
        raise BookingError(
            _("The grant of this project ends on %(day)s. Choose an end before it is over.") % {"day": day(last)},
            field="end",
        )


def _check_cost_centre(organization: Organization, code: str) -> None:
    codes = set(CostCentre.objects.filter(organization=organization, archived_at=None).values_list("code", flat=True))
    if not code and organization.needs_cost_centre:
        raise BookingError(_("Your organization asks for a cost centre."), field="cost_centre")
    if code and codes and code not in codes:
        raise BookingError(
            _("Your organization has no cost centre of this name. Choose one of its own."), field="cost_centre"
        )


def why_not_for_it_any_more(booking: Booking, *, extension: Charge | None = None, now: datetime) -> str:
    """Why a booking, or an ``extension`` of one, that is not paid yet cannot become its organization's any more, in words
    for its buyer; empty where it can.

    Its buyer must book for it still, its project be open, paid by its grant until the end and what the policy asks for,
    and it must fit into the budgets of the period in which it was asked for. What has lapsed holds no part of these any
    more, so it has to fit into what others have left since. What is paid stays the organization's, whatever becomes of
    its member, and so do its later stages.
    """
    organization = booking.organization
    if organization is None:
        return ""
    about = {"who": booking.buyer.known_as, "name": organization.name}
    if not may_in(membership_of(booking.buyer, organization), OrganizationAction.BOOK):
        return _("%(who)s does not book for %(name)s any more, so this cannot be paid for it.") % about
    try:
        if extension is None:
            _check_project(organization, booking.project, end=booking.end)
            is_held = booking.is_hold and booking.hold_expires_at > now
            _check_fits(booking, booking.price_total, asked_at=booking.created_at, is_held=is_held, now=now)
        else:
            _check_project(organization, booking.project, end=booking.end + extension.length)
            is_held = extension.is_open and extension.expires_at is not None and extension.expires_at > now
            _check_fits(booking, extension.amount, asked_at=extension.created_at, is_held=is_held, now=now)
    except BookingError as refused:
        return _("This cannot be paid for %(name)s as it is. %(why)s") % (about | {"why": refused.message})
    return ""


def _check_fits(booking: Booking, amount: Decimal, *, asked_at: datetime, is_held: bool, now: datetime) -> None:
    """
    Args:
        is_held: it counts already.

    Raises:
        OverBudget: as :func:`check_budgets`. What costs nothing fits.
    """
    if amount and booking.organization is not None:
        check_budgets(
            organization=booking.organization,
            project=booking.project,
            member=booking.buyer,
            amount=amount,
            currency=booking.currency,
            now=now,
            at=asked_at,
            is_counted=is_held,
        )


def is_for_it_still(charge: Charge, *, now: datetime) -> bool:
    """Whether a booking or an extension whose payment has arrived may still become its organization's
    (:func:`why_not_for_it_any_more`). With the organization's and the booking's row locked.
    """
    return not why_not_for_it_any_more(charge.booking, extension=charge if charge.is_extension else None, now=now)


def needs_approval(organization: Organization, membership: Membership, total: Decimal) -> bool:
    """Whether an administrator has to agree to a booking of ``total``. Administrators need nobody."""
    above = organization.approval_above
    return above is not None and total > above and not membership.is_administrator


def waits_until(*, approval_hours: int, start: datetime, now: datetime) -> datetime:
    """How long a window is held while an administrator decides: as long as the listing allows, and no longer than half the
    time to the start; but never so short that nobody can answer.
    """
    longest = timedelta(hours=approval_hours)
    return now + max(SHORTEST_WAIT, min(longest, (start - now) / 2))


def check_extension_purpose(booking: Booking, *, new_end: datetime, extra: Decimal, by: User, now: datetime) -> None:
    """Whether the organization lets its booking go on so long and cost so much more, by its policy of now. With its row
    locked. What costs nothing needs no approval, and counts against no budget.

    Raises:
        BookingError: with the field it belongs to.
    """
    organization = booking.organization
    if organization is None:
        return
    try:
        membership = require_in(by, organization, OrganizationAction.BOOK)
    except NotAllowed as refused:
        raise BookingError(refused.message) from refused
    try:
        _check_project(organization, booking.project, end=new_end)
    except BookingError as refused:
        if refused.field != "project":
            raise
        raise BookingError(
            _(
                "The project of a booking stays as it is. %(why)s Ask for a booking of its own for the time that follows."
            )
            % {"why": refused.message},
            field="end",
        ) from refused
    if not extra:
        return
    if needs_approval(organization, membership, booking.price_total - booking.given_back + extra):
        raise BookingError(
            _("With this the booking costs more than %(above)s, and an administrator of %(name)s has to agree. Ask for a "
              "booking of its own for the time that follows.")
            % {"above": money(organization.approval_above or Decimal(0), booking.currency), "name": organization.name},
            field="end",
        )  # fmt: skip
    budgets = check_budgets(
        organization=organization,
        project=booking.project,
        member=booking.buyer,
        amount=extra,
        currency=booking.currency,
        now=now,
    )
    warn_of_budgets(budgets, extra=extra, now=now)
