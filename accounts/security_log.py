"""What has to do with security, as lines of the log ``security``: who signed in how, and what was refused to whom.

A line is a word and what belongs to it, ``key=value``, so that programs can read it. It names people by their ids and never
repeats what somebody typed: passwords are typed into the field for the address, too. An address that nobody signed in with is
written as a digest, which is the same each time and says no more (``docs/security.md``, V16).
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa
from django.contrib.auth import signals as auth
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from common.addresses import address_of

log = logging.getLogger("security")

#: What is answered to whoever is not let in, may not, or asks too often.
REFUSALS = frozenset({401, 403, 429})
NOT_FOUND = 404
#: Signs of the digest of an address: enough to see that it is the same one.
DIGEST = 12

#: Something about signing in has changed.
CHANGES: dict[str, Signal] = {
    "password_changed": account.password_changed,
    "password_set": account.password_set,
    "password_reset": account.password_reset,
    "address_added": account.email_added,
    "address_changed": account.email_changed,
    "address_removed": account.email_removed,
    "factor_added": mfa.authenticator_added,
    "factor_removed": mfa.authenticator_removed,
    "factor_renewed": mfa.authenticator_reset,
}


def write(event: str, request: HttpRequest | None, level: int = logging.INFO, **facts: object) -> None:
    """One line. Who and from where are the request's, unless ``facts`` say it."""
    around: dict[str, object] = {}
    if request is not None:
        person = getattr(request, "user", None)
        acting = getattr(request, "acting", None)
        around["user"] = getattr(person, "pk", None) or "-"
        if acting is not None:
            around["administrator"] = acting.administrator_id
        around["from"] = address_of(request) or "-"
    log.log(level, "%s %s", event, " ".join(f"{name}={value}" for name, value in (around | facts).items()))


def note_refusals(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Write down what was refused: to anybody; and what is not there for whoever is signed in, which may be somebody else's.

    The address is written as its pattern with the ids in it, because addresses can hold secrets.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        status, match = response.status_code, request.resolver_match
        if status in REFUSALS or (status == NOT_FOUND and match and request.user.is_authenticated):
            ids = ",".join(str(value) for value in (match.kwargs if match else {}).values() if isinstance(value, UUID))
            write(
                "refused",
                request,
                logging.WARNING,
                status=status,
                method=(request.method or "")[:10],
                route=match.route if match else "-",
                about=ids or "-",
            )
        return response

    return middleware


def factor_refused(user: Any, kind: str) -> None:
    """A code or a passkey did not fit."""
    write("factor_refused", None, logging.WARNING, user=getattr(user, "pk", None) or "-", kind=kind)


def _signed_in(request: HttpRequest, user: Any, **_: Any) -> None:
    records = get_authentication_records(request, user)
    ways = dict.fromkeys(str(record.get("type") or record.get("method")) for record in records)
    write("signed_in", request, user=user.pk, by=",".join(ways) or "-")


def _sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """A password did not fit: of nobody yet, or of whoever is signed in and was asked again."""
    address = str(credentials.get("email") or credentials.get("username") or "").strip().lower()
    digest = salted_hmac("accounts.security_log", address, algorithm="sha256").hexdigest()[:DIGEST]
    write("sign_in_failed", request, logging.WARNING, address=digest)


def _signed_out(request: HttpRequest | None, user: Any, **_: Any) -> None:
    write("signed_out", request, user=getattr(user, "pk", None) or "-")


def _receiver(event: str) -> Callable[..., None]:
    def changed(user: Any, request: HttpRequest | None = None, **_: Any) -> None:
        write(event, request, user=user.pk)

    return changed


def _code_refused(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    write("code_refused", request, logging.WARNING, user=getattr(user, "pk", None) or "-")


def connect() -> None:
    """When the application is ready."""
    account.user_logged_in.connect(_signed_in, dispatch_uid="security_log.signed_in")
    auth.user_login_failed.connect(_sign_in_failed, dispatch_uid="security_log.sign_in_failed")
    auth.user_logged_out.connect(_signed_out, dispatch_uid="security_log.signed_out")
    for event, signal in CHANGES.items():
        signal.connect(_receiver(event), weak=False, dispatch_uid=f"security_log.{event}")
    for signal in (account.email_verification_code_rejected, account.password_reset_code_rejected):
        signal.connect(_code_refused, dispatch_uid="security_log.code_refused")
