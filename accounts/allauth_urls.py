"""django-allauth's addresses that are wanted here: accounts, second factors, sessions.

Its pages for accounts of other sites are left out: nobody signs up, connects or disconnects by them. Single sign-on has
addresses of its own (:mod:`accounts.urls`).
"""

from collections.abc import Callable
from typing import cast

from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from accounts.stepup import asking
from accounts.views.sso import kept_where_required

urlpatterns = asking(
    [
        path("", include("allauth.account.urls")),
        path("2fa/", include("allauth.mfa.urls")),
        path("sessions/", include("allauth.usersessions.urls")),
    ]
)
for pattern in cast(URLResolver, urlpatterns[0]).url_patterns:
    if isinstance(pattern, URLPattern) and pattern.name == "account_email":
        pattern.callback = kept_where_required(cast(Callable[..., HttpResponse], pattern.callback))
