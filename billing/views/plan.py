"""A person's plan: the four side by side, what a change would cost, and the change."""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.requests import AuthenticatedRequest
from accounts.tax import treatment_of
from billing.errors import PaymentError, ProcessorAway
from billing.forms import PlanForm
from billing.gateway.subscriptions import PlanPrice
from billing.models import SavedCard, Subscription, SubscriptionStatus, Tier
from billing.plans import PLANS, Move, Plan, has_plan, move_to, subscription_of, tier_of
from billing.services import plan_following, plan_prices, subscriptions
from common.formats import day

#: An upgrade costs what was shown, if it is confirmed within this time.
SHOWN_FOR = timedelta(minutes=15)
AWAY = _(
    "The payment processor does not answer at the moment. What you asked for is not lost: we find out by ourselves "
    "what became of it, and your plan's page says so. Nothing is charged twice."
)
PRICE_CHANGED = _("The price has changed since this page was shown. Look at it again, then confirm.")

DONE = {
    Move.SUBSCRIBE: _("Paid. Your plan is %(name)s."),
    Move.UPGRADE: _("Paid. Your plan is %(name)s."),
    Move.DOWNGRADE: _("Your plan becomes %(name)s on %(day)s."),
    Move.CANCEL: _("Your plan ends on %(day)s. Nothing more is charged."),
    Move.KEEP: _("Your plan stays %(name)s."),
}


@dataclass(frozen=True)
class Choice:
    """One of the plans as a person sees it: its price for them, and what choosing it would mean."""

    plan: Plan
    price: PlanPrice | None
    move: Move | None
    is_current: bool
    is_next: bool
    has_begun: bool = True

    @property
    def label(self) -> str:
        words = {
            Move.SUBSCRIBE: gettext("Choose %(name)s"),
            Move.UPGRADE: gettext("Upgrade to %(name)s"),
            Move.DOWNGRADE: gettext("Change to %(name)s"),
            Move.CANCEL: gettext("Cancel my plan") if self.has_begun else gettext("Give it up"),
            Move.KEEP: gettext("Keep %(name)s"),
            None: "",
        }[self.move]
        return words % {"name": self.plan.name}

    @property
    def is_upwards(self) -> bool:
        return self.move in (Move.SUBSCRIBE, Move.UPGRADE, Move.KEEP)


