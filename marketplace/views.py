"""The pages of the site as a whole, and what is shown when a page cannot be."""

from datetime import UTC, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.views import defaults
from django.views.decorators.http import require_GET

from bookings import terms
from bookings.search import rows, search
from bookings.views.browse import horizon_of
from common.formats import money
from machines.models import CancellationTerms
from machines.services.benchmarks import TOLERANCE
from machines.services.reliability import GIVEN

FREE_NOW = 6


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The search form, and what is free from the next full hour on for a day."""
    now = timezone.now()
    # An hour later by the clock that never jumps: in UTC.
    start = timezone.localtime(now).replace(minute=0, second=0, microsecond=0).astimezone(UTC) + timedelta(hours=1)
    window = {"start": start.isoformat(), "end": (start + timedelta(days=1)).isoformat(), "sort": "tflops"}
    found = search(QueryDict(urlencode(window)), now=now)
    horizon = horizon_of(found)
    context = {
        "search": found,
        "form": found.filter.form,
        "rows": rows(found, list(found.listings.with_machine()[:FREE_NOW]), horizon),
        "free": found.listings.count(),
        "query": urlencode(window),
        "gpus": found.filter.filters["gpu"].extra["choices"],
        "horizon_start": horizon[0],
        "horizon_end": horizon[1],
    }
    return render(request, "home.html", context)


@require_GET
def how_it_works(request: HttpRequest) -> HttpResponse:
    """The rules, with the numbers that the code uses."""
    context = {
        "hold_minutes": int(settings.MARKETPLACE_HOLD.total_seconds() // 60),
        "turnaround_minutes": int(settings.MARKETPLACE_TURNAROUND.total_seconds() // 60),
        "unpaid_holds": settings.MARKETPLACE_UNPAID_HOLDS,
        "commission": settings.MARKETPLACE_COMMISSION,
        "heartbeat": settings.MARKETPLACE_AGENT_HEARTBEAT,
        "silence": settings.MARKETPLACE_AGENT_SILENCE,
        "wipe_attempts": settings.MARKETPLACE_WIPE_ATTEMPTS,
        "late_handover": settings.MARKETPLACE_LATE_HANDOVER,
        "downtime_free": settings.MARKETPLACE_DOWNTIME_FREE,
        "reliability_days": settings.MARKETPLACE_RELIABILITY_DAYS,
        "given_minutes": GIVEN,
        "least_reliability": settings.MARKETPLACE_LEAST_RELIABILITY,
        "cancellation_debit": settings.MARKETPLACE_CANCELLATION_DEBIT,
        "maintenance_notice": settings.MARKETPLACE_MAINTENANCE_NOTICE,
        "unverified_limits": [
            money(amount, currency) for currency, amount in settings.MARKETPLACE_UNVERIFIED_LIMIT.items()
        ],
        "verification_days": settings.MARKETPLACE_VERIFICATION_VALID.days,
        "document_days": settings.MARKETPLACE_DOCUMENT_RETENTION.days,
        "benchmark_tolerance": round(TOLERANCE - 1, 4),
        "terms": [(kind.label, terms.current(kind.value).sentence) for kind in CancellationTerms],
    }
    return render(request, "how_it_works.html", context)


def not_understood(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400.html: what was sent cannot be read, or is more than any form of ours sends."""
    return render(request, "400.html", status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403.html, with ``exception``: why."""
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404.html, with ``request_path``."""
    return defaults.page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse:
    """500.html, rendered without a request: what broke the page must not break this one too. A file for each language."""
    return defaults.server_error(request, "500.de.html" if get_language() == "de" else "500.html")
