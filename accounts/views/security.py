"""A person's own sign-in: what it has, which devices are signed in, and showing again who one is by a mailed code."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.views import BaseReauthenticateView
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts import mailed_codes
from accounts.models import User
from accounts.requests import AuthenticatedRequest
from accounts.sign_in_forms import MailedCodeForm
from accounts.stepup import require_step_up


@login_required
@require_GET
def security(request: AuthenticatedRequest) -> HttpResponse:
    """Everything that somebody signs in with, on one page."""
    addresses = EmailAddress.objects.filter(user=request.user).order_by("-primary", "email")
    context = {
        **second_factors(request.user),
        "addresses": addresses,
        "sessions": UserSession.objects.purge_and_list(request.user),
    }
    return render(request, "accounts/security.html", context)


def second_factors(user: User) -> dict[str, Any]:
    """What ``mfa/_factors.html`` draws."""
    found = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    (codes,) = [row for row in found if row.type == Authenticator.Type.RECOVERY_CODES] or [None]
    factors = [row for row in found if row is not codes]
    return {
        "app": next((row for row in factors if row.type == Authenticator.Type.TOTP), None),
        "passkeys": [row.wrap() for row in factors if row.type == Authenticator.Type.WEBAUTHN],
        "has_factor": bool(factors),
        "codes": codes,
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
    }


@login_required
@require_POST
def session_end(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """Sign out one device."""
    session = get_object_or_404(UserSession, user=request.user, pk=pk)
    require_step_up(request)
    session.end()
    messages.success(request, gettext("That device is signed out."))
    return redirect("usersessions_list")


@method_decorator([never_cache, login_required], name="dispatch")
class StepUpByMailView(BaseReauthenticateView):  # type: ignore[misc]
    """Show who one is with a code that is mailed. Only for who has nothing else: others are sent to what they have."""

    form_class = MailedCodeForm
    template_name = "account/step_up_by_mail.html"

    def post(self, request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "send" not in request.POST:
            return super().post(request, *args, **kwargs)  # type: ignore[no-any-return]
        mailed_codes.mail_code(request, now=timezone.now())
        return redirect(request.get_full_path())

    def form_valid(self, form: MailedCodeForm) -> HttpResponse:
        if mailed_codes.spend(self.request, form.cleaned_data["code"], now=timezone.now()):
            return super().form_valid(form)  # type: ignore[no-any-return]
        form.add_error(
            "code", gettext("That is not the code of our newest mail, or it is too old. Have another one mailed.")
        )
        return self.form_invalid(form)  # type: ignore[no-any-return]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        waiting = mailed_codes.is_waiting(self.request, now=timezone.now())
        return {**super().get_context_data(**kwargs), "is_waiting": waiting}
