"""Finding a server."""

from datetime import datetime, timedelta

from django.core.paginator import InvalidPage, Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from bookings.filters import SORTS
from bookings.search import Search, facets, rows, search
from machines.models import Listing

PAGE = 20
HORIZON = timedelta(days=14)
#: What a row of results does not name, and is not fetched for it.
NOT_SHOWN = (
    "description",
    "created_at",
    "updated_at",
    "machine__health_indicators",
    "machine__os",
    "machine__created_at",
    "machine__updated_at",
    "machine__verified_benchmark__collected_at",
    "machine__verified_benchmark__source",
    "machine__verified_benchmark__reason",
)


def horizon_of(found: Search) -> tuple[datetime, datetime]:
    """What the strips show: two weeks from today, or more if the buyer's window is later or longer."""
    first = timezone.localtime(found.now).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = found.wish.start, found.wish.end
    if start and end and end > first + HORIZON:
        first = timezone.localtime(start).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
        return first, max(first + HORIZON, end + timedelta(days=2))
    return first, first + max(HORIZON, found.wish.within or HORIZON)


def _page(pages: Paginator[Listing], number: str, found: Search) -> Page[Listing]:
    """The page of that number. Where there is none, the nearest that there is, and a sentence on that."""
    page = pages.get_page(number)
    try:
        pages.validate_number(number)
    except InvalidPage:
        said = ngettext(
            "Page “%(wanted)s”: there is %(pages)s page. This is page %(page)s.",
            "Page “%(wanted)s”: there are %(pages)s pages. This is page %(page)s.",
            pages.num_pages,
        )
        found.ignored.append(said % {"wanted": number[:20], "pages": pages.num_pages, "page": page.number})
    return page


@require_GET
@vary_on_headers("HX-Request")
def listing_list(request: HttpRequest) -> HttpResponse:
    """The search form, the facets, and the results with the price of the buyer's window."""
    found = search(request.GET, now=timezone.now())
    results = found.listings.select_related("machine__verified_benchmark").defer(*NOT_SHOWN)
    page = _page(Paginator(results, PAGE), request.GET.get("page") or "1", found)
    horizon = horizon_of(found)
    fragment = request.htmx and not request.htmx.history_restore_request  # type: ignore[attr-defined]
    beside = {} if fragment else facets(found)
    context = {
        "search": found,
        "form": found.filter.form,
        "page": page,
        "rows": rows(found, page.object_list, horizon),
        "horizon_start": horizon[0],
        "horizon_end": horizon[1],
        "facets": beside,
        # What the form and the facets are drawn from, beside the query string.
        "facets_key": tuple(map(tuple, beside.values())),
        "sorts": SORTS,
    }
    return render(request, "listings/_results.html" if fragment else "listings/list.html", context)
