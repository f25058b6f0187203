"""How long somebody stays signed in, and what a browser may keep of what it was shown meanwhile.

A session ends ``MARKETPLACE_SESSION_DAYS`` after it was last used, and at the latest ``MARKETPLACE_SESSION_MOST`` after its
sign-in (a platform administrator's: ``MARKETPLACE_ADMIN_SESSION``), however busy it is: a stolen one is not good for ever. Whoever
has shown again who they are gets it under another key (NIST SP 800-63B; ``docs/security.md``, V7). Where administrators need a second
factor, one who has not shown it yet is a person like others, on every page.
"""

import time
from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

from accounts import security_log
from accounts.models import User
from accounts.stepup import SIGNED_IN, used_second_factor

NOT_KEPT = "private, no-store"
#: Of this site: pages that lie about for the way back, and whatever a script may have put down.
EVERYTHING = '"cache", "storage"'


def note_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    """The session begins (``user_logged_in``)."""
    request.session[SIGNED_IN] = int(time.time())


def keep_within_bounds(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """End sessions that are too old; keep what a person is shown out of caches; forget it all when they sign out."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and _is_over(request):
            security_log.write("session_over", request)
            logout(request)
        if not request.user.is_authenticated:
            return get_response(request)
        if settings.MARKETPLACE_ADMIN_MFA and not used_second_factor(request):
            request.user.is_limited = True
        person, shown = request.user, _times_shown(request, request.user)
        response = get_response(request)
        if SESSION_KEY not in request.session:
            response["Clear-Site-Data"] = EVERYTHING
        elif _times_shown(request, person) > shown:
            _change_key(request)
            security_log.write("stepped_up", request, user=person.pk)
        response.setdefault("Cache-Control", NOT_KEPT)
        return response

    return middleware


def _is_over(request: HttpRequest) -> bool:
    began = request.session.get(SIGNED_IN)
    if began is None:
        return False
    is_administrator = getattr(request.user, "is_platform_administrator", False)
    longest = settings.MARKETPLACE_ADMIN_SESSION if is_administrator else settings.MARKETPLACE_SESSION_MOST
    return bool(time.time() - began > longest.total_seconds())


def _times_shown(request: HttpRequest, person: Any) -> int:
    """How often, in this session, they have shown again who they are."""
    return sum(bool(record.get("reauthenticated")) for record in get_authentication_records(request, person))


def _change_key(request: HttpRequest) -> None:
    """Whoever knows the old one knows nothing any more."""
    before = request.session.session_key
    request.session.cycle_key()
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)
