"""The cards that a person lets us keep."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from billing.errors import PaymentError, ProcessorAway
from billing.forms import CardForm
from billing.models import SavedCard
from billing.services import cards
from billing.views.pay import secret_of_a_card_form
from bookings.models import Charge


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def card_list(request: AuthenticatedRequest) -> HttpResponse:
    """What is kept, and a form for one more."""
    if request.method == "GET":
        return _page(request)
    form = CardForm(request.POST)
    if not form.is_valid():
        return _page(request, error=" ".join(map(str, form.errors["setup_intent"])), status=422)
    try:
        card = cards.add_card(user=request.user, setup_intent=form.cleaned_data["setup_intent"], now=timezone.now())
    except PaymentError as error:
        return _page(request, error=_(error.message), status=503 if isinstance(error, ProcessorAway) else 422)
    messages.success(
        request, _("%(card)s is kept, and charged from now on when you are not there.") % {"card": card.label}
    )
    return redirect("card_list")


@login_required
@require_POST
def card_begin(request: AuthenticatedRequest) -> JsonResponse:
    """The client secret with which the browser finishes the card form at the processor."""
    return secret_of_a_card_form(request.user)


@login_required
@require_POST
def card_default(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Charge this one from now on."""
    try:
        cards.make_default(user=request.user, card_id=pk)
    except SavedCard.DoesNotExist as error:
        raise Http404 from error
    return redirect("card_list")


@login_required
@require_POST
def card_remove(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Forget it, at the processor's too."""
    try:
        cards.remove_card(user=request.user, card_id=pk, now=timezone.now())
    except SavedCard.DoesNotExist as error:
        raise Http404 from error
    except PaymentError as error:
        return _page(request, error=_(error.message), status=503)
    messages.success(request, _("Removed. It can no longer be charged."))
    return redirect("card_list")


def _page(request: AuthenticatedRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    kept = list(SavedCard.objects.kept().filter(user=request.user))
    context = {
        "cards": kept,
        "stages": Charge.objects.open()
        .filter(kind="stage", booking__buyer=request.user, booking__paid_at__isnull=False)
        .select_related("booking__machine")
        .order_by("due_at"),
        "form": CardForm(),
        "error": error,
        "stripe_js_url": settings.STRIPE_JS_URL,
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
    }
    return render(request, "billing/cards.html", context, status=status)
