"""Signing in at an organization's own provider, and showing there again who one is."""

import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.account.utils import get_next_redirect_url
from allauth.core.internal import ratelimit
from allauth.socialaccount.providers.base import AuthProcess
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.adapter import AccountAdapter
from accounts.models import Organization, SignOnKind, SingleSignOn, User
from accounts.requests import AuthenticatedRequest
from accounts.services.sign_on_members import holds_primary, linked_to, sign_on_for
from accounts.sign_on_forms import WhereForm
from accounts.sso import oidc, saml
from accounts.sso.adapter import SocialAccountAdapter

#: The cookie that leads from what a provider has posted to the page that reads it, and for how long, in seconds.
POSTED = f"{'__Secure-' if settings.SESSION_COOKIE_SECURE else ''}saml_response"
POSTED_FOR = 120
#: What browsers say of a request that another site has begun.
ELSEWHERE = frozenset({"cross-site", "same-site"})


@never_cache
@require_http_methods(["GET", "POST"])
def sso_find(request: HttpRequest) -> HttpResponse:
    """Where somebody says what their address is, and is led to the page of their organization."""
    form = WhereForm(request.POST or None)
    if request.method == "POST":
        if limited := _limited(request, "sso"):
            return limited
        if form.is_valid():
            if sign_on := sign_on_for(form.cleaned_data["email"]):
                return redirect(_onwards(request, reverse("sso_entrance", args=[sign_on.slug])))
            form.add_error(
                "email", _("No organization here has single sign-on for such addresses. Sign in without it.")
            )
    context = {"form": form, "next": get_next_redirect_url(request)}
    return render(request, "sso/find.html", context, status=422 if form.errors else 200)


def _limited(request: HttpRequest, action: str) -> HttpResponse | None:
    """The page that says so, for whoever tries too often; links count, too: each has us ask the provider."""
    user = request.user if request.user.is_authenticated else None
    answer: HttpResponse | None = ratelimit.consume_or_429(
        request, app="allauth.account", action=action, user=user, limit_get=True
    )
    return answer


def _onwards(request: HttpRequest, path: str) -> str:
    """With the page to come back to in the end, if one is named and is ours."""
    there = get_next_redirect_url(request)
    return f"{path}?{urlencode({REDIRECT_FIELD_NAME: there})}" if there else path


@never_cache
@require_GET
def sso_entrance(request: HttpRequest, slug: str) -> HttpResponse:
    """An organization's own page to sign in at."""
    sign_on = _by_slug(slug)
    context = {
        "sign_on": sign_on,
        "organization": sign_on.organization,
        "go": _onwards(request, reverse("sso_go", args=[slug])),
    }
    return render(request, "sso/entrance.html", context)


@never_cache
@require_GET
def sso_go(request: HttpRequest, slug: str) -> HttpResponse:
    """Off to the provider. By a link and not a form: our policy lets no form end on another site, which this does.

    Whom another site has sent here sees the entrance first: nobody is signed in without having wanted it.
    """
    sign_on = _by_slug(slug)
    if request.headers.get("Sec-Fetch-Site", "same-origin") in ELSEWHERE:
        return redirect(_onwards(request, reverse("sso_entrance", args=[slug])))
    if limited := _limited(request, "sso"):
        return limited
    return _off(request, sign_on, {})


def _off(request: HttpRequest, sign_on: SingleSignOn, data: dict[str, Any]) -> HttpResponse:
    provider = SocialAccountAdapter(request).get_provider(request, sign_on.provider_id)
    sent: HttpResponse = provider.redirect(request, AuthProcess.LOGIN, get_next_redirect_url(request), data)
    return sent


# Coming back ----------------------------------------------------------------------------------------------


