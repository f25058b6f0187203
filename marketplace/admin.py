"""The platform administrators' site."""

from functools import wraps
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.utils import get_next_redirect_url
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache


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
        """Refuses an address with a NUL in it: nothing that is stored has one, and PostgreSQL takes none."""

        @wraps(view)
        def without_nul(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if any("\0" in value for values in request.GET.lists() for value in (values[0], *values[1])):
                raise BadRequest("This address has a character that cannot be stored.")
            return view(request, *args, **kwargs)

        return super().admin_view(without_nul, cacheable)
