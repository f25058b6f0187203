"""How django-allauth behaves here."""

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.sites.shortcuts import get_current_site
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import Role, User
from accounts.outbox import queue_mail

#: Where in the session the address is kept that somebody goes on to once they are signed in.
AFTER_SIGN_IN = "after_sign_in"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Mail goes to the outbox, so that a mail server that is away neither breaks a sign-up nor loses its mail."""

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Back to what somebody was about to do before they had to sign up, else where their work is."""
        if AFTER_SIGN_IN in request.session:
            return str(request.session.pop(AFTER_SIGN_IN))
        user = cast(User, request.user)
        only_provides = user.is_provider and Role.BUYER not in user.roles
        return reverse("machine_list") if only_provides else str(super().get_login_redirect_url(request))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        around = {"request": self.request, "email": email, "current_site": get_current_site(self.request)}
        message = self.render_mail(template_prefix, email, around | context)
        html = next((body for body, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
        if getattr(message, "content_subtype", "plain") == "html":
            html, message.body = message.body, message.subject
        queue_mail(
            address=email, user=context.get("user"), subject=message.subject, text=str(message.body), html=str(html)
        )
