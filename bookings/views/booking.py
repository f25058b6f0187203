"""A person's bookings: the list, one of them, and canceling it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.models import User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from bookings import terms
from bookings.costs import costs_of
from bookings.equal import equal_machines
from bookings.errors import BookingError
from bookings.forms import CancelForm, LeaveForm
from bookings.let_in import is_left_out
from bookings.lifecycle import LIVE
from bookings.loading import booking_between, booking_of_buyer, booking_seen_by, powers_over
from bookings.lost_time import lost_time
from bookings.models import Booking
from bookings.services.cancel import cancel_booking
from bookings.services.end_early import why_not_end
from bookings.services.erasure import can_retry
from bookings.services.extend import can_extend
from bookings.services.handover import wipe_progress
from bookings.services.keys import can_choose_keys
from bookings.services.leave import can_leave, differences, leave_mismatched
from bookings.services.servers import progress
from bookings.terms import is_overdue
from bookings.timeline import steps
from common.formats import money

PAGE = 25
#: How long before its start a confirmed booking's page begins to look whether it has started.
SOON = timedelta(minutes=10)


@login_required
@require_GET
def booking_list(request: AuthenticatedRequest) -> HttpResponse:
    """What a person has booked, or what is booked of their machines; running and coming ones first."""
    on_my_machines = request.GET.get("of") == "machines" and request.user.is_provider
    found = Booking.objects.of_provider(request.user) if on_my_machines else Booking.objects.of_buyer(request.user)
    past = request.GET.get("when") == "past"
    live = Q(status__in=LIVE)
    found = found.filter(~live if past else live).with_context().order_by("-start" if past else "start", "pk")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "on_my_machines": on_my_machines, "past": past, "now": timezone.now()}
    return render(request, "bookings/list.html", context)


@login_required
@require_GET
@vary_on_headers("HX-Request")
def booking_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """A booking: the command first, then what happens and what it cost. As its buyer and its provider see it, and
    those who look after the organization it is for: without how to log in, and without what the buyer pays with."""
    booking = booking_seen_by(request.user, pk)
    now = timezone.now()
    is_buyer = booking.buyer_id == request.user.pk
    is_provider = booking.machine.provider_id == request.user.pk
    powers = powers_over(request.user, booking)
    access = getattr(booking, "access", None)
    left_out = is_left_out(booking)
    sees_access = _is_open(booking) if is_provider else is_buyer and _is_inside(booking) and not left_out
    if booking.wipe_opened_at:
        # The timeline and the record of the wipe both read them.
        prefetch_related_objects([booking], "wipes", *(["evidence__agent"] if booking.is_automatic else []))
    prefetch_related_objects([booking], "charges")
    costs = costs_of(booking, now=now)
    context = {
        "booking": booking,
        "machine": booking.machine,
        "costs": costs,
        "can_extend": is_buyer and costs.extension is None and can_extend(booking, now=now),
        "can_end": is_buyer and booking.is_active and not why_not_end(booking, now=now),
        "now": now,
        "is_buyer": is_buyer,
        "is_provider": is_provider,
        "powers": powers,
        "for_organization": OrganizationAction.SEE_BOOKINGS in powers and not is_buyer and not is_provider,
        "sees_history": _sees_history(request.user, powers, is_party=is_buyer or is_provider),
        "invoices": _invoices(booking) if OrganizationAction.SEE_INVOICES in powers else [],
        "access": access if sees_access else None,
        "payable": booking.is_payable(now=now),
        "steps": steps(booking, is_buyer=is_buyer, now=now),
        "payments": booking.payments.prefetch_related("refunds").order_by("timestamp"),
        "wipes": wipe_progress(booking) if booking.wipe_opened_at and not booking.is_automatic else [],
        "servers": progress(booking) if booking.wipe_opened_at and booking.is_automatic else [],
        "certificate": getattr(booking, "certificate", None) if booking.is_automatic else None,
        "may_retry": (is_provider or request.user.is_platform_administrator) and can_retry(booking, now=now),
        "keys": list(booking.keys_let_in()),
        "left_out": left_out,
        "keys_count": (keys_count := can_choose_keys(booking, now=now)),
        "can_choose_keys": keys_count and is_buyer and not left_out,
        "sees_keys": keys_count and not is_buyer and OrganizationAction.EDIT_KEYS in powers,
        "terms": terms.frozen_into(booking).sentence,
        "lost": lost_time(booking, now=now) if booking.started_at else None,
        "differences": differences(booking),
        "can_leave": is_buyer and can_leave(booking, now=now),
        "kept_waiting": booking.is_confirmed and is_overdue(booking, now=now),
        "equal": equal_machines(booking, now=now),
        "refreshing": _refresh(booking, now=now),
    }
    fragment = request.htmx  # type: ignore[attr-defined]
    return render(request, "bookings/_body.html" if fragment else "bookings/detail.html", context)


def _sees_history(user: User, powers: frozenset[str], *, is_party: bool) -> bool:
    return is_party or user.is_platform_administrator or OrganizationAction.SEE_HISTORY in powers


def _invoices(booking: Booking) -> QuerySet[Any]:
    """Those that the organization has for it: they are the room's above, which books name them by."""
    return booking.invoices.filter(organization=booking.organization).order_by("issued_at", "sequence")


