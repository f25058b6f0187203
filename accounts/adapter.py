"""How django-allauth behaves here."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast
from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import get_next_redirect_url
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import AnonymousUser
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.middleware import SEEN
from accounts.models import Role, SingleSignOn, User
from accounts.outbox import queue_mail, written_for
from accounts.services.sign_on_members import linked_to, required_of
from accounts.sso import shown
from accounts.stepup import has_second_factor

#: Where in the session the address is kept that somebody goes on to once they are signed in.
AFTER_SIGN_IN = "after_sign_in"

#: What of a mail's context is an address to go to, and the words on its button.
ACTIONS: dict[str, str | Promise] = {
    "activate_url": _("Confirm the address"),
    "password_reset_url": _("Choose a new password"),
    "signup_url": _("Sign up"),
}


#: What django-allauth says itself, and says in German to friends: named here, so that our catalogue translates it.
SAID_BY_ALLAUTH = (
    gettext_noop("Please type your current password."),
    gettext_noop("The new value must be different from the current one."),
    gettext_noop("You cannot add more than %d email addresses."),
    gettext_noop("You must type the same password each time."),
    gettext_noop("Your primary email address must be verified."),
)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Mail goes to the outbox, so that a mail server that is away neither breaks a sign-up nor loses its mail."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _("There is no account with this address and this password."),
        "incorrect_password": _("That is not your password."),
        "incorrect_code": _("That is not the code of our newest mail."),
        "too_many_login_attempts": _("Too many failed attempts. Wait five minutes, then try again."),
        "rate_limited": _("Too many requests. Wait a minute, then try again."),
        "cannot_remove_primary_email": _("Mail goes to this address. Make another one the primary first."),
    }

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Back to what somebody was about to do before they had to sign up, else where their work is."""
        if AFTER_SIGN_IN in request.session:
            return str(request.session.pop(AFTER_SIGN_IN))
        user = cast(User, request.user)
        only_provides = user.is_provider and Role.BUYER not in user.roles
        return reverse("machine_list") if only_provides else str(super().get_login_redirect_url(request))

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        """Whoever signed up with a passkey alone sees next that a lost one needs recovery codes."""
        if AFTER_SIGN_IN in request.session:
            return str(request.session.pop(AFTER_SIGN_IN))
        user = cast(User, request.user)
        by_passkey = not user.has_usable_password() and has_second_factor(user)
        return reverse("security") if by_passkey else str(super().get_signup_redirect_url(request))

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        request.session[SEEN] = int(time.time())

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """What somebody may show again who they are with: what they have; who has nothing gets a code by mail."""
        methods = [
            method | {"description": WAYS[method["id"]]} for method in super().get_reauthentication_methods(user)
        ]
        if not methods and user.is_authenticated:
            methods = [{"id": "mail", "description": WAYS["mail"], "url": reverse("step_up_by_mail")}]
            if linked_to(user):
                methods.insert(0, {"id": "sso", "description": WAYS["sso"], "url": reverse("sso_again")})
        return methods

    def pre_login(
        self, request: HttpRequest, user: User, *, signal_kwargs: dict[str, Any] | None, **more: Any
    ) -> HttpResponse | None:
        """Whoever has shown who they are in another way than their organization wants goes to its provider."""
        answer: HttpResponse | None = super().pre_login(request, user, signal_kwargs=signal_kwargs, **more)
        if answer is not None or "sociallogin" in (signal_kwargs or {}):
            return answer
        sign_on = required_of(user)
        if sign_on is None:
            return None
        shown.keep(request, user)
        context = {"organization": sign_on.organization, "go": _way_to(request, sign_on)}
        return render(request, "sso/required.html", context, status=403)

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Something about signing in has changed. Times are written in the person's own zone."""
        super().send_notification_mail(template_prefix, user, {"user": user, **(context or {})}, email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Plain text from a template, and the same in HTML, which needs no template of its own."""
        user = context.get("user")
        around = {"request": self.request, "email": email, "current_site": get_current_site(self.request)}
        with written_for(user) if user else nullcontext():
            message = self.render_mail(template_prefix, email, around | context)
            text = str(message.body)
            html = render_to_string(
                "account/email/message.html", {"subject": message.subject, **_parts(text, context), "email": email}
            )
        queue_mail(address=email, user=user, subject=message.subject, text=text, html=html)


def _way_to(request: HttpRequest, sign_on: SingleSignOn) -> str:
    """To the provider, and afterwards to where they were going; the page that asks them to go there is left out."""
    go, there = reverse("sso_go", args=[sign_on.slug]), get_next_redirect_url(request)
    if not there or there == reverse("sso_entrance", args=[sign_on.slug]):
        return go
    return f"{go}?{urlencode({REDIRECT_FIELD_NAME: there})}"


#: What the ways of showing who one is are called.
WAYS: dict[str, str | Promise] = {
    "reauthenticate": _("Use your password"),
    "mfa_reauthenticate": _("Use a code"),
    "mfa_reauthenticate:webauthn": _("Use a passkey"),
    "mail": _("Have a code mailed"),
    "sso": _("Sign in at your organization again"),
}


def _parts(text: str, context: dict[str, Any]) -> dict[str, Any]:
    """A plain mail in pieces: its paragraphs, and what of them is a button or a code."""
    body = text.partition("\n\n-- \n")[0]
    address, words = next(((context[key], words) for key, words in ACTIONS.items() if context.get(key)), ("", ""))
    code = context.get("code", "")
    plain: Callable[[str], bool] = lambda paragraph: paragraph not in ("", address, code)  # noqa: E731
    return {
        "paragraphs": list(filter(plain, (" ".join(part.split()) for part in body.split("\n\n")))),
        "action_url": address,
        "action_label": words,
        "code": code,
    }
