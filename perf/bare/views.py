"""What the same server does at its best: the yardsticks that pages are held against."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from machines.models import Listing


def ok(request: HttpRequest) -> HttpResponse:
    """Nothing but the way through the middleware."""
    return HttpResponse("ok")


def rows(request: HttpRequest) -> HttpResponse:
    """Twenty rows of one indexed query in a plain template."""
    newest = Listing.objects.active().select_related("machine").order_by("-created_at")[:20]
    return render(request, "bare/rows.html", {"listings": newest})
