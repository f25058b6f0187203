"""The page that an invitation's link leads to, and accepting it."""

from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.adapter import AFTER_SIGN_IN
from accounts.middleware import ACTING_FOR
from accounts.models import Invitation, Membership, OrganizationRole
from accounts.organization_words import WHAT_ROLES_DO
from accounts.permissions import membership_of
from accounts.requests import AuthenticatedRequest
from accounts.services.invitations import (
    accept_invitation,
    invitation_by,
    invitations_for,
    why_not_invited,
    why_over,
)
from accounts.views.organizations import remember_belonging
from common.errors import MarketplaceError

GONE, CONFLICT = 410, 409


@sensitive_variables("token")
@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites to what. Whoever is not signed in signs in or up first, and comes back here."""
    found = invitation_by(token)
    if found is None:
        return _says_no_address(render(request, "organizations/invitation_unknown.html", status=404))
    if request.method == "POST" and not request.user.is_authenticated:
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.path})}")
    if request.method == "POST":
        return _says_no_address(_accept(request, found))  # type: ignore[arg-type]
    if not request.user.is_authenticated:
        request.session[AFTER_SIGN_IN] = request.path  # also when they sign up first
    return _says_no_address(_page(request, found))


@login_required
@require_POST
def invitation_accept(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Accept one from the list of one's own, where no link is needed: the address is a confirmed one of theirs."""
    return _accept(request, get_object_or_404(invitations_for(request.user, now=timezone.now()), pk=pk))


@login_required
def _accept(request: AuthenticatedRequest, found: Invitation) -> HttpResponse:
    try:
        joined = accept_invitation(invitation=found, user=request.user, now=timezone.now())
    except MarketplaceError as error:
        found.refresh_from_db()
        return _page(request, found, refused=error.message)
    remember_belonging(request)
    request.session[ACTING_FOR] = str(joined.organization_id)
    request.session.pop(AFTER_SIGN_IN, None)
    words = _("Welcome to %(name)s. You act for it now; the switch is at the top of every page.")
    messages.success(request, words % {"name": found.organization.name})
    return redirect("organization_detail", pk=joined.organization_id)


def _page(request: HttpRequest, found: Invitation, *, refused: str = "") -> HttpResponse:
    now, status = timezone.now(), CONFLICT if refused else 200
    over = why_over(found, now=now)
    if over:
        status = GONE
    elif not request.user.is_authenticated:
        # The letter was sent to this address: whoever signs up with it from here need not confirm it once more.
        get_adapter(request).stash_verified_email(request, found.email)
    context: dict[str, Any] = {
        "invitation": found,
        "organization": found.organization,
        "what_it_does": WHAT_ROLES_DO[OrganizationRole(found.role)],
        "over": over,
        "refused": refused,
        "membership": _membership(request, found),
        "not_invited": why_not_invited(found, request.user) if request.user.is_authenticated else "",
        "next": request.path,
    }
    return render(request, "organizations/invitation.html", context, status=status)


def _membership(request: HttpRequest, found: Invitation) -> Membership | None:
    return membership_of(request.user, found.organization) if request.user.is_authenticated else None


def _says_no_address(response: HttpResponse) -> HttpResponse:
    """The address of the page is a secret: nothing that is asked for from it may carry it along.

    Not ``no-referrer``: browsers then post the page's own form without saying whose it is, and it is refused as forged.
    """
    response["Referrer-Policy"] = "strict-origin"
    return response
