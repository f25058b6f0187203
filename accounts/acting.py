"""Seeing the site as somebody else: what the middleware makes of a request, and what it lets through.

The administrator's own session stays what it is; only ``request.user`` is somebody else for as long as the row in
:class:`~accounts.models.Acting` goes on, which is read again at every request. Whoever acts as a person looks: requests that
change something are refused, but for those in :data:`WRITES`, and so is everything that is about how the person signs in.
A new route is refused by itself, until somebody names it here ([0040](../docs/decisions/0040-acting-as-a-person.md)).
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Acting, ActingEnd
from accounts.services.acting import acting_of, end_acting

#: Where in the session the id of the :class:`Acting` is kept.
SESSION_KEY = "acting"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: The routes that may change something: they end it.
WRITES = frozenset({"acting_stop", "account_logout"})
#: Neither seen nor used: how the person signs in, what lets a program in, who they have shown themselves to be, what they
#: pay with and are paid to, and the administration. The secret of a payment that waits stands on the pages to pay on; and
#: on to Stripe one is signed in as the person.
CLOSED_PREFIXES = (
    "account_",
    "mfa_",
    "usersessions_",
    "socialaccount_",
    "openid_",
    "saml_",
    "sso_",
    "token_",
    "webhook_",
    "feed_",
    "booking_pay",
    "charge_pay",
    "plan_pay",
    "plan_authenticate",
    "payout_stripe_",
)
CLOSED = frozenset(
    {
        "security",
        "session_end",
        "step_up_by_mail",
        "privacy",
        "export_file",
        "deletion",
        "organization_tokens",
        "organization_webhooks",
        "verification_details",
        "verification_documents",
        "verification_document",
        "verification_check",
        "verification_file",
    }
)
CLOSED_NAMESPACES = frozenset({"admin"})


class ActingMiddleware:
    """Makes ``request.user`` the person whom an administrator acts as. ``request.acting`` is the row, or ``None``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.acting = acting = _acting(request)  # type: ignore[attr-defined]
        if acting is None:
            return self.get_response(request)
        request.user = acting.user
        response = self.get_response(request)
        response["Cache-Control"] = "private, no-store"
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """
        Raises:
            PermissionDenied: nobody does this as somebody else.
        """
        acting = request.acting  # type: ignore[attr-defined]
        if acting is None:
            return
        if not _is_open(request):
            raise PermissionDenied(
                _("You are looking at the site as %(who)s. This is not for anybody else to see or do. Stop first.")
                % {"who": acting.user}
            )


def _acting(request: HttpRequest) -> Acting | None:
    if not request.user.is_authenticated or SESSION_KEY not in request.session:
        return None
    found = acting_of(pk=str(request.session[SESSION_KEY]), administrator=request.user, now=timezone.now())
    if found is None:
        del request.session[SESSION_KEY]
    return found


def _is_open(request: HttpRequest) -> bool:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if name in WRITES:
        return True
    if match is None or CLOSED_NAMESPACES & set(match.namespaces):
        return False
    if name in CLOSED or name.startswith(CLOSED_PREFIXES):
        return False
    return request.method in SAFE


def _when_signed_out(sender: Any, request: HttpRequest | None, **_more: Any) -> None:
    acting = getattr(request, "acting", None)
    if acting is not None:
        end_acting(acting=acting, how=ActingEnd.SIGNED_OUT, now=timezone.now())


user_logged_out.connect(_when_signed_out, dispatch_uid="accounts.acting")
