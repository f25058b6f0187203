"""What a provider does about a booking of a machine without an agent: let the buyer in, show that it was erased."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.bearer import token_or_login
from accounts.models import Scope
from accounts.requests import AuthenticatedRequest
from bookings.availability import blocks_of
from bookings.errors import BookingError
from bookings.forms import AccessForm, WipeForm
from bookings.loading import booking_of_provider, booking_seen_by, organization_of_booking
from bookings.models import Booking, DataWipe
from bookings.services.handover import record_access, record_wipe, wipe_progress
from common.ids import short
from machines.models import Machine


@login_required
@require_http_methods(["GET", "POST"])
def booking_access(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Enter how the buyer gets in."""
    booking = booking_of_provider(request.user, pk)
    if booking.is_automatic:
        return _left_to_the_agent(request, booking)
    access = getattr(booking, "access", None)
    initial = {"username": f"rsm-{booking.reference}", "port": 22}
    form = AccessForm(request.POST or None, instance=access, initial=None if access else initial)
    status = 200
    if request.method == "POST" and form.is_valid():
        entered = {**form.cleaned_data}
        try:
            record_access(
                booking_id=pk, by=request.user, access_note=entered.pop("note"), now=timezone.now(), **entered
            )
        except BookingError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("Saved. The buyer sees it while the booking runs."))
            return redirect("booking_detail", pk=pk)
    if form.errors:
        status = 422
    context = {
        "booking": booking,
        "form": form,
        "keys": booking.keys_let_in(),
        "account_expires": _account_expires(booking),
    }
    return render(request, "bookings/access.html", context, status=status)


def _left_to_the_agent(request: AuthenticatedRequest, booking: Booking) -> HttpResponse:
    """There is nothing for a person to record: the machine's agent does it and signs for it."""
    return render(request, "bookings/by_agent.html", {"booking": booking}, status=409)


def _account_expires(booking: Booking) -> date:
    """The day for ``useradd -e``: the account is locked at its beginning, in UTC, so it is the day after all is over."""
    return booking.blocked_until.astimezone(UTC).date() + timedelta(days=1)


@login_required
@require_http_methods(["GET", "POST"])
def booking_wipe(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Record steps of the wipe, with their evidence."""
    booking = booking_of_provider(request.user, pk)
    if booking.is_automatic:
        return _left_to_the_agent(request, booking)
    form = WipeForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        entered = {**form.cleaned_data}
        try:
            record_wipe(booking_id=pk, by=request.user, wipe_note=entered.pop("note"), now=timezone.now(), **entered)
        except BookingError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("Recorded."))
            return redirect("booking_wipe" if _still_waiting(pk) else "booking_detail", pk=pk)
    if form.errors:
        status = 422
    context = {"booking": booking, "form": form, "progress": wipe_progress(booking)}
    return render(request, "bookings/wipe.html", context, status=status)


def _still_waiting(pk: UUID) -> bool:
    return Booking.objects.awaiting_wipe().filter(pk=pk).exists()


@token_or_login(Scope.BOOKINGS_READ, whose=organization_of_booking)
@require_GET
def wipe_evidence(request: AuthenticatedRequest, pk: UUID, wipe_pk: UUID) -> FileResponse:
    """The evidence file of a wipe step, for those who see the booking. Always a download, never a page."""
    booking = booking_seen_by(request.user, pk)
    wipe = get_object_or_404(DataWipe, pk=wipe_pk, booking=booking)
    if not wipe.evidence:
        raise Http404(_("This step has no evidence file."))
    name = f"wipe-{booking.reference}-{short(wipe.pk)}-{wipe.evidence_name}"
    return FileResponse(
        wipe.evidence.open(), as_attachment=True, filename=name, content_type="application/octet-stream"
    )


@login_required
@require_GET
def machine_calendar(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """A provider's machine in the coming weeks: a strip a week, and the bookings in it."""
    machine = get_object_or_404(Machine.objects.of(request.user).select_related("gpu"), pk=pk)
    now = timezone.now()
    weeks = weeks_from(now, 12)
    taken = blocks_of([machine.pk], weeks[0][0], weeks[-1][1], now=now)[machine.pk]
    bookings = (
        Booking.objects.filter(machine=machine, end__gte=weeks[0][0])
        .holding()
        .select_related("buyer")
        .order_by("start")
    )
    context = {
        "machine": machine,
        "weeks": weeks,
        "blocks": taken,
        "bookings": bookings[:100],
        "maintenance": machine.maintenance.announced().filter(end__gt=now).order_by("start"),
        "now": now,
    }
    return render(request, "bookings/calendar.html", context)


def weeks_from(now: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """So many weeks from Monday on, in the reader's zone."""
    first = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    first -= timedelta(days=first.weekday())
    return [(first + timedelta(days=7 * week), first + timedelta(days=7 * (week + 1))) for week in range(count)]
