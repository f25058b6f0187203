"""A provider's announced maintenance: what is to come and what was, announcing more, taking it back."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from bookings.availability import blocks_of, whole_minute
from bookings.errors import BookingError
from bookings.forms import MaintenanceForm
from bookings.services.maintenance import LONGEST, NEAR, announce, cancel_maintenance
from bookings.views.handover import weeks_from
from machines.loading import machine_of
from machines.models import MaintenanceWindow

PAST = 20
WEEKS = 6


@login_required
@require_http_methods(["GET", "POST"])
def machine_maintenance(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What is announced, and the form to announce more."""
    machine = machine_of(request.user, pk)
    now = timezone.now()
    soonest = whole_minute(now + settings.MARKETPLACE_MAINTENANCE_NOTICE)
    form = MaintenanceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            announce(machine=machine, by=request.user, now=now, **form.cleaned_data)
        except BookingError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("Announced. Whoever is booked near it gets word."))
            return redirect("machine_maintenance", pk=pk)
    weeks = weeks_from(now, WEEKS)
    windows = machine.maintenance.announced()
    context = {
        "machine": machine,
        "form": form,
        "coming": windows.filter(end__gt=now).order_by("start"),
        "past": windows.filter(end__lte=now).order_by("-start")[:PAST],
        "weeks": weeks,
        "blocks": blocks_of([pk], weeks[0][0], weeks[-1][1], now=now)[pk],
        "now": now,
        "soonest": soonest,
        "longest": LONGEST,
        "near": NEAR,
    }
    return render(request, "bookings/maintenance.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def maintenance_cancel(request: AuthenticatedRequest, pk: UUID, window_pk: UUID) -> HttpResponse:
    """Take it back, or end now what has begun."""
    window = get_object_or_404(MaintenanceWindow.objects.filter(machine=machine_of(request.user, pk)), pk=window_pk)
    try:
        changed = cancel_maintenance(window_id=window.pk, by=request.user, now=timezone.now())
    except BookingError as error:
        messages.error(request, error.message)
    else:
        taken_back = changed.canceled_at is not None
        messages.success(request, _("Taken back. The machine can be booked then.") if taken_back else _("It ends now."))
    return redirect("machine_maintenance", pk=pk)
