"""One helper that loads *and* authorises: the organization to its members as far as their role goes, 404 to outsiders."""

from typing import TypeVar
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils.translation import gettext

from accounts.models import ApiToken, CostCentre, Invitation, Membership, Organization, Project
from accounts.permissions import OrganizationAction, powers_of, why_not_in
from accounts.requests import AuthenticatedRequest

Row = TypeVar("Row", bound=Model)


def membership_in(request: AuthenticatedRequest, pk: UUID, action: OrganizationAction) -> Membership:
    """The person's part in the organization, which allows ``action``.

    Raises:
        Http404: there is no such organization, or they never belonged to it.
        PermissionDenied: their role does not go so far, or they do not belong to it any more.
    """
    found = Membership.objects.filter(user=request.user, organization=pk).select_related("organization__owner")
    membership = found.filter(left_at=None).first()
    if membership is None:
        if found.exists():
            raise PermissionDenied(gettext("You do not belong to this organization any more."))
        raise Http404(gettext("There is no such organization among yours."))
    if reason := why_not_in(membership, action):
        raise PermissionDenied(reason)
    membership.user = request.user
    return membership


def organization_of(
    request: AuthenticatedRequest, pk: UUID, action: OrganizationAction
) -> tuple[Organization, frozenset[str]]:
    """The organization, and all that the person may do in it, for templates.

    Raises:
        Http404, PermissionDenied: as :func:`membership_in`.
    """
    membership = membership_in(request, pk, action)
    return membership.organization, powers_of(membership)


def member_of(organization: Organization, pk: UUID) -> Membership:
    """
    Raises:
        Http404: it is not one of this organization's members, or not any more.
    """
    return _one(organization.memberships.current().select_related("user", "organization"), pk)


def invitation_of(organization: Organization, pk: UUID) -> Invitation:
    """
    Raises:
        Http404: it is not one of this organization's.
    """
    return _one(organization.invitations.all(), pk)


def project_of(organization: Organization, pk: UUID) -> Project:
    """
    Raises:
        Http404: it is not one of this organization's.
    """
    return _one(organization.projects.all(), pk)


def cost_centre_of(organization: Organization, pk: UUID) -> CostCentre:
    """
    Raises:
        Http404: it is not one of this organization's.
    """
    return _one(organization.cost_centres.all(), pk)


def token_of(organization: Organization, pk: UUID) -> ApiToken:
    """
    Raises:
        Http404: it does not act for this organization.
    """
    return _one(organization.api_tokens.all(), pk)


def _one(rows: "QuerySet[Row]", pk: UUID) -> Row:
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Http404(gettext("There is no such thing in this organization."))
    return found
