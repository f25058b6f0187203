"""API tokens that act for an organization, whoever made them: for its administrators, who may end each."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.loading import organization_of, token_of
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from accounts.services.tokens import revoke_token_of
from common.errors import MarketplaceError

TOKENS_A_PAGE = 50


@login_required
@require_GET
def organization_tokens(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """All that were made, calendar feeds too, the newest first; with those that are good no more."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_TOKENS)
    found = organization.api_tokens.select_related("user").order_by("-created_at", "-pk")
    page = Paginator(found, TOKENS_A_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    members = set(organization.memberships.current().values_list("user", flat=True))
    # Nobody acts for an organization that they do not belong to any more, and neither do their tokens.
    rows = [(token, token.is_current(now=now), token.user_id in members) for token in page]
    context = {"organization": organization, "powers": powers, "page": page, "rows": rows}
    return render(request, "organizations/tokens.html", context)


@login_required
@require_POST
def organization_token_revoke(request: AuthenticatedRequest, pk: UUID, token_pk: UUID) -> HttpResponse:
    """Let it in no more, whoever made it: they are told."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_TOKENS)
    token = token_of(organization, token_pk)
    try:
        revoked = revoke_token_of(organization=organization, token_id=token.pk, by=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        if revoked:
            messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("organization_tokens", pk=pk)
