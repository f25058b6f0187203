"""Who asked for a change, from the request that asked: for the history of what it changes (:mod:`common.history`)."""

from collections.abc import Callable

from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse

from accounts.models import User
from common.history.facts import also, recorded

READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: What agents call says itself who it is (machines.views.agent_api): a heartbeat carries nothing along.
AGENTS = "/agent/"


def who_changes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Requests that may change something do it in the name of whoever is signed in. Those that read cost nothing."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method in READING or request.path_info.startswith(AGENTS):
            return get_response(request)
        acting = getattr(request, "acting", None)
        with recorded(
            user=request.user.pk,
            acting=acting.administrator_id if acting else None,
            address=f"{request.method} {request.path_info}",
        ):
            return get_response(request)

    return middleware


def _now_known(sender: object, user: User, **_more: object) -> None:
    """Signed in within the request: what follows is theirs."""
    also(user=user.pk)


user_logged_in.connect(_now_known, dispatch_uid="accounts.recording")
