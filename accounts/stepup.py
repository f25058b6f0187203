"""Asking again who somebody is, before they do what could lock them out or cost them money.

Whoever has shown with their password, a code, a passkey or a mailed code that it is still them is believed for
``MARKETPLACE_STEP_UP``. Then, or before the first time, they are sent to a page that asks, and come back: a form that
was posted is posted again for them (django-allauth keeps it in the session meanwhile; files are not kept, so a page with an upload
asks when it is opened). Having signed in a moment ago is not enough: a browser that was left open would be. SSH keys
alone can be added then, or everybody would be asked twice before their first booking.
"""

import time
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from typing import Any, TypeVar, overload
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, reverse

#: Where in the session it is kept when it began, in seconds since 1970.
SIGNED_IN = "signed_in_at"

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

GET_AND_POST = frozenset({"GET", "POST"})
POST = frozenset({"POST"})

#: django-allauth's own pages that ask again, and for what. Changing a password asks for the old one itself.
ASKING: dict[str, Collection[str]] = {
    "account_email": POST,
    "account_set_password": GET_AND_POST,
    "mfa_activate_totp": GET_AND_POST,
    "mfa_deactivate_totp": GET_AND_POST,
    "mfa_add_webauthn": GET_AND_POST,
    "mfa_edit_webauthn": GET_AND_POST,
    "mfa_remove_webauthn": GET_AND_POST,
    "mfa_view_recovery_codes": GET_AND_POST,
    "mfa_generate_recovery_codes": GET_AND_POST,
    "mfa_download_recovery_codes": GET_AND_POST,
    "usersessions_list": POST,
}


def has_stepped_up(request: HttpRequest) -> bool:
    """Whether they have shown within ``MARKETPLACE_STEP_UP`` that it is still them."""
    shown = [record["at"] for record in _records(request) if record.get("reauthenticated")]
    return bool(shown) and time.time() - max(shown) < settings.MARKETPLACE_STEP_UP.total_seconds()


def has_just_signed_in(request: HttpRequest) -> bool:
    """Whether this session began within ``MARKETPLACE_STEP_UP``."""
    return bool(time.time() - request.session.get(SIGNED_IN, 0) < settings.MARKETPLACE_STEP_UP.total_seconds())


def require_step_up(request: HttpRequest, *, or_sign_in: bool = False) -> None:
    """For a view that has loaded and authorised what it is about: nobody else needs to learn that it asks.

    Args:
        or_sign_in: having signed in within that time will do: for what people come to do as soon as they have an account.

    Raises:
        ReauthenticationRequired: they have not. django-allauth's middleware answers it with the page that asks.
    """
    if not has_stepped_up(request) and not (or_sign_in and has_just_signed_in(request)):
        raise ReauthenticationRequired


@overload
def step_up(view: View) -> View: ...


@overload
def step_up(*, methods: Collection[str]) -> Callable[[View], View]: ...


def step_up(view: Any = None, *, methods: Collection[str] = GET_AND_POST) -> Any:
    """Let a view ask again first, for these methods. Stands below ``login_required``.

    ``@step_up`` for a page that is dangerous to see or has an upload, ``@step_up(methods=POST)`` for one to look at.
    """

    def decorated(view: Any) -> Any:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and request.method in methods:
                require_step_up(request)
            answer: HttpResponseBase = view(request, *args, **kwargs)
            return answer

        return guarded

    return decorated(view) if view else decorated


def asking(patterns: Iterable[URLPattern | URLResolver]) -> list[URLPattern | URLResolver]:
    """django-allauth's routes, with those in :data:`ASKING` made to ask.

    It would let people without a password and a second factor pass unasked: there is nothing of theirs that it could
    ask for. Here they get a code by mail.
    """
    found = list(patterns)
    for pattern in found:
        if isinstance(pattern, URLResolver):
            asking(pattern.url_patterns)
        elif pattern.name in ASKING:
            pattern.callback = step_up(methods=ASKING[pattern.name])(pattern.callback)
    return found


# Second factors -------------------------------------------------------------------------------------------------------


def has_second_factor(user: Any) -> bool:
    """An authenticator app or a passkey. Recovery codes only stand in for them."""
    return bool(Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES).exists())


def used_second_factor(request: HttpRequest) -> bool:
    """Whether this session has seen a code or a passkey, at sign-in or since."""
    return any(record.get("method") == "mfa" for record in _records(request))


def ask_for_second_factor(request: HttpRequest) -> HttpResponseBase:
    """To the page that asks for a code or a passkey, and back here."""
    kinds = set(Authenticator.objects.filter(user_id=request.user.pk).values_list("type", flat=True))
    by_code = kinds & {Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES}
    page = reverse("mfa_reauthenticate" if by_code else "mfa_reauthenticate_webauthn")
    return redirect(f"{page}?{urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})}")


def _records(request: HttpRequest) -> list[dict[str, Any]]:
    """How this person has authenticated in this session."""
    return get_authentication_records(request, request.user)  # type: ignore[no-any-return]