@never_cache
@require_GET
def sso_callback(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back from a provider of OpenID Connect."""
    return oidc.callback(request, _of_organization(pk, SignOnKind.OIDC))


@never_cache
@csrf_exempt
@require_POST
def sso_acs(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Back from a provider of SAML, whose page posts to us: without our session, which browsers keep from other sites.

    What was posted waits for the next request, which has it, and is read there.
    """
    _of_organization(pk, SignOnKind.SAML)
    if limited := _limited(request, "sso"):
        return limited
    posted = request.POST.get("SAMLResponse", "")
    finish = redirect("sso_finish", pk=pk)
    if saml.is_response(posted):
        name = secrets.token_urlsafe(32)
        cache.set(f"saml-response:{name}", posted, timeout=POSTED_FOR)
        finish.set_cookie(
            POSTED,
            name,
            max_age=POSTED_FOR,
            path=reverse("sso_finish", args=[pk]),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return finish


@never_cache
@require_GET
def sso_finish(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Read what the provider has posted. It is read once."""
    sign_on = _of_organization(pk, SignOnKind.SAML)
    key = f"saml-response:{request.COOKIES.get(POSTED, '')[:100]}"
    posted = cache.get(key, "")
    cache.delete(key)
    provider: saml.Provider = SocialAccountAdapter(request).get_provider(request, sign_on.provider_id)
    answer = provider.finish(request, posted)
    answer.delete_cookie(POSTED, path=request.path)
    return answer


@require_GET
def sso_metadata(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What a provider of SAML wants to know of us."""
    if not Organization.objects.filter(pk=pk).exists():
        raise Http404("There is no such organization.")
    answer = HttpResponse(saml.metadata(pk), content_type="application/samlmetadata+xml")
    answer["Content-Disposition"] = 'attachment; filename="metadata.xml"'
    return answer


# Showing again who one is ---------------------------------------------------------------------------------


@never_cache
@login_required
@require_GET
def sso_again(request: AuthenticatedRequest) -> HttpResponse:
    """Before something dangerous: back to the provider, which asks once more."""
    here, ways = reverse("sso_again"), AccountAdapter(request).get_reauthentication_methods(request.user)
    others = [way for way in ways if way["url"] != here]
    sign_on = linked_to(request.user)
    if sign_on is None or others == ways:
        return redirect(_onwards(request, others[0]["url"]))
    context = {
        "sign_on": sign_on,
        "organization": sign_on.organization,
        "go": _onwards(request, reverse("sso_again_go")),
        "reauthentication_alternatives": [way | {"url": _onwards(request, way["url"])} for way in others],
    }
    return render(request, "sso/again.html", context)


@never_cache
@login_required
@require_GET
def sso_again_go(request: AuthenticatedRequest) -> HttpResponse:
    """Off to the provider, which is told to ask. Only for who has nothing of their own: a second factor counts for more."""
    ways = AccountAdapter(request).get_reauthentication_methods(request.user)
    sign_on = linked_to(request.user) if any(way["id"] == "sso" for way in ways) else None
    if sign_on is None:
        raise Http404("They have other means of showing who they are.")
    if limited := _limited(request, "reauthenticate"):
        return limited
    return _off(request, sign_on, {"again": True, "user": str(request.user.pk), "began": time.time()})


def _by_slug(slug: str) -> SingleSignOn:
    found = SingleSignOn.objects.select_related("organization").filter(slug=slug).first()
    if found is None:
        raise Http404("No organization signs in here.")
    return found


def _of_organization(pk: UUID, kind: SignOnKind) -> SingleSignOn:
    found = SingleSignOn.objects.select_related("organization").filter(organization=pk, kind=kind).first()
    if found is None:
        raise Http404("This organization has no such provider.")
    return found


def kept_where_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Of the page of one's addresses: the own one stays of the organization's domain while its sign-in is required."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST" and "action_primary" in request.POST and isinstance(request.user, User):
            held_by = holds_primary(request.user, request.POST.get("email", ""))
            if held_by is not None:
                sentence = _(
                    "%(organization)s has its members sign in at its own provider, which knows you by your present "
                    "address. While you belong to it, that one stays the primary one."
                ) % {"organization": held_by.organization.name}
                messages.error(request, sentence)
                return redirect("account_email")
        return view(request, *args, **kwargs)

    return guarded
