"""What the processor tells about plans. An event is a hint: the plan that it is about is asked after."""

from datetime import datetime
from typing import Any

from billing.models import StripeCustomer, Subscription, SubscriptionPayment, WebhookEvent
from billing.services import plan_prices
from billing.services.plan_following import synchronise_subscription
from billing.services.plan_payments import take_over_refunds

#: How the kinds of events begin that may change a plan, or what was paid for one.
ABOUT_PLANS = ("customer.subscription.", "subscription_schedule.", "invoice.", "invoice_payment.")
ABOUT_PRICES = ("price.", "product.")
ABOUT_REFUNDS = ("charge.refunded", "charge.refund.", "refund.")


def handle_subscription_event(event: WebhookEvent, *, now: datetime) -> None:
    """Ask after the plan that an event is about, if it is about one. Any order, any number of times.

    Raises:
        ProcessorAway: no answer; it is tried again.
    """
    if event.type.startswith(ABOUT_PRICES):
        plan_prices.forget_prices()
        return
    thing = event.payload.get("data", {}).get("object", {})
    if event.type.startswith(ABOUT_REFUNDS):
        intent = _id_of(thing.get("payment_intent"))
        for payment in SubscriptionPayment.objects.filter(stripe_payment_intent=intent):
            take_over_refunds(payment=payment, now=now)
        return
    row = _by_customer(thing, now=now)
    if row is not None:
        synchronise_subscription(subscription=row, now=now)


def _by_customer(thing: dict[str, Any], *, now: datetime) -> Subscription | None:
    customer = _id_of(thing.get("customer"))
    if not customer:
        return None
    row = Subscription.objects.filter(stripe_customer_id=customer).first()
    known = StripeCustomer.objects.filter(stripe_id=customer).first() if row is None else None
    if known is not None:  # begun at the processor's, for somebody who never had a plan
        row, _ = Subscription.objects.get_or_create(user=known.user, defaults={"created_at": now, "asked_at": now})
        Subscription.objects.filter(pk=row.pk, stripe_customer_id="").update(stripe_customer_id=customer)
    return row


def _id_of(value: Any) -> str:
    """The id of an object that may be expanded; empty where there is none."""
    return str(value.get("id") or "") if isinstance(value, dict) else str(value or "")
