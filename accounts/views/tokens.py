"""API tokens of a person: which there are, making one, what each was used for, and revoking it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import ApiToken, User
from accounts.requests import AuthenticatedRequest
from accounts.services.tokens import make_token, revoke_token
from accounts.stepup import step_up
from accounts.token_forms import TokenForm
from common.errors import MarketplaceError

USES_A_PAGE = 50
TOKENS_A_PAGE = 50


def token_of(user: User, pk: UUID) -> ApiToken:
    """
    Raises:
        Http404: it is not this person's own.
    """
    return get_object_or_404(ApiToken.objects.filter(user=user).select_related("organization"), pk=pk)


@login_required
@require_GET
def token_list(request: AuthenticatedRequest) -> HttpResponse:
    """The person's tokens, the newest first, with those that are good no more."""
    mine = request.user.api_tokens.for_programs().select_related("organization").order_by("-created_at", "-pk")
    page = Paginator(mine, TOKENS_A_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    rows = [(token, token.is_current(now=now)) for token in page]
    return render(request, "accounts/tokens.html", {"page": page, "rows": rows})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
@step_up
def token_create(request: AuthenticatedRequest) -> HttpResponse:
    """Make one. Its secret is in the answer and nowhere else: it is not kept for a page that one is sent to."""
    form = TokenForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            token, secret = make_token(
                user=request.user,
                name=typed["name"],
                scopes=form.scopes(),
                days=typed["days"],
                organization=typed.get("acts_for"),
                now=timezone.now(),
            )
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            return render(request, "accounts/token_made.html", {"token": token, "secret": secret})
    return render(request, "accounts/token_form.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_GET
def token_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What a token was used for, newest first."""
    token = token_of(request.user, pk)
    page = Paginator(token.uses.order_by("-at", "-pk"), USES_A_PAGE).get_page(request.GET.get("page"))
    context = {"token": token, "page": page, "is_current": token.is_current(now=timezone.now())}
    return render(request, "accounts/token_detail.html", context)


@login_required
@require_POST
def token_revoke(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Let it in no more. Revoking is never asked about twice: it may be urgent."""
    token = token_of(request.user, pk)
    if revoke_token(token_id=token.pk, by=request.user, now=timezone.now()):
        messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("feed_list" if token.is_feed else "token_list")
