"""Paying for a booking, and hearing from the payment processor."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from billing import gateway
from billing.errors import CardDeclined, PaymentError, ProcessorAway
from billing.forms import CardForm
from billing.models import Payment, PaymentStatus
from billing.services import payments, webhooks
from bookings import terms
from bookings.loading import booking_of_buyer
from bookings.models import Booking
from common.queue import soon
from common.rates import TooManyRequests, spend

STILL_HELD = "The window is still held for you: try again, or with another card."
OUTCOME = {
    PaymentStatus.PAID: "Paid. Your booking is confirmed.",
    PaymentStatus.INCOMPLETE: "Your bank is still working on the payment. This page will tell when it is through.",
}


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def pay(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The card form of a held booking, and what comes of it."""
    booking = booking_of_buyer(request.user, pk)
    now = timezone.now()
    if request.method == "GET":
        if not booking.is_payable(now=now):
            return redirect("booking_detail", pk=booking.pk)
        return _page(request, booking)
    form = CardForm(request.POST)
    if not form.is_valid():
        return _page(request, booking, error=" ".join(map(str, form.errors["setup_intent"])), status=422)
    try:
        payment = payments.pay(
            booking=booking, payer=request.user, setup_intent=form.cleaned_data["setup_intent"], now=now
        )
    except ProcessorAway as error:
        return _page(request, booking, error=error.message, status=503)
    except CardDeclined as error:
        return _page(request, booking, error=f"{error.message} {STILL_HELD}", status=422)
    except PaymentError as error:
        booking.refresh_from_db()
        return _page(request, booking, error=error.message, status=422)
    return _after(request, booking, payment)


@login_required
@require_POST
def begin_card(request: AuthenticatedRequest, pk: UUID) -> JsonResponse:
    """The client secret with which the browser finishes the card form at the processor."""
    booking = booking_of_buyer(request.user, pk)
    if booking.is_paid:  # in another tab
        return JsonResponse({"location": reverse("booking_detail", args=[booking.pk])}, status=409)
    if not booking.is_payable(now=timezone.now()):
        return JsonResponse({"error": "This booking can no longer be paid. Nothing has been charged."}, status=409)
    try:
        spend(settings.MARKETPLACE_BOOKING_RATE, "card", str(request.user.pk))
        return JsonResponse({"client_secret": payments.begin_card(user=request.user)})
    except TooManyRequests as error:
        return JsonResponse({"error": error.message}, status=429)
    except PaymentError as error:
        return JsonResponse({"error": error.message}, status=503)


@login_required
@require_POST
def authenticated(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The buyer comes back from their bank: ask the processor what came of it."""
    booking = booking_of_buyer(request.user, pk)
    payment = Payment.objects.filter(booking=booking).order_by("-timestamp").first()
    if payment is None:
        return redirect("booking_pay", pk=booking.pk)
    try:
        payment = payments.synchronise(payment=payment, now=timezone.now())
    except ProcessorAway as error:
        return _page(request, booking, error=error.message, status=503)
    except PaymentError as error:
        return _page(request, booking, error=error.message, status=422)
    return _after(request, booking, payment)


@login_required
@require_GET
def payment_list(request: AuthenticatedRequest) -> HttpResponse:
    """Everything that a person has paid and got back."""
    found = (
        Payment.objects.filter(payer=request.user)
        .select_related("booking__machine")
        .prefetch_related("refunds")
        .order_by("-timestamp")
    )
    page = Paginator(found, 25).get_page(request.GET.get("page"))
    return render(request, "billing/payment_list.html", {"page": page})


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Check the signature, store once, answer 200; the rest is a task's. What we do not know is 200 too."""
    try:
        event = gateway.verified_event(request.body, request.headers.get("Stripe-Signature", ""))
    except ValueError as error:
        return HttpResponseBadRequest(str(error))
    row = webhooks.store_event(event, now=timezone.now())
    if row is not None:
        soon("billing.tasks.process_webhook", str(row.pk))
    return HttpResponse(status=200)


def _after(request: HttpRequest, booking: Booking, payment: Payment) -> HttpResponse:
    if payment.status == PaymentStatus.FAILED:
        booking.refresh_from_db()
        if not booking.is_payable(now=timezone.now()):
            return redirect("booking_detail", pk=booking.pk)
        return _page(request, booking, error=f"{payment.failure} {STILL_HELD}", status=422)
    if payment.needs_authentication:
        return redirect("booking_pay", pk=booking.pk)
    booking.refresh_from_db()
    if payment.status == PaymentStatus.PAID and booking.is_canceled:
        messages.warning(request, "The hold had lapsed when the payment arrived. All of it goes back by itself.")
    else:
        messages.success(request, OUTCOME[PaymentStatus(payment.status)])
    return redirect("booking_detail", pk=booking.pk)


def _page(request: HttpRequest, booking: Booking, *, error: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    booked_terms = terms.frozen_into(booking)
    until = booked_terms.full_until(booking.start)
    context: dict[str, Any] = {
        "booking": booking,
        "payable": booking.is_payable(now=now),
        "error": error,
        "form": CardForm(),
        "terms": booked_terms.sentence,
        "full_refund_until": until if until and until > now else None,
        "stripe_js_url": settings.STRIPE_JS_URL,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "client_secret": "" if error else _secret_to_authenticate(booking),
    }
    return render(request, "billing/pay.html", context, status=status)


def _secret_to_authenticate(booking: Booking) -> str:
    """The secret of a payment that waits for the buyer's bank, if there is one."""
    payment = Payment.objects.incomplete().filter(booking=booking, needs_authentication=True).first()
    if payment is None or payment.stripe_payment_intent is None:
        return ""
    try:
        intent = gateway.get_intent(payment.stripe_payment_intent)
    except PaymentError:
        return ""
    return intent.client_secret if intent.status == "requires_action" else ""
