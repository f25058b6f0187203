"""The members of an organization: who they are, inviting more, another role, removing and leaving."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.loading import invitation_of, member_of, membership_in, organization_of
from accounts.models import Membership, OrganizationRole
from accounts.organization_forms import InvitationForm, RoleForm
from accounts.organization_words import WHAT_ROLES_DO
from accounts.permissions import ORGANIZATION, OrganizationAction, may_in, powers_of
from accounts.requests import AuthenticatedRequest
from accounts.services.invitations import invite, resend_invitation, revoke_invitation
from accounts.services.memberships import change_role, leave_organization, remove_member, why_one_stays
from common.errors import MarketplaceError

A_PAGE = 50


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def organization_members(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Who belongs to it and, for administrators, who is invited; invite more."""
    inviting = request.method == "POST"
    membership = membership_in(request, pk, OrganizationAction.EDIT_MEMBERS if inviting else OrganizationAction.SEE)
    form = InvitationForm(request.POST if inviting else None)
    if inviting and form.is_valid():
        try:
            sent = invite(
                organization=membership.organization, by=request.user, now=timezone.now(), **form.cleaned_data
            )
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            words = ngettext("The invitation is on its way.", "%(count)d invitations are on their way.", len(sent))
            messages.success(request, words % {"count": len(sent)})
            return redirect("organization_members", pk=pk)
    return _members(request, membership, form)


def _members(request: AuthenticatedRequest, membership: Membership, form: InvitationForm) -> HttpResponse:
    organization = membership.organization
    may_edit = may_in(membership, OrganizationAction.EDIT_MEMBERS)
    members = organization.memberships.current().select_related("user").order_by("joined_at", "pk")
    invitations = organization.invitations.waiting() if may_edit else organization.invitations.none()
    invited = invitations.select_related("invited_by").order_by("-invited_at", "pk")
    context: dict[str, Any] = {
        "organization": organization,
        "powers": powers_of(membership),
        "membership": membership,
        "page": Paginator(members, A_PAGE).get_page(request.GET.get("page")),
        "invited": Paginator(invited, A_PAGE).get_page(request.GET.get("invited")),
        "form": form,
        "roles": role_table(),
        "hours": settings.MARKETPLACE_INVITATION,
        "now": timezone.now(),
    }
    return render(request, "organizations/members.html", context, status=422 if form.errors else 200)


def role_table() -> list[tuple[str, list[bool]]]:
    """What each role may, as the table in :mod:`accounts.permissions` says: an action, and yes or no for each role."""
    return [
        (str(action.label), [role in ORGANIZATION[action] for role in OrganizationRole])
        for action in OrganizationAction
    ]


# Invitations -------------------------------------------------------------------------------------------


@login_required
@require_POST
def invitation_resend(request: AuthenticatedRequest, pk: UUID, invitation_pk: UUID) -> HttpResponse:
    """Send the letter again: a new link, and all of the time."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_MEMBERS)
    invitation = invitation_of(organization, invitation_pk)
    try:
        resend_invitation(invitation=invitation, by=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        words = _("A new invitation is on its way to %(email)s. The link in the old one is good no more.")
        messages.success(request, words % {"email": invitation.email})
    return redirect("organization_members", pk=pk)


@login_required
@require_POST
def invitation_revoke(request: AuthenticatedRequest, pk: UUID, invitation_pk: UUID) -> HttpResponse:
    """Make the link in the letter good for nothing."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_MEMBERS)
    invitation = invitation_of(organization, invitation_pk)
    try:
        revoke_invitation(invitation=invitation, by=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email})
    return redirect("organization_members", pk=pk)


# Members -----------------------------------------------------------------------------------------------


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def member_role(request: AuthenticatedRequest, pk: UUID, member_pk: UUID) -> HttpResponse:
    """What each role may; then giving another one to a member."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_MEMBERS)
    member = member_of(organization, member_pk)
    form = RoleForm(request.POST if request.method == "POST" else None, initial={"role": member.role})
    if request.method == "POST" and form.is_valid():
        try:
            changed = change_role(
                membership=member, role=form.cleaned_data["role"], by=request.user, now=timezone.now()
            )
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            words = _("%(name)s is %(role)s now.")
            role = changed.get_role_display().lower()
            messages.success(request, words % {"name": member.user.known_as, "role": role})
            still_may = may_in(changed, OrganizationAction.EDIT_MEMBERS) or member.user_id != request.user.pk
            return redirect("organization_members" if still_may else "organization_detail", pk=pk)
    context = {
        "organization": organization,
        "powers": powers,
        "member": member,
        "form": form,
        "stays": why_one_stays(member, by=request.user),
        "is_oneself": member.user_id == request.user.pk,
    }
    return render(request, "organizations/member_role.html", context, status=422 if form.errors else 200)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def member_remove(request: AuthenticatedRequest, pk: UUID, member_pk: UUID) -> HttpResponse:
    """What becomes of a member's bookings; then removing them."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_MEMBERS)
    member = member_of(organization, member_pk)
    if member.user_id == request.user.pk:
        return redirect("organization_leave", pk=pk)
    refused = why_one_stays(member, by=request.user)
    if request.method == "POST":
        try:
            remove_member(membership=member, by=request.user, now=timezone.now())
        except MarketplaceError as error:
            refused = error.message
        else:
            messages.success(request, _("%(name)s is removed.") % {"name": member.user.known_as})
            return redirect("organization_members", pk=pk)
    context = {"organization": organization, "powers": powers, "member": member, "refused": refused}
    status = 409 if request.method == "POST" else 200
    return render(request, "organizations/member_remove.html", context, status=status)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def organization_leave(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What becomes of one's bookings for it; then leaving."""
    membership = membership_in(request, pk, OrganizationAction.SEE)
    organization = membership.organization
    refused = why_one_stays(membership, by=request.user)
    if request.method == "POST":
        try:
            leave_organization(organization=organization, user=request.user, now=timezone.now())
        except MarketplaceError as error:
            refused = error.message
        else:
            messages.success(request, _("You have left %(name)s.") % {"name": organization.name})
            return redirect("organization_list")
    context = {
        "organization": organization,
        "powers": powers_of(membership),
        "membership": membership,
        "what_it_does": WHAT_ROLES_DO[OrganizationRole(membership.role)],
        "refused": refused,
    }
    return render(request, "organizations/leave.html", context, status=409 if request.method == "POST" else 200)
