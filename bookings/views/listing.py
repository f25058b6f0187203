"""One listing: facts, proof, calendar, quote, and asking for a window."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.adapter import AFTER_SIGN_IN
from accounts.models import Organization, User
from accounts.requests import AuthenticatedRequest
from accounts.tax import treatment_of
from bookings import terms
from bookings.availability import blocks_of, whole_minute
from bookings.errors import BookingError, WindowTaken
from bookings.forms import BookingForm, WindowForm
from bookings.loading import public_listing
from bookings.models import Booking
from bookings.purpose import PurposeForm, footing
from bookings.services.charges import stages_of
from bookings.services.request import check_window, clashes, request_booking
from common.rates import TooManyRequests, spend
from machines import hardware, pricing
from machines.models import Benchmark, Listing
from machines.services.benchmarks import physical_limits

WEEKS = 4
#: Seconds after which somebody who asked too often may ask again.
MINUTE = 60
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Measure:
    """One benchmarked quantity: this machine's figure beside its peers' median and the data sheet."""

    label: str
    unit: str
    value: float
    median: float | None
    limit: float | None


@require_GET
def listing_detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    asked = request.GET if request.GET.get("start") or request.GET.get("end") else None
    return _page(request, public_listing(pk), WindowForm(asked))


@require_GET
@vary_on_headers("HX-Request")
def listing_quote(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The exact quote for a window, as it is changed: a fragment for the page, or the page itself."""
    listing = public_listing(pk)
    form = WindowForm(request.GET)
    if not request.htmx:  # type: ignore[attr-defined]
        return _page(request, listing, form)
    now = timezone.now()
    context = {**_calendar(listing, now=now), **_quote(listing, form, request, now=now)}
    response = render(request, "listings/_quote_and_calendar.html", context)
    if context["start"]:
        response["HX-Replace-Url"] = _with_window(pk, form)
    return response


