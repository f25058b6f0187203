"""In which language somebody reads: the switch at the foot of every page."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from accounts.services.languages import choose_language
from common.languages import known


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language that was chosen: on the account of whoever is signed in, and in this browser."""
    there = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    response = redirect(there if is_ours else "/")
    code = known(request.POST.get("language", ""))
    if not code:
        messages.error(request, gettext("The pages are not in that language. Choose one at the foot of the page."))
        return response
    if request.user.is_authenticated:
        choose_language(user=request.user, language=code)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
    return response
