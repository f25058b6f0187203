"""A code by mail, for people who can show who they are with nothing else: they sign in through their organization alone."""

from datetime import datetime, timedelta

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.dateparse import parse_datetime

from accounts.requests import AuthenticatedRequest

#: Where in the session the digest of the code is kept that was mailed last.
MAILED = "step_up_code"
GOOD_FOR = timedelta(minutes=10)
MOST_ATTEMPTS = 3


def mail_code(request: AuthenticatedRequest, *, now: datetime) -> None:
    """Send a code to the person's own address. An earlier one is good for nothing from then on."""
    adapter = get_adapter(request)
    code = adapter.generate_login_code()
    request.session[MAILED] = {"digest": _digest(request, code), "at": now.isoformat(), "attempts": 0}
    adapter.send_mail("account/email/step_up_code", request.user.email, {"user": request.user, "code": code})


def is_waiting(request: AuthenticatedRequest, *, now: datetime) -> bool:
    """Whether there is a code to be typed."""
    if MAILED not in request.session:
        return False
    mailed = request.session[MAILED]
    at = parse_datetime(mailed["at"])
    return bool(at and now - at < GOOD_FOR and mailed["attempts"] < MOST_ATTEMPTS)


def spend(request: AuthenticatedRequest, code: str, *, now: datetime) -> bool:
    """Whether it is the code that was mailed, within its time and attempts. It works once."""
    if not is_waiting(request, now=now):
        return False
    mailed = request.session[MAILED]
    if constant_time_compare(mailed["digest"], _digest(request, code)):
        del request.session[MAILED]
        record_authentication(request, request.user, method="mail", reauthenticated=True)
        return True
    request.session[MAILED] = mailed | {"attempts": mailed["attempts"] + 1}
    return False


def _digest(request: AuthenticatedRequest, code: str) -> str:
    """Of the letters alone: hyphens and spaces are for reading."""
    letters = "".join(filter(str.isalnum, code)).upper()
    return salted_hmac("accounts.mailed_codes", f"{request.user.pk}:{letters}", algorithm="sha256").hexdigest()
