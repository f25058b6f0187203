"""Paying a charge: a booking's first one, a later stage, an extension."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.requests import AuthenticatedRequest
from billing import gateway
from billing.errors import CardDeclined, PaymentError, ProcessorAway
from billing.forms import PayForm
from billing.models import Payment, PaymentStatus, SavedCard
from billing.services import cards, payments
from bookings import terms
from bookings.costs import costs_of, tax_words
from bookings.errors import BookingError
from bookings.loading import booking_of_buyer
from bookings.models import Booking, Charge
from bookings.services.references import set_references
from common.formats import when
from common.rates import TooManyRequests, spend

STILL_HELD = _("The window is still held for you: try again, or with another card.")
TRY_AGAIN = _("Nothing has been charged. Try again, or with another card.")
WORKING = _("Your bank is still working on the payment. This page will tell when it is through.")


def charge_of(user: User, pk: UUID, charge_pk: UUID | None) -> Charge:
    """A charge of the person's own booking: the first one, if none is named.

    Raises:
        Http404: it is not theirs.
    """
    booking = booking_of_buyer(user, pk)
    prefetch_related_objects([booking], "charges")
    for charge in booking.charges.all():
        if charge.pk == charge_pk or (charge_pk is None and charge.number == 1):
            return charge
    raise Http404


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def pay(request: AuthenticatedRequest, pk: UUID, charge_pk: UUID | None = None) -> HttpResponse:
    """What is to be paid and with which card, and what comes of it."""
    charge = charge_of(request.user, pk, charge_pk)
    now = timezone.now()
    if request.method == "GET":
        if not charge.is_payable(now=now):
            return redirect("booking_detail", pk=pk)
        return _page(request, charge)
    form = PayForm(request.POST)
    if not form.is_valid():
        words = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return _page(request, charge, form=form, error=words, status=422)
    try:
        spend(settings.MARKETPLACE_BOOKING_RATE, "pay", str(request.user.pk))
    except TooManyRequests as error:
        return _page(request, charge, form=form, error=error.message, status=429)
    references = form.references_other_than(charge.booking)
    if references and charge.booking.is_hold:
        try:
            set_references(booking_id=pk, by=request.user, **references)
        except BookingError as error:
            return _page(request, charge, form=form, error=gettext(error.message), status=422)
    means = cards.means(user=request.user, now=now, **form.means(must_keep=_is_staged(charge)))
    return _outcome(
        request, charge, lambda: payments.pay(charge=charge, payer=request.user, means=means, now=now), form=form
    )


@login_required
@require_POST
def begin_card(request: AuthenticatedRequest, pk: UUID, charge_pk: UUID | None = None) -> JsonResponse:
    """The client secret with which the browser finishes the card form at the processor."""
    charge = charge_of(request.user, pk, charge_pk)
    if charge.is_paid:  # in another tab
        return JsonResponse({"location": reverse("booking_detail", args=[pk])}, status=409)
    if not charge.is_payable(now=timezone.now()):
        return JsonResponse(
            {"error": gettext("This booking can no longer be paid. Nothing has been charged.")}, status=409
        )
    return secret_of_a_card_form(request.user)


def secret_of_a_card_form(user: User) -> JsonResponse:
    """For the browser; so many a minute."""
    try:
        spend(settings.MARKETPLACE_BOOKING_RATE, "card", str(user.pk))
        return JsonResponse({"client_secret": cards.begin_card(user=user)})
    except TooManyRequests as error:
        return JsonResponse({"error": error.message}, status=429)
    except PaymentError as error:
        return JsonResponse({"error": error.message}, status=503)


@login_required
@require_POST
def authenticated(request: AuthenticatedRequest, pk: UUID, charge_pk: UUID | None = None) -> HttpResponse:
    """The buyer comes back from their bank: ask the processor what came of it."""
    charge = charge_of(request.user, pk, charge_pk)
    payment = Payment.objects.filter(charge=charge).select_related("payer").order_by("-timestamp").first()
    if payment is None:
        return redirect(_pay_page(charge))
    return _outcome(request, charge, lambda: payments.synchronise(payment=payment, now=timezone.now()))


@login_required
@require_POST
def abandon(request: AuthenticatedRequest, pk: UUID, charge_pk: UUID | None = None) -> HttpResponse:
    """The buyer would rather pay with another card than confirm this one with their bank."""
    charge = charge_of(request.user, pk, charge_pk)
    try:
        payments.abandon(charge=charge, now=timezone.now())
    except PaymentError as error:
        return _page(request, charge, error=error.message, status=503 if isinstance(error, ProcessorAway) else 422)
    return redirect(_pay_page(charge))


def _outcome(
    request: HttpRequest, charge: Charge, attempt: Callable[[], Payment], *, form: PayForm | None = None
) -> HttpResponse:
    """One clear state, whatever came of the attempt."""
    try:
        payment = attempt()
    except ProcessorAway as error:
        return _page(request, charge, form=form, error=error.message, status=503)
    except CardDeclined as error:
        return _page(request, charge, form=form, error=f"{gettext(error.message)} {_what_next(charge)}", status=422)
    except PaymentError as error:
        charge.refresh_from_db()
        return _page(request, charge, form=form, error=gettext(error.message), status=422)
    charge = Charge.objects.select_related("booking__machine__provider", "booking__listing").get(pk=charge.pk)
    if payment.status == PaymentStatus.FAILED and charge.is_payable(now=timezone.now()):
        return _page(request, charge, form=form, error=f"{gettext(payment.failure)} {_what_next(charge)}", status=422)
    if payment.needs_authentication:
        return redirect(_pay_page(charge))
    if payment.status == PaymentStatus.PAID and not charge.is_paid:
        messages.warning(
            request,
            gettext("It could not be had any more when the payment arrived. All of it goes back by itself."),
        )
    elif payment.status == PaymentStatus.PAID:
        messages.success(request, _paid(charge))
    elif payment.status == PaymentStatus.INCOMPLETE:
        messages.success(request, WORKING)
    return redirect("booking_detail", pk=charge.booking_id)


def _paid(charge: Charge) -> str:
    if charge.is_extension:
        return gettext("Paid. It is yours until %(when)s.") % {"when": when(charge.booking.end)}
    return gettext("Paid.") if charge.is_stage else gettext("Paid. Your booking is confirmed.")


def _what_next(charge: Charge) -> str:
    return str(TRY_AGAIN if charge.is_stage else STILL_HELD)


def _pay_page(charge: Charge) -> str:
    if charge.number == 1:
        return reverse("booking_pay", args=[charge.booking_id])
    return reverse("charge_pay", args=[charge.booking_id, charge.pk])


def _is_staged(charge: Charge) -> bool:
    """Whether later stages are charged to this card: then it is kept."""
    return any(stage != charge for stage in _stages_to_come(charge.booking))


def _stages_to_come(booking: Booking) -> list[Charge]:
    """Reads what is prefetched."""
    return [charge for charge in booking.charges.all() if charge.is_stage and charge.is_open]


def _page(
    request: HttpRequest, charge: Charge, *, form: PayForm | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    now, booking = timezone.now(), charge.booking
    kept = list(SavedCard.objects.kept().filter(user=booking.buyer_id))
    booked_terms = terms.frozen_into(booking)
    until = booked_terms.full_until(booking.start)
    is_first = charge.number == 1
    address = [booking.pk] if is_first else [booking.pk, charge.pk]
    name = "booking_pay" if is_first else "charge_pay"
    context: dict[str, Any] = {
        "booking": booking,
        "charge": charge,
        "is_first": is_first,
        "stages": _stages_to_come(booking) if is_first else [],
        "must_keep": _is_staged(charge),
        "payable": charge.is_payable(now=now),
        "until": booking.hold_expires_at if is_first else charge.expires_at,
        "error": error,
        "form": form or PayForm.of(booking),
        "cards": kept,
        "chosen": _chosen(form, kept),
        "costs": costs_of(booking, now=now) if is_first else None,
        "tax": "" if is_first else tax_words(booking, [charge]),
        "terms": booked_terms.sentence,
        "full_refund_until": until if is_first and until and until > now else None,
        "pay_url": reverse(name, args=address),
        "card_url": reverse(f"{name}_card", args=address),
        "authenticated_url": reverse(f"{name}_authenticated", args=address),
        "abandon_url": reverse(f"{name}_abandon", args=address),
        "stripe_js_url": settings.STRIPE_JS_URL,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "client_secret": "" if error else _secret_to_authenticate(charge),
    }
    return render(request, "billing/pay.html", context, status=status)


def _chosen(form: PayForm | None, kept: list[SavedCard]) -> str:
    """The kept card that is chosen when the page is shown; empty: another one."""
    ids = [str(card.pk) for card in kept]
    asked = ids[0] if form is None and ids else form.data.get("saved_card", "") if form is not None else ""
    return asked if asked in ids else ""


def _secret_to_authenticate(charge: Charge) -> str:
    """The secret of a payment that waits for the buyer's bank, if there is one."""
    payment = Payment.objects.incomplete().filter(charge=charge, needs_authentication=True).first()
    if payment is None or payment.stripe_payment_intent is None:
        return ""
    try:
        intent = gateway.get_intent(payment.stripe_payment_intent)
    except PaymentError:
        return ""
    return intent.client_secret if intent.status == "requires_action" else ""
