"""Who asks: their language and time zone, the country as whose numbers theirs are written, and whom they act for."""

import time
import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from accounts.models import Membership, User
from common.formats import in_region, region_of
from common.languages import ENGLISH, chosen_in_browser, in_language, known, wanted_by_browser

#: Where in the session the id of the organization is kept that somebody acts for.
ACTING_FOR = "organization"
#: Whether the person belongs to any organization, as far as this session knows: then the header has a switcher.
BELONGS_SOMEWHERE = "belongs_somewhere"
#: Where in the session it is kept when it was last written down as seen, in seconds since 1970; set at sign-in.
SEEN = "seen_at"
SEEN_EVERY = timedelta(minutes=5)


class PersonPlace:
    """Activate the person's own language, time zone and region.

    The language: the one in the profile, else the one chosen in this browser, else the browser's own, else English.
    The administration is in English. The time zone: the one in the profile, else what the browser said, else UTC. The
    region: the country in the profile, else the first that the browser's languages name, else none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        own_language = known(getattr(request.user, "language", "")) or chosen_in_browser(request)
        country = str(getattr(request.user, "country", ""))
        name = getattr(request.user, "timezone", "") or request.COOKIES.get(settings.MARKETPLACE_TIMEZONE_COOKIE, "")
        try:
            timezone.activate(zoneinfo.ZoneInfo(name))
        except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
            timezone.deactivate()
        region = country or region_of(request.headers.get("Accept-Language", ""))
        try:
            with in_language(own_language or wanted_by_browser(request)), in_region(region):
                response = self.get_response(request)
                if response.get("Content-Type", "").startswith("text/html"):
                    response.headers.setdefault("Content-Language", translation.get_language() or ENGLISH)
                    if not (country and own_language):
                        patch_vary_headers(response, ["Accept-Language"])
                    patch_vary_headers(response, ["Cookie"])
        finally:
            timezone.deactivate()
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if request.resolver_match and "admin" in request.resolver_match.namespaces:
            translation.activate(ENGLISH)  # until __call__ ends


def acting_for(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Set ``request.membership`` and ``request.organization``: of whom the person acts for, or ``None``.

    What the session says is held against the membership at every request: whoever was removed acts for themselves.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        membership = _membership(request)
        request.membership = membership  # type: ignore[attr-defined]
        request.organization = membership.organization if membership else None  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


def _membership(request: HttpRequest) -> Membership | None:
    if not request.user.is_authenticated or ACTING_FOR not in request.session:
        return None
    found = (
        Membership.objects.current()
        .select_related("organization")
        .filter(user=request.user, organization_id=request.session[ACTING_FOR])
        .first()
    )
    if found is None:
        del request.session[ACTING_FOR]
    return found


def last_seen(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Keep in the list of one's sessions when each was last used, and from where: to within :data:`SEEN_EVERY`.

    django-allauth's own middleware writes at every request. The session itself knows when it was last written down.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        at = request.session.get(SEEN) if request.user.is_authenticated else None
        if at is not None and time.time() - at > SEEN_EVERY.total_seconds():
            request.session[SEEN] = int(time.time())
            UserSession.objects.create_from_request(request)
        return get_response(request)

    return middleware


def note_belonging(request: HttpRequest, user: User, **_: Any) -> None:
    """Of whoever signs in: whether they belong to an organization (``user_logged_in``)."""
    if Membership.objects.current().filter(user=user).exists():
        request.session[BELONGS_SOMEWHERE] = True
