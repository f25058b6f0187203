"""Where a provider is paid to: an IBAN for euros, Stripe for the rest."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from accounts.stepup import POST, require_step_up, step_up
from accounts.tax import details_of, supplier_treatment_of
from billing.errors import PaymentError, ProcessorAway
from billing.forms import IbanForm, StripeForm
from billing.models import PayoutAccount, PayoutMethod
from billing.services import payout_accounts as service

View = Callable[..., HttpResponse]


def for_providers(view: View) -> View:
    """Sends everybody else to where one becomes a provider."""

    @wraps(view)
    def guarded(request: AuthenticatedRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_provider:
            messages.info(request, _("Say first that you want to offer servers."))
            return redirect("machine_list")
        return view(request, *args, **kwargs)

    return guarded


@never_cache
@login_required
@for_providers
@require_http_methods(["GET", "POST"])
@step_up(methods=POST)
def payout_accounts(request: AuthenticatedRequest) -> HttpResponse:
    """Both ways, and the form for an IBAN."""
    if request.method == "GET":
        return _page(request)
    form = IbanForm(request.POST)
    if not form.is_valid():
        return _page(request, iban_form=form, status=422)
    account = service.enter_iban(user=request.user, **form.cleaned_data, now=timezone.now())
    messages.success(request, _("Euros go to %(account)s from now on.") % {"account": account.label})
    return redirect("payout_accounts")


@login_required
@require_POST
def payout_account_remove(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Pay nothing to it any more."""
    account = get_object_or_404(PayoutAccount.objects.current(), user=request.user, pk=pk)
    require_step_up(request)
    try:
        service.remove_account(account=account, now=timezone.now())
    except PaymentError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Removed. Nothing is paid to it any more."))
    return redirect("payout_accounts")


@login_required
@for_providers
@require_POST
def payout_stripe_begin(request: AuthenticatedRequest) -> HttpResponse:
    """Make the account at Stripe. What Stripe wants to know is asked there, on the next page."""
    _stripe_or_404()
    require_step_up(request)
    form = StripeForm(request.POST)
    if not form.is_valid():
        return _page(request, stripe_form=form, status=422)
    try:
        service.begin_stripe(user=request.user, country=form.cleaned_data["country"], now=timezone.now())
    except PaymentError as error:
        return _page(request, stripe_form=form, error=_(error.message), status=_status(error))
    return redirect("payout_accounts")


@never_cache
@login_required
@require_GET
def payout_stripe_continue(request: AuthenticatedRequest) -> HttpResponse:
    """On to Stripe. A link from there works once, so it also leads here when it is used up."""
    account = _stripe_account(request)
    require_step_up(request)
    try:
        return redirect(service.onboarding_link(account))
    except PaymentError as error:
        return _page(request, error=_(error.message), status=_status(error))


@never_cache
@login_required
@require_GET
def payout_stripe_return(request: AuthenticatedRequest) -> HttpResponse:
    """Back from Stripe: done, or not."""
    account = _stripe_account(request)
    try:
        account = (
            service.synchronise_account(stripe_account=account.stripe_account or "", now=timezone.now()) or account
        )
    except PaymentError as error:
        return _page(request, error=_(error.message), status=_status(error))
    if account.is_ready:
        messages.success(request, _("Stripe can pay you now."))
    else:
        messages.info(request, _("Stripe still wants something, or checks what you entered. The page says what."))
    return redirect("payout_accounts")


@never_cache
@login_required
@require_GET
def payout_stripe_dashboard(request: AuthenticatedRequest) -> HttpResponse:
    """On to the account at Stripe, signed in: what it is paid to is changed there."""
    account = _stripe_account(request)
    require_step_up(request)
    try:
        return redirect(service.dashboard_link(account))
    except PaymentError as error:
        return _page(request, error=_(error.message), status=_status(error))


def _stripe_or_404() -> None:
    if not settings.STRIPE_CONNECT:
        raise Http404(_("Payouts through Stripe are not offered here."))


def _stripe_account(request: AuthenticatedRequest) -> PayoutAccount:
    _stripe_or_404()
    return get_object_or_404(PayoutAccount.objects.current(), user=request.user, method=PayoutMethod.CONNECT)


def _status(error: PaymentError) -> int:
    return 503 if isinstance(error, ProcessorAway) else 422


def _page(
    request: HttpRequest,
    *,
    iban_form: IbanForm | None = None,
    stripe_form: StripeForm | None = None,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    user: Any = request.user
    accounts = {account.method: account for account in service.accounts_of(user)}
    details = details_of(user)
    country = details.country if details else user.country
    context = {
        "iban": accounts.get(PayoutMethod.SEPA),
        "stripe": accounts.get(PayoutMethod.CONNECT),
        "iban_form": iban_form or IbanForm(),
        "stripe_form": stripe_form or StripeForm(initial={"country": country}),
        "offers_stripe": settings.STRIPE_CONNECT,
        "details": details,
        "tax": supplier_treatment_of(user).supplier_sentence,
        "earlier": PayoutAccount.objects.filter(user=user, replaced_at__isnull=False),
        "error": error,
    }
    return render(request, "billing/payout_accounts.html", context, status=status)