def _refresh(booking: Booking, *, now: datetime) -> str:
    """How often the page asks again by itself: somebody is at it, its time is about to come, or there are heartbeats."""
    if _is_about_to_change(booking, now=now):
        return "5s"
    return "30s" if booking.is_active and booking.is_automatic else ""


def _is_about_to_change(booking: Booking, *, now: datetime) -> bool:
    if booking.is_confirmed:
        return now >= booking.start - SOON
    if any(charge.is_open and charge.is_extension for charge in booking.charges.all()):
        return True
    waits_for_access = booking.is_active and getattr(booking, "access", None) is None
    is_ending = booking.is_active and booking.end <= now
    return booking.is_hold or waits_for_access or is_ending or booking.is_awaiting_wipe


def _is_open(booking: Booking) -> bool:
    """The provider sees what was entered until the booking is over."""
    return booking.is_confirmed or _is_inside(booking)


def _is_inside(booking: Booking) -> bool:
    """The buyer sees how to get in while the booking runs, not before and not after."""
    return booking.is_active and not booking.is_awaiting_wipe


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def booking_cancel(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What comes back, line by line; then canceling."""
    booking = booking_between(request.user, pk)
    now = timezone.now()
    by_provider = booking.machine.provider_id == request.user.pk
    refund = terms.refund_for(booking, by_provider=by_provider, now=now)
    form = CancelForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            cancel_booking(booking_id=pk, by=request.user, now=now, **form.cleaned_data)
        except BookingError as error:
            form.add_error(None, error.message)
            status = 409
        else:
            messages.success(request, _("Canceled.") if not refund.back else _("Canceled. The refund is on its way."))
            return redirect("booking_detail", pk=pk)
    context = {
        "booking": booking,
        "refund": refund,
        "form": form,
        "by_provider": by_provider,
        "possible": booking.is_hold or booking.is_confirmed,
        "debit": settings.MARKETPLACE_CANCELLATION_DEBIT,
    }
    return render(request, "bookings/cancel.html", context, status=status)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def booking_leave(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What differs from what was booked; then leaving with a full refund."""
    booking = booking_of_buyer(request.user, pk)
    form = LeaveForm(request.POST if request.method == "POST" else None)
    now, status = timezone.now(), 422 if form.errors else 200
    if request.method == "POST" and form.is_valid():
        try:
            leave_mismatched(booking_id=pk, by=request.user, now=now, **form.cleaned_data)
        except BookingError as error:
            form.add_error(None, error.message)
            status = 409
        else:
            messages.success(request, _left(booking))
            return redirect("booking_detail", pk=pk)
    context = {
        "booking": booking,
        "differences": differences(booking),
        "possible": can_leave(booking, now=now),
        "form": form,
    }
    return render(request, "bookings/leave.html", context, status=status)


def _left(booking: Booking) -> str:
    """``booking`` as it was before: what comes back is on its way by now."""
    if not booking.given_back:
        return _("You have left it. Everything comes back.")
    if not booking.kept_so_far:
        return _("You have left it.")
    back = money(booking.kept_so_far, booking.currency)
    return _("You have left it. %(amount)s comes back, the rest has before.") % {"amount": back}
