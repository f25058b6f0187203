"""How django-allauth behaves here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.sites.shortcuts import get_current_site

from accounts.outbox import queue_mail


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Mail goes to the outbox, so that a mail server that is away neither breaks a sign-up nor loses its mail."""

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        around = {"request": self.request, "email": email, "current_site": get_current_site(self.request)}
        message = self.render_mail(template_prefix, email, around | context)
        html = next((body for body, kind in getattr(message, "alternatives", []) if kind == "text/html"), "")
        if getattr(message, "content_subtype", "plain") == "html":
            html, message.body = message.body, message.subject
        queue_mail(
            address=email, user=context.get("user"), subject=message.subject, text=str(message.body), html=str(html)
        )
