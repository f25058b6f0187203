"""Staying longer, and leaving sooner: extending a booking and ending it early."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_stubs_ext import StrOrPromise

from accounts.requests import AuthenticatedRequest
from bookings.availability import whole_minute
from bookings.errors import BookingError, ExtensionTaken
from bookings.forms import EndForm, ExtendForm
from bookings.loading import booking_of_buyer
from bookings.models import Booking, ChargeKind
from bookings.services.end_early import end_early, why_not_end
from bookings.services.extend import (
    can_extend,
    check_extension,
    extension_clashes,
    give_back_extension,
    latest_end,
    request_extension,
)
from bookings.terms import refund_for_ending
from common.formats import when
from common.rates import TooManyRequests, spend

HOUR = timedelta(hours=1)
#: What is offered at a click.
CHOICES = [(gettext_lazy("1 hour"), HOUR), (gettext_lazy("1 day"), 24 * HOUR), (gettext_lazy("1 week"), 168 * HOUR)]
#: The page of ending early speaks of an end this far ahead, so that there is time to read what comes back.
READING = timedelta(minutes=5)
#: Seconds after which somebody who asked too often may ask again.
MINUTE = 60


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def booking_extend(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What a later end costs, as it is changed; then holding it until it is paid."""
    booking = booking_of_buyer(request.user, pk)
    now = timezone.now()
    if request.method == "GET":
        return _page(request, booking, ExtendForm(request.GET if "end" in request.GET else None), now=now)
    form = ExtendForm(request.POST)
    if not form.is_valid():
        return _page(request, booking, form, now=now, status=422)
    try:
        spend(settings.MARKETPLACE_BOOKING_RATE, "book", str(request.user.pk))
        charge = request_extension(
            booking_id=pk,
            by=request.user,
            new_end=form.cleaned_data["end"],
            expected_total=form.cleaned_data["expected_total"],
            now=now,
        )
    except TooManyRequests as error:
        response = render(request, "429.html", {"message": error.message, "retry_after": MINUTE}, status=429)
        response["Retry-After"] = str(MINUTE)
        return response
    except BookingError as error:
        return _page(request, booking, form, now=now, status=422, refusal=error)
    if charge.is_paid:
        messages.success(request, _("Extended. It costs nothing."))
        return redirect("booking_detail", pk=pk)
    return redirect("charge_pay", pk, charge.pk)


def _page(
    request: AuthenticatedRequest,
    booking: Booking,
    form: ExtendForm,
    *,
    now: datetime,
    status: int = 200,
    refusal: BookingError | None = None,
) -> HttpResponse:
    extension = booking.charges.open().filter(kind=ChargeKind.EXTENSION).first()
    possible = extension is None and can_extend(booking, now=now)
    choices = _choices(booking, now=now) if possible else []
    if not form.is_bound:
        form = ExtendForm(initial={"end": choices[0][1] if choices else booking.end + HOUR})
    context = {
        "booking": booking,
        "now": now,
        "extension": extension,
        "possible": possible,
        "choices": choices,
        "hold_minutes": settings.MARKETPLACE_HOLD // timedelta(minutes=1),
        **(_quote(booking, form, refusal, now=now) if possible else {"form": form}),
    }
    fragment = request.htmx and possible  # type: ignore[attr-defined]
    return render(request, f"bookings/{'_extend_quote' if fragment else 'extend'}.html", context, status=status)


def _choices(booking: Booking, *, now: datetime) -> list[tuple[StrOrPromise, datetime, Any]]:
    """Ends that can be had just now, with what each costs."""
    furthest = latest_end(booking, until=booking.end + CHOICES[-1][1])
    found: list[tuple[StrOrPromise, datetime, Any]] = []
    for label, longer in CHOICES:
        end = booking.end + longer
        try:
            quote = check_extension(booking, end, now=now)
        except BookingError:
            continue
        if end <= furthest:
            found.append((label, end, quote.total))
    return found


def _quote(booking: Booking, form: ExtendForm, refusal: BookingError | None, *, now: datetime) -> dict[str, Any]:
    """The end that was asked for with its price, or what is wrong with it and where to look instead."""
    context: dict[str, Any] = {"form": form, "quote": None, "taken": None, "refused": ""}
    if form.is_bound:
        form.is_valid()
        asked = ExtendForm(form.data)  # a form of its own: a refusal at a field takes its value out of the other
        end = asked.cleaned_data["end"] if asked.is_valid() else None
    else:
        end = form.initial["end"]
    if end is None:
        return context
    try:
        context["quote"] = check_extension(booking, whole_minute(end), now=now)
        refusal = refusal or extension_clashes(booking, whole_minute(end), now=now)
    except BookingError as error:
        refusal = refusal or error
    if refusal is not None:
        context["taken"] = refusal if isinstance(refusal, ExtensionTaken) else None
        context["refused"] = refusal.message
        if form.is_bound:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
    return context


@login_required
@require_POST
def booking_extend_give_back(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The extension that waits for its payment is not wanted after all."""
    booking = booking_of_buyer(request.user, pk)
    if give_back_extension(booking_id=booking.pk, by=request.user, now=timezone.now()):
        messages.success(request, _("Given back. The end stays as it was, and nothing has been charged."))
    return redirect("booking_detail", pk=pk)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def booking_end(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What comes back, line by line; then ending it early."""
    booking = booking_of_buyer(request.user, pk)
    now, status = timezone.now(), 200
    form = EndForm(request.POST if request.method == "POST" else None)
    if form.is_bound and not form.is_valid():
        status = 422
    elif form.is_bound:
        try:
            booking = end_early(booking_id=pk, by=request.user, now=now, **form.cleaned_data)
        except BookingError as error:
            form.add_error(None, error.message)
            status = 409
        else:
            messages.success(request, _ended(booking))
            return redirect("booking_detail", pk=pk)
    why_not = why_not_end(booking, now=now)
    at = whole_minute(now + READING)
    ending = None if why_not else refund_for_ending(booking, now=now, at=at if at < booking.end else None)
    context = {"booking": booking, "form": form, "ending": ending, "why_not": why_not}
    return render(request, "bookings/end.html", context, status=status)


def _ended(booking: Booking) -> str:
    said = _("It ends %(moment)s. The refund is on its way.") if booking.unused_amount else _("It ends %(moment)s.")
    return said % {"moment": when(booking.end)}
