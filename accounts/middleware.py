"""The place of whoever asks: their time zone, and the country as whose numbers theirs are written."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from common.formats import in_region, region_of

COOKIE = "timezone"


def person_place(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Activate the person's own time zone and region.

    The time zone: the one in the profile, else what the browser said, else UTC. The region: the country in the
    profile, else the first that the browser's languages name, else none.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "timezone", "") or request.COOKIES.get(COOKIE, "")
        country = str(getattr(request.user, "country", ""))
        try:
            timezone.activate(zoneinfo.ZoneInfo(name))
        except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
            timezone.deactivate()
        try:
            with in_region(country or region_of(request.headers.get("Accept-Language", ""))):
                response = get_response(request)
        finally:
            timezone.deactivate()
        if not country and response.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["Accept-Language"])
        return response

    return middleware
