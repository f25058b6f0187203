"""How reliable a machine is, as a sum that anybody can check."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from bookings.loading import public_listing
from common.formats import day, duration, lowered, percent
from machines.services.reliability import Reliability, Stretch, reliability_of

DAY = timedelta(days=1)
#: Down for more of it than this, a day is a bad one.
BAD = 0.02


@dataclass(frozen=True)
class Day:
    """A day of the strip. ``tone``: *good*, *warn* (down a little), *bad*, or *soft* where it was not on offer."""

    start: datetime
    tone: str
    words: str
    left: str
    width: str
    height: str
    top: str


@require_GET
def listing_reliability(request: HttpRequest, pk: UUID) -> HttpResponse:
    listing = public_listing(pk)
    machine = listing.machine
    reliability = reliability_of(machine, now=timezone.now())
    context = {
        "listing": listing,
        "machine": machine,
        "reliability": reliability,
        "lines": _lines(reliability),
        "days": list(_days(reliability)),
        "outages": reliability.outages[::-1],
        "least": settings.MARKETPLACE_LEAST_RELIABILITY,
        "enough": _("%(least)s or better") % {"least": percent(settings.MARKETPLACE_LEAST_RELIABILITY)},
        "bad": BAD,
        "is_mine": request.user.is_authenticated and machine.provider_id == request.user.pk,
    }
    return render(request, "listings/reliability.html", context)


def _lines(sum_: Reliability) -> list[tuple[str, str, int]]:
    """The terms as they are added up: sign, words, minutes."""
    counted = [("", _("minutes on offer"), sum_.listed_minutes)]
    if sum_.upkeep:
        counted.append(("−", _("minutes of announced maintenance"), sum_.upkeep_minutes))
    down = [("−", _("minutes down"), sum_.down_minutes)]
    down += [
        (
            "−",
            _("minutes: %(reason)s, %(day)s") % {"reason": lowered(debit.reason), "day": day(debit.at)},
            debit.minutes,
        )
        for debit in sum_.debits
    ]
    return [*counted, *down, ("+", _("minutes given to everybody"), sum_.given_minutes)]


def _days(sum_: Reliability) -> Iterator[Day]:
    """The days of the time that is looked at, in the reader's zone; the first and the last are parts of one."""
    whole = sum_.until - sum_.since
    start = sum_.since
    while start < sum_.until:
        midnight = timezone.localtime(start).replace(hour=0, minute=0, second=0, microsecond=0)
        end = min((midnight.replace(tzinfo=None) + DAY).replace(tzinfo=midnight.tzinfo), sum_.until)
        offered = _within(sum_.listed, start, end) - _within(sum_.upkeep, start, end)
        down = _within(sum_.outages, start, end)
        share = min(1.0, down / offered) if offered else 0.0
        tone = "soft" if not offered else "good" if not down else "warn" if share <= BAD else "bad"
        said = (
            _("not on offer")
            if not offered
            else _("down for %(down)s") % {"down": duration(down)}
            if down
            else _("no outage")
        )
        height = 100 * max(share, 0.08) if down else 0.0
        yield Day(
            start,
            tone,
            f"{day(start)}: {said}",
            left=f"{(start - sum_.since) / whole * 100:.3f}",
            width=f"{(end - start) / whole * 100:.3f}",
            height=f"{height:.1f}",
            top=f"{100 - height:.1f}",
        )
        start = end


def _within(stretches: tuple[Stretch, ...], start: datetime, end: datetime) -> timedelta:
    parts = (min(stretch.end, end) - max(stretch.start, start) for stretch in stretches)
    return sum((part for part in parts if part > timedelta(0)), timedelta(0))
