"""What tests sign in with: a confirmed address, an authenticator app, a step-up."""

import re
import time

from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY,
    AUTHENTICATION_METHODS_SESSION_KEY,
)
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import OutgoingMail, User
from tests.people import PASSWORD

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODE = re.compile(r"^[A-Z0-9]{3,5}-[A-Z0-9]{3,5}$", re.MULTILINE)


def confirm(user: User, *, verified: bool = True) -> User:
    """With ``verified=False`` the address is known, and was never confirmed."""
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
    return user


def sign_in(client: Client, user: User, password: str = PASSWORD, **around: str) -> HttpResponse:
    return client.post(reverse("account_login"), {"login": user.email, "password": password}, headers=around)


def step_up(client: Client, *, method: str = "password", seconds_ago: float = 0) -> Client:
    """Whoever is signed in has just shown that it is still them."""
    session = client.session
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = session["_auth_user_id"]
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [
        {"method": method, "at": time.time() - seconds_ago, "reauthenticated": True}
    ]
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key  # which may be all of it
    return client


def add_app(user: User) -> Authenticator:
    """An authenticator app with :data:`SECRET`."""
    return TOTP.activate(user, SECRET).instance


def add_codes(user: User) -> list[str]:
    """Recovery codes."""
    return RecoveryCodes.activate(user).get_unused_codes()


def code_now(secret: str = SECRET, *, periods: int = 0) -> str:
    """What the app shows, so many periods of 30 seconds from now (RFC 6238)."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def mailed_code(address: str) -> str:
    """The code of the newest mail to an address."""
    mail = OutgoingMail.objects.filter(address=address).latest("created_at")
    return CODE.search(mail.text)[0]
