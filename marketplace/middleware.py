"""What is refused before anything looks at it; and a page that says so when something that we stand on is away."""

import logging
import sys
from collections.abc import Callable
from typing import Any

import stripe
from django.conf import settings
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as CacheConnectionError
from redis.exceptions import TimeoutError as CacheTimeoutError

from common.languages import in_language, wanted_by_browser
from marketplace import health

log = logging.getLogger(__name__)

#: Nobody here answers these; TRACE would say what a proxy has added.
METHODS_REFUSED = frozenset({"TRACE", "TRACK", "CONNECT"})
#: What the middlewares that these answers never reach would add.
BARE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
#: What programs call, and what has a secret in its address or its headers.
FOR_PROGRAMS = ("/agent/", "/feeds/", "/billing/stripe/webhook/")

OUTAGES = (
    OperationalError,
    InterfaceError,
    BrokerError,
    CacheConnectionError,
    CacheTimeoutError,
    stripe.APIConnectionError,
)
RETRY_SECONDS = 10

GetResponse = Callable[[HttpRequest], HttpResponse]


def refuse_early(get_response: GetResponse) -> GetResponse:
    """Refuse what has no business here, before anything else looks at it.

    Programs that speak plain HTTP where there is HTTPS are told so. A redirect would work, and every request of theirs
    would go on showing its token to whoever listens.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in METHODS_REFUSED:
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD, POST, OPTIONS", **BARE})
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and _is_program(request):
            said = {"error": "https_only", "detail": "Use https:, and make a new token."}
            return JsonResponse(said, status=403, headers=BARE)
        return get_response(request)

    return middleware


def _is_program(request: HttpRequest) -> bool:
    return request.path_info.startswith(FOR_PROGRAMS) or "Authorization" in request.headers


class OutagePage:
    """Turns the absence of a database, a cache, a broker or the payment processor into a 503 that asks to come back.

    An error in a view arrives at ``process_exception``. One in a middleware within this one (a session that cannot
    be loaded) never arrives here as an exception: Django has made a 500 of it by then. It does say so by a signal,
    while the exception is still at hand; what the signal noted is looked at when the 500 comes by.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info == health.PATH:  # answered before anything that reads a session
            return health.healthz(request)
        response = self.get_response(request)
        cause = getattr(request, "outage", None)
        if cause is not None and response.status_code == 500:
            return outage(request, cause)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return outage(request, error) if isinstance(error, OUTAGES) else None


def outage_page(get_response: GetResponse) -> OutagePage:
    return OutagePage(get_response)


def note_outage(request: HttpRequest | None = None, **_: Any) -> None:
    error = sys.exc_info()[1]
    if request is not None and isinstance(error, OUTAGES):
        request.outage = error  # type: ignore[attr-defined]


got_request_exception.connect(note_outage, dispatch_uid="marketplace.outage")


def outage(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The page, which needs nothing but its template."""
    log.error("503 for %s %s: %s: %s", request.method, request.path, type(error).__name__, str(error).strip())
    with in_language(wanted_by_browser(request)):
        response = HttpResponse(render_to_string("outage.html"), status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    response["Cache-Control"] = "no-store"
    return response