@never_cache
@login_required
@require_GET
def plan(request: AuthenticatedRequest) -> HttpResponse:
    """What there is, what one has, and what changes when."""
    row = subscription_of(request.user)
    away, prices = False, {}
    try:
        prices = plan_prices.on_sale()
    except ProcessorAway:
        away = True
    context = {
        "choices": [_choice(tier, request.user, row, prices) for tier in Tier],
        "on_sale": bool(prices),
        "away": away,
        "subscription": row,
        "has_plan": has_plan(row),
        "card": _card_of(row),
        "tax": treatment_of(request.user).sentence,
        "payments": row.payments.prefetch_related("invoices")[:12] if row is not None else [],
    }
    return render(request, "billing/plan.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def plan_change(request: AuthenticatedRequest, tier: str) -> HttpResponse:
    """What choosing this plan costs, today and later; posted, it is done."""
    if tier not in Tier.values:
        raise Http404
    wanted, row, now = Tier(tier), subscription_of(request.user), timezone.now()
    move = move_to(wanted, row)
    if move is None:
        return redirect("plan")
    if request.method == "GET":
        return _confirm(request, wanted, move, now=now)
    form = PlanForm(request.POST)
    if not form.is_valid():
        return _confirm(request, wanted, move, now=now, error=gettext("Confirm on this page."), status=422)
    try:
        if move in (Move.SUBSCRIBE, Move.UPGRADE) and not _is_as_shown(
            request.user, wanted, form.cleaned_data, move, now
        ):
            return _confirm(request, wanted, move, now=now, error=str(PRICE_CHANGED), status=422)
        row = _do(request.user, wanted, move, form.cleaned_data, now=now)
    except ProcessorAway:
        return _confirm(request, wanted, move, now=now, error=str(AWAY), status=503)
    except PaymentError as error:
        return _confirm(request, wanted, move, now=now, error=gettext(error.message), status=422)
    return _after(request, row, DONE[move] % {"name": wanted.label, "day": day(row.current_period_end)})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def plan_pay(request: AuthenticatedRequest) -> HttpResponse:
    """Another card for the plan; what is overdue is charged to it at once."""
    row = subscription_of(request.user)
    if row is None or not has_plan(row):
        return redirect("plan")
    if request.method == "GET":
        return _pay_page(request, row)
    form = PlanForm(request.POST)
    card = _chosen_card(request.user, form.cleaned_data.get("card")) if form.is_valid() else None
    if card is None:
        return _pay_page(request, row, error=gettext("Choose one of your cards."), status=422)
    try:
        row = subscriptions.use_card(user=request.user, card=card, now=timezone.now())
    except ProcessorAway:
        return _pay_page(request, row, error=str(AWAY), status=503)
    except PaymentError as error:
        return _pay_page(request, row, error=gettext(error.message), status=422)
    return _after(request, row, gettext("Your plan is charged to %(card)s from now on.") % {"card": card.label})


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def plan_authenticate(request: AuthenticatedRequest) -> HttpResponse:
    """The bank wants to see the person; posted when they come back from it."""
    row = subscription_of(request.user)
    if row is None:
        return redirect("plan")
    try:
        if request.method == "POST":
            row = plan_following.synchronise_subscription(subscription=row, now=timezone.now())
            if row.failure:
                messages.error(request, f"{gettext(row.failure)} {gettext('Nothing was charged.')}")
                return redirect("plan")
            return _after(request, row, gettext("Paid. Your plan is %(name)s.") % {"name": row.get_tier_display()})
        secret = subscriptions.secret_to_authenticate(row)
    except PaymentError:
        messages.warning(request, str(AWAY))
        return redirect("plan")
    if not secret:
        return redirect("plan")
    context = {"subscription": row, "client_secret": secret} | _keys()
    return render(request, "billing/plan_authenticate.html", context)


# What the pages are made of -----------------------------------------------------------------------------


def _choice(tier: Tier, user: User, row: Subscription | None, prices: dict[Tier, PlanPrice]) -> Choice:
    listed = prices.get(tier)
    move = move_to(tier, row)
    if listed is None and move in (Move.SUBSCRIBE, Move.UPGRADE, Move.DOWNGRADE):
        move = None
    return Choice(
        plan=PLANS[tier],
        price=plan_prices.payable(listed, user=user) if listed else None,
        move=move,
        is_current=tier_of(user) == tier,
        is_next=row is not None and row.next_tier == tier,
        has_begun=row is not None and row.is_in_force,
    )


def _confirm(
    request: AuthenticatedRequest, wanted: Tier, move: Move, *, now: datetime, error: str = "", status: int = 200
) -> HttpResponse:
    row = Subscription.objects.filter(user=request.user).select_related("user").first()
    context: dict[str, Any] = {
        "move": move.name.lower(),
        "plan": PLANS[wanted],
        "subscription": row,
        "error": error,
        "tax": treatment_of(request.user).sentence,
    }
    try:
        context |= _figures(request.user, row, wanted, move, now=now)
    except PaymentError as why:
        if request.method == "GET" and not isinstance(why, ProcessorAway):
            messages.warning(request, gettext(why.message))
            return redirect("plan")
        context["error"] = error or (AWAY if isinstance(why, ProcessorAway) else gettext(why.message))
        status = 503 if isinstance(why, ProcessorAway) else max(status, 422)
    return render(request, "billing/plan_change.html", context, status=status)


def _figures(user: User, row: Subscription | None, wanted: Tier, move: Move, *, now: datetime) -> dict[str, Any]:
    """What is charged today and what next, exactly.

    Raises:
        PaymentError: not on sale, or the processor is away.
    """
    if row is not None and move == Move.UPGRADE:
        quote = subscriptions.quote_upgrade(subscription=row, tier=wanted, now=now)
        return {
            "possible": True,
            "today": quote.today,
            "monthly": quote.monthly,
            "currency": quote.currency,
            "next_at": row.current_period_end,
            "at": int(quote.at.timestamp()),
        }
    if row is not None and move in (Move.CANCEL, Move.KEEP):
        ends_now = row.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING)
        return {
            "possible": True,
            "today": Decimal(0),
            "monthly": row.monthly_price if move == Move.KEEP else Decimal(0),
            "currency": row.currency,
            "next_at": row.current_period_end,
            "ends_now": ends_now,
        }
    listed = plan_prices.on_sale().get(wanted)
    if listed is None:
        raise PaymentError(gettext("The plan %(name)s is not on sale here.") % {"name": wanted.label})
    price = plan_prices.payable(listed, user=user)
    begins = move == Move.SUBSCRIBE
    return {
        "possible": True,
        "today": price.amount if begins else Decimal(0),
        "monthly": price.amount,
        "currency": price.currency,
        "next_at": a_month_after(now) if begins or row is None else row.current_period_end,
        "cards": list(SavedCard.objects.kept().filter(user=user)) if begins else [],
    }


