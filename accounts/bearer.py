"""Programs with an API token: ``Authorization: Bearer rsm_…`` signs in for one request, without a session (RFC 6750).

:func:`token_or_login` is for addresses that people open and programs ask for. :func:`let_in` is the check behind it, for
whatever else takes tokens.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.messages import get_messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _

from accounts.models import ApiToken, Scope
from accounts.services.tokens import Bearer, TokenRefused, admit, record_use
from common.addresses import address_of
from common.rates import TooManyRequests, spend

SCHEME = "bearer"
RETRY_SECONDS = 30
#: Of the requests that are refused because there were too many, so many of a token are kept: a flood fills no table.
KEPT_OF_TOO_MANY = "1/minute"

View = Callable[..., HttpResponseBase]
#: Given what the address names, the id of the organization that it is about, if it is about one.
Whose = Callable[..., UUID | None]


def token_or_login(scope: Scope, *, whose: Whose | None = None) -> Callable[[View], View]:
    """Let people in who are signed in, and programs with a token for ``scope``.

    A request with a token is that token's alone: cookies that come with it count for nothing. Every use is kept, whatever
    is answered; of those that come too often, one a minute. Refusals and failures are JSON.

    Args:
        whose: which organization's it is that is asked for. An organization's token gets what is that organization's,
            as far as the view lets its member, and nothing else of theirs: without ``whose`` nothing.
    """

    def decorated(view: View) -> View:
        for_people = login_required(view)

        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if secret_of(request) is None:
                answer = for_people(request, *args, **kwargs)
            else:
                answer = _for_programs(view, request, scope, whose, *args, **kwargs)
            patch_vary_headers(answer, ["Authorization"])
            return answer

        return wrapper

    return decorated


def organization_in_address(pk: UUID, **_rest: Any) -> UUID | None:
    """For addresses that begin with an organization's id."""
    return pk


def secret_of(request: HttpRequest) -> str | None:
    """What stands in the header; ``None`` where it is none of ours to read."""
    scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == SCHEME else None


def let_in(request: HttpRequest, *, secret: str, scope: Scope, now: datetime) -> Bearer:
    """Make the request the token's: its user's, and acting for its organization if it has one.

    Raises:
        TokenRefused: see :func:`accounts.services.tokens.admit`.
        TooManyRequests: this token, or wrong ones from this address, came too often.
    """
    address = str(address_of(request))
    try:
        bearer = admit(secret=secret, scope=scope, now=now)
    except TokenRefused as refused:
        if refused.token is None:
            spend(settings.MARKETPLACE_TOKEN_REFUSED_RATE, "no-token", address)
        else:
            _count(request, refused.token, now=now)
        raise
    _count(request, bearer.token, now=now)
    request.user = bearer.user
    request.membership = bearer.membership  # type: ignore[attr-defined]
    request.organization = bearer.token.organization  # type: ignore[attr-defined]
    request.api_token = bearer.token  # type: ignore[attr-defined]
    return bearer


def _count(request: HttpRequest, token: ApiToken, *, now: datetime) -> None:
    """
    Raises:
        TooManyRequests: it came too often. That is kept, but for a flood's every request.
    """
    try:
        spend(settings.MARKETPLACE_TOKEN_RATE, "token", str(token.pk))
    except TooManyRequests:
        with suppress(TooManyRequests):
            spend(KEPT_OF_TOO_MANY, "token-too-often", str(token.pk))
            keep_use(request, token, HTTPStatus.TOO_MANY_REQUESTS, now=now)
        raise


def keep_use(request: HttpRequest, token: ApiToken, status: int, *, now: datetime) -> None:
    """Write down that the token was used for this request."""
    record_use(
        token=token,
        method=request.method or "",
        path=request.path,
        status=status,
        address=address_of(request),
        now=now,
    )


def _for_programs(
    view: View, request: HttpRequest, scope: Scope, whose: Whose | None, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    now = timezone.now()
    try:
        bearer = let_in(request, secret=secret_of(request) or "", scope=scope, now=now)
    except TokenRefused as refused:
        if refused.token is not None:
            keep_use(request, refused.token, refused.status, now=now)
        return _refusal(refused, scope)
    except TooManyRequests as error:
        return too_often(error)
    status = 500
    try:
        answer = _answer_of(view, request, bearer, whose, *args, **kwargs)
        status = answer.status_code
    finally:
        keep_use(request, bearer.token, status, now=now)
    patch_cache_control(answer, private=True, no_store=True)
    return answer


def _answer_of(
    view: View, request: HttpRequest, bearer: Bearer, whose: Whose | None, *args: Any, **kwargs: Any
) -> HttpResponseBase:
    """What the view answers, with pages for people turned into words for programs."""
    organization = bearer.token.organization
    if organization is not None and (whose is None or whose(*args, **kwargs) != organization.pk):
        words = _("This token acts for %(organization)s, and what is asked for is not its.")
        return failure("forbidden", words % {"organization": organization}, 403)
    try:
        answer = view(request, *args, **kwargs)
    except Http404:
        return failure("not_found", _("There is nothing here that this token may see."), 404)
    except PermissionDenied as error:
        return failure("forbidden", str(error) or _("This token may not do that."), 403)
    if 300 <= answer.status_code < 400 and answer.status_code != 304:
        # People are sent to a page that says what is wrong. Nobody is to find those words later, in a cookie.
        list(get_messages(request))
        again = failure("away", _("This cannot be had at the moment. Try again in a minute."), 503)
        again["Retry-After"] = str(RETRY_SECONDS)
        return again
    if answer.status_code >= 400 and answer.get("Content-Type", "").startswith("text/html"):
        return failure("refused", answer.reason_phrase, answer.status_code)
    return answer


def _refusal(refused: TokenRefused, scope: Scope) -> HttpResponse:
    answer = failure(refused.code, refused.message, refused.status)
    needed = f', scope="{scope.value}"' if refused.code == "insufficient_scope" else ""
    answer["WWW-Authenticate"] = f'Bearer realm="{settings.SITE_NAME}", error="{refused.code}"{needed}'
    patch_cache_control(answer, no_store=True)
    return answer


def too_often(error: TooManyRequests) -> HttpResponse:
    answer = failure("too_often", error.message, 429)
    answer["Retry-After"] = str(RETRY_SECONDS)
    return answer


def failure(code: str, message: str, status: int) -> JsonResponse:
    """What a program is told."""
    return JsonResponse({"error": code, "message": message}, status=status)
