"""The platform administrators' site."""

from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from accounts import stepup


class Site(admin.AdminSite):
    site_header = f"{settings.SITE_NAME} administration"
    site_title = f"{settings.SITE_NAME} administration"
    index_title = "What needs a decision, and everything else"

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    @method_decorator(secure_admin_login)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No password is ever taken here: whoever is not signed in is sent to the site's own sign-in, with its limits."""
        return redirect(get_next_redirect_url(request) or "admin:index")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """What every page of the administration wants first.

        An address with a NUL in it is refused: nothing that is stored has one, and PostgreSQL takes none. With
        ``MARKETPLACE_ADMIN_MFA``, the session has seen a second factor, and whoever changes something has shown
        again a short time ago that it is still them.
        """
        leaves = view == self.logout

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if any("\0" in value for values in request.GET.lists() for value in (values[0], *values[1])):
                raise BadRequest("This address has a character that cannot be stored.")
            if settings.MARKETPLACE_ADMIN_MFA and not leaves:
                if not stepup.used_second_factor(request):
                    return self._want_second_factor(request)
                if request.method == "POST":
                    stepup.require_step_up(request)
            return view(request, *args, **kwargs)

        return super().admin_view(guarded, cacheable)

    def _want_second_factor(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for it, or say how to set one up."""
        if stepup.has_second_factor(request.user):
            return stepup.ask_for_second_factor(request)
        context = {"title": gettext("The administration wants a second factor"), "next": request.get_full_path()}
        return render(request, "accounts/second_factor_wanted.html", context, status=403)
