"""What every template may use."""

from functools import cache, partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest

#: More than so many are "99+": nobody counts further, and neither does the database.
MOST_COUNTED = 100


def site(request: HttpRequest) -> dict[str, Any]:
    return {"SITE_NAME": settings.SITE_NAME, "unread_notifications": cache(partial(_unread, request))}


def _unread(request: HttpRequest) -> int:
    """For the bell: asked once a page, when it is drawn, and only of people who are signed in."""
    return request.user.notifications.unread()[:MOST_COUNTED].count() if request.user.is_authenticated else 0