def a_month_after(moment: datetime) -> datetime:
    """The same day of the next month, or its last one: as the processor counts."""
    year, month = (moment.year, moment.month + 1) if moment.month < 12 else (moment.year + 1, 1)
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))


def _is_as_shown(user: User, wanted: Tier, shown: dict[str, Any], move: Move, now: datetime) -> bool:
    listed = plan_prices.on_sale().get(wanted)
    if listed is None:
        raise PaymentError(gettext("The plan %(name)s is not on sale here.") % {"name": wanted.label})
    if shown["monthly"] != plan_prices.payable(listed, user=user).amount:
        return False
    if move == Move.SUBSCRIBE:
        return True
    # Who could choose the moment would choose the end of the period, when an upgrade costs nothing.
    return shown["at"] is not None and now - SHOWN_FOR <= _moment(shown["at"]) <= now


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _do(user: User, wanted: Tier, move: Move, shown: dict[str, Any], *, now: datetime) -> Subscription:
    if move == Move.SUBSCRIBE:
        card = _chosen_card(user, shown["card"])
        if card is None:
            raise PaymentError(gettext("Choose one of your cards."))
        return subscriptions.subscribe(user=user, tier=wanted, card=card, now=now)
    if move == Move.KEEP:
        return subscriptions.resume(user=user, now=now)
    at = _moment(shown["at"]) if move == Move.UPGRADE else None
    return subscriptions.change_plan(user=user, tier=wanted, now=now, at=at)


def _chosen_card(user: User, pk: UUID | None) -> SavedCard | None:
    return None if pk is None else SavedCard.objects.kept().filter(user=user, pk=pk).first()


def _card_of(row: Subscription | None) -> SavedCard | None:
    method = row.billing_details.get("payment_method") if row is not None else None
    return SavedCard.objects.filter(stripe_payment_method=method).first() if method else None


def _after(request: HttpRequest, row: Subscription, done: str) -> HttpResponse:
    if row.needs_authentication:
        return redirect("plan_authenticate")
    if row.wanted_tier:
        messages.info(
            request, gettext("The payment processor is still working on it. This page tells when it is through.")
        )
    else:
        messages.success(request, done)
    return redirect("plan")


def _pay_page(request: AuthenticatedRequest, row: Subscription, *, error: str = "", status: int = 200) -> HttpResponse:
    open_invoice = row.billing_details.get("open_invoice")
    context = {
        "subscription": row,
        "cards": list(SavedCard.objects.kept().filter(user=request.user)),
        "current": _card_of(row),
        "overdue": Decimal(open_invoice["amount"]) if open_invoice else None,
        "error": error,
    }
    return render(request, "billing/plan_pay.html", context, status=status)


def _keys() -> dict[str, str]:
    return {"stripe_js_url": settings.STRIPE_JS_URL, "publishable_key": settings.STRIPE_PUBLISHABLE_KEY}