@require_GET
def listing_availability(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The calendar of the next four weeks, on its own."""
    listing = public_listing(pk)
    return render(request, "listings/_availability.html", _calendar(listing, now=timezone.now()))


@require_POST
def listing_book(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Hold a window. Whoever is not signed in signs in first and comes back to the same window."""
    if not request.user.is_authenticated:
        back = _with_window(pk, WindowForm(request.POST))
        request.session[AFTER_SIGN_IN] = back  # also when they sign up first, which takes a mail
        messages.info(request, _("Sign in, or sign up, to hold this server. You come back to your window."))
        return redirect(f"{reverse('account_login')}?{urlencode({'next': back})}")
    return _book(request, pk)  # type: ignore[arg-type]


@login_required
def _book(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    try:
        spend(settings.MARKETPLACE_BOOKING_RATE, "book", str(request.user.pk))
    except TooManyRequests as error:
        context = {"message": error.message, "retry_after": MINUTE}
        response = render(request, "429.html", context, status=429)
        response["Retry-After"] = str(MINUTE)
        return response
    listing = public_listing(pk, Listing.objects.select_related("machine"))
    form = BookingForm(request.POST)
    purpose = _purpose(request)
    if request.POST.get("acting_for", "") != str(request.organization.pk if request.organization else ""):
        form.add_error(None, _("You act for somebody else by now: look at whom it is booked for, then ask again."))
        return _page(request, listing, form, status=422)
    if not form.is_valid() or (purpose is not None and not purpose.is_valid()):
        return _page(request, listing, form, purpose, status=422)
    try:
        booking = request_booking(
            listing=listing,
            buyer=request.user,
            start=form.cleaned_data["start"],
            end=form.cleaned_data["end"],
            expected_total=form.cleaned_data["expected_total"],
            purpose=purpose.purpose() if purpose else None,
            now=timezone.now(),
        )
    except WindowTaken as error:
        # The listing's page says by what it is taken, when it is free next, and offers that. It cannot say who was
        # quicker and has given the window back again.
        if not error.taken:
            messages.warning(request, error.message)
        return redirect(_with_window(pk, form))
    except BookingError as error:
        if purpose is not None and error.field in purpose.fields:
            purpose.add_error(error.field, error.message)
        else:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        return _page(request, listing, form, purpose, status=422)
    return redirect("booking_detail" if booking.awaits_approval else "booking_pay", pk=booking.pk)


def _with_window(pk: UUID, form: WindowForm) -> str:
    """The listing's page with the window that was asked for, whoever opens it."""
    return f"{reverse('listing_detail', args=[pk])}?{urlencode(form.as_query())}"


def _page(
    request: HttpRequest,
    listing: Listing,
    form: WindowForm,
    purpose: PurposeForm | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    now = timezone.now()
    if not form.is_bound:
        form = WindowForm(initial=_next_day(listing, now=now))
    machine = listing.machine
    benchmarks = list(machine.benchmarks.select_related("decided_by").order_by("-collected_at")[:5])
    context: dict[str, Any] = {
        "listing": listing,
        "machine": machine,
        "is_mine": request.user.is_authenticated and machine.provider_id == request.user.pk,
        "benchmark": machine.verified_benchmark,
        "benchmarks": benchmarks,
        "measures": _measures(listing),
        "terms": terms.current(listing.cancellation_terms).sentence,
        "maintenance": machine.maintenance.announced().filter(end__gt=now).order_by("start"),
        "passport": (passport := machine.passports.first()),
        "hardware": hardware.groups(passport.facts["nodes"]) if passport else [],
        "last_wiped": Booking.objects.filter(machine=machine, wiped_at__isnull=False).order_by("-wiped_at").first(),
        "provider_verified": machine.provider.verifications.valid(now=now).first(),
        **_calendar(listing, now=now),
        **_quote(listing, form, request, purpose, now=now),
    }
    return render(request, "listings/detail.html", context, status=status)


def _next_day(listing: Listing, *, now: datetime) -> dict[str, datetime]:
    """What the form begins with: from the next full hour on, a day or what the listing allows."""
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return {"start": start, "end": start + min(max(DAY, listing.shortest), listing.longest)}


def _calendar(listing: Listing, *, now: datetime) -> dict[str, Any]:
    """The next four weeks, a strip a week."""
    first = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    last = first + WEEKS * 7 * DAY
    taken = blocks_of([listing.machine_id], first, last, now=now)[listing.machine_id]
    weeks = [(first + week * 7 * DAY, first + (week + 1) * 7 * DAY) for week in range(WEEKS)]
    return {"blocks": taken, "weeks": weeks, "upkeep": any(block.kind == "upkeep" for block in taken)}


def _quote(
    listing: Listing,
    form: WindowForm,
    request: HttpRequest,
    purpose: PurposeForm | None = None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The window, what is wrong with it or what it costs, and what to take instead."""
    purpose = purpose or _purpose(request)
    context: dict[str, Any] = {
        "purpose": purpose, "footing": None,
        "listing": listing, "form": form, "instead": [], "quote": None, "start": None, "end": None,
        "hold_minutes": int(settings.MARKETPLACE_HOLD.total_seconds() // 60),
    }  # fmt: skip
    if form.is_bound:
        form.is_valid()
        asked = WindowForm(form.data)  # a form of its own: a refusal at a field has taken its value out of the other
        if not asked.is_valid():
            return context
        start, end = asked.cleaned_data["start"], asked.cleaned_data["end"]
    else:
        start, end = form.initial["start"], form.initial["end"]
    start, end = whole_minute(start), whole_minute(end)
    try:
        check_window(listing, start, end, now=now)
        buyer = request.user if request.user.is_authenticated else None
        if taken := clashes(listing, start, end, buyer=buyer, now=now):
            raise taken
    except WindowTaken as error:
        context["instead"] = error.free
        _add(form, context, error)
    except BookingError as error:
        _add(form, context, error)
    if end > start:
        quote = pricing.quote(listing.rates, start, end)
        account = request.organization or request.user  # type: ignore[attr-defined]
        context |= {"quote": quote, "start": start, "end": end, **_payable(quote, account, start, end)}
        if purpose is not None:
            context["footing"] = footing(
                request.membership,  # type: ignore[attr-defined]
                project=purpose.cleaned_data.get("project") if purpose.is_valid() else None,
                total=context["total"],
                currency=quote.currency,
                now=now,
            )
        until = terms.current(listing.cancellation_terms).full_until(start)
        context["full_refund_until"] = until if until and until > now else None
        context["terms"] = terms.current(listing.cancellation_terms).sentence
    return context


def _purpose(request: HttpRequest) -> PurposeForm | None:
    """What the organization asks for that the person acts for, with what they have typed."""
    organization = request.organization  # type: ignore[attr-defined]
    if organization is None:
        return None
    typed = request.POST if request.method == "POST" else request.GET
    return PurposeForm(typed if "acting_for" in typed else None, organization=organization)


def _payable(
    quote: pricing.Quote, account: User | AnonymousUser | Organization, start: datetime, end: datetime
) -> dict[str, Any]:
    """What it comes to for this reader or whom they act for, with the tax that they pay, and when it is charged."""
    treatment = treatment_of(account)
    total = treatment.payable(quote.total, quote.currency)
    stages = stages_of(start, end, total, quote.currency)
    return {
        "total": total,
        "less": [(treatment.off, total - quote.total)] if total != quote.total else [],
        "tax": treatment.sentence,
        "stages": stages if len(stages) > 1 else [],
    }


def _add(form: WindowForm, context: dict[str, Any], error: BookingError) -> None:
    """Say it at the field; a form that nobody has filled in yet has no fields to blame."""
    if form.is_bound and not form.errors:
        form.add_error(error.field, error.message)
    elif not form.is_bound:
        context["notice"] = error.message
    context["refused"] = True


def _measures(listing: Listing) -> list[Measure]:
    """This machine's verified figures beside the median of verified machines with as many of the same GPU."""
    machine, run = listing.machine, listing.machine.verified_benchmark
    if run is None:
        return []
    names = [
        ("gpu_throughput_fp16", "fp16, tensor", "TFLOPS"),
        ("gpu_throughput_fp32", "fp32", "TFLOPS"),
        ("cpu_score", _("CPU, sysbench"), "events/s"),
        ("disk_read_mb_s", _("Disk read"), "MB/s"),
        ("disk_write_mb_s", _("Disk write"), "MB/s"),
        ("network_bandwidth_gbps", _("Network"), "Gbit/s"),
    ]
    peers = (
        list(
            Benchmark.objects.approved()
            .filter(machine__gpu=machine.gpu, machine__gpu_count=machine.gpu_count, machine__verified_benchmark=F("pk"))
            .values(*[name for name, _, _ in names])[:500]
        )
        if machine.gpu_id
        else []
    )
    limits = physical_limits(machine)
    measures = []
    for name, label, unit in names:
        value = getattr(run, name)
        if value is None:
            continue
        others = [peer[name] for peer in peers if peer[name] is not None]
        measures.append(Measure(label, unit, value, median(others) if len(others) > 1 else None, limits.get(name)))
    return measures
