"""Plans at the processor: prices, subscriptions, the schedules that change them later, and their invoices.

Amounts are ``Decimal`` in the currency's own unit, moments are aware.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import stripe

from billing.gateway.client import client, id_of, metadata_of, translated
from common.money import from_minor, to_minor

#: Stripe's statuses after which nothing more comes of a subscription.
ENDED = ("canceled", "incomplete_expired")


@dataclass(frozen=True)
class PlanPrice:
    """A Price: what a plan costs a month, VAT and all."""

    id: str
    product: str
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class PricedAt:
    """Which Price something is sold at; ``product`` tells the plan also where a Price was made for one person."""

    price: str
    product: str
    amount: Decimal


@dataclass(frozen=True)
class RemoteSubscription:
    """A Subscription, as much of it as we use. ``status`` is Stripe's."""

    id: str
    customer: str
    status: str
    item: str
    priced: PricedAt
    currency: str
    period_start: datetime
    period_end: datetime
    created: datetime
    cancels_at_period_end: bool
    canceled_at: datetime | None
    schedule: str
    latest_invoice: str
    payment_method: str
    has_pending_update: bool
    metadata: dict[str, Any]

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class InvoiceLine:
    priced: PricedAt | None
    amount: Decimal
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True)
class RemoteInvoice:
    """An Invoice of a subscription. ``client_secret`` is that of the payment which it waits for."""

    id: str
    customer: str
    subscription: str
    status: str
    paid: Decimal
    remaining: Decimal
    total: Decimal
    currency: str
    lines: tuple[InvoiceLine, ...]
    payment_intent: str
    client_secret: str
    created: datetime
    paid_at: datetime | None
    next_attempt: datetime | None

    @property
    def main_line(self) -> InvoiceLine:
        """What it is for; the others of an upgrade give back what was paid for the rest of the former plan."""
        return max(self.lines, key=lambda line: line.amount)


# Prices ------------------------------------------------------------------------------------------------


def get_price(price: str) -> PlanPrice:
    """The Price.

    Raises:
        ProcessorRefused: there is none of this id.
    """
    with translated():
        found = client().v1.prices.retrieve(price)
    currency = found.currency.upper()
    return PlanPrice(found.id, id_of(found.product), from_minor(found.unit_amount or 0, currency), currency)


def price_at(price: PlanPrice, amount: Decimal) -> str:
    """The id of the Price for somebody who pays ``amount`` a month for this plan: the plan's own, or one of the same
    product that is made at the first use. (Changes that wait for their payment take no prices but by their id.)
    """
    if amount == price.amount:
        return price.id
    minor = to_minor(amount, price.currency)
    with translated():
        found = client().v1.prices.list({"product": price.product, "type": "recurring", "limit": 100})
        for one in found.auto_paging_iter():
            if one.unit_amount == minor and one.currency.upper() == price.currency and one.active:
                return one.id
        return (
            client()
            .v1.prices.create(
                {
                    "currency": price.currency.lower(),
                    "product": price.product,
                    "recurring": {"interval": "month"},
                    "unit_amount": minor,
                    "metadata": {"instead_of": price.id},
                },
                {"idempotency_key": f"price-{price.id}-{minor}"},
            )
            .id
        )


# Subscriptions -----------------------------------------------------------------------------------------


def create_subscription(
    *, customer: str, price: str, payment_method: str, row: UUID, user: str, attempt: UUID
) -> RemoteSubscription:
    """Begin a subscription and charge the card for the first month, with the person there.

    Declined, or wanted by the bank: it is *incomplete*, and its latest invoice says which.
    """
    with translated():
        made = client().v1.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": price}],
                "default_payment_method": payment_method,
                "payment_behavior": "allow_incomplete",
                "metadata": {"user_id": user, "subscription_id": str(row), "attempt": str(attempt)},
            },
            {"idempotency_key": f"subscription-{attempt}"},
        )
    return _subscription(made)


def get_subscription(subscription: str) -> RemoteSubscription:
    with translated():
        return _subscription(client().v1.subscriptions.retrieve(subscription))


def subscriptions_of(customer: str) -> list[RemoteSubscription]:
    """All that a customer has and had, the newest first."""
    with translated():
        found = client().v1.subscriptions.list({"customer": customer, "status": "all", "limit": 100})
        return [_subscription(subscription) for subscription in found.auto_paging_iter()]


def upgrade_subscription(remote: RemoteSubscription, *, price: str, at: datetime, attempt: UUID) -> RemoteSubscription:
    """Change the price at once and charge the difference for the rest of the period.

    It changes only if that is paid: until then the new price is a pending update.

    Args:
        at: from when the difference is counted, as it was shown.
    """
    with translated():
        changed = client().v1.subscriptions.update(
            remote.id,
            {
                "items": [{"id": remote.item, "price": price}],
                "payment_behavior": "pending_if_incomplete",
                "proration_behavior": "always_invoice",
                "proration_date": int(at.timestamp()),
            },
            {"idempotency_key": f"subscription-{attempt}-upgrade"},
        )
    return _subscription(changed)


def reprice_subscription(remote: RemoteSubscription, *, price: str, key: str) -> None:
    """From the next period on, take another amount for the same plan."""
    with translated():
        client().v1.subscriptions.update(
            remote.id,
            {
                "items": [{"id": remote.item, "price": price}],
                "proration_behavior": "none",
            },
            {"idempotency_key": key},
        )


def preview_upgrade(remote: RemoteSubscription, *, price: str, at: datetime) -> RemoteInvoice:
    """The invoice that :func:`upgrade_subscription` would lead to."""
    with translated():
        preview = client().v1.invoices.create_preview(
            {
                "customer": remote.customer,
                "subscription": remote.id,
                "subscription_details": {
                    "items": [{"id": remote.item, "price": price}],
                    "proration_behavior": "always_invoice",
                    "proration_date": int(at.timestamp()),
                },
            }
        )
    return _invoice(preview)


def end_with_period(remote: RemoteSubscription, *, ends: bool, attempt: UUID) -> RemoteSubscription:
    """Let it end when the period does, or take that back."""
    with translated():
        changed = client().v1.subscriptions.update(
            remote.id,
            {"cancel_at_period_end": ends},
            {"idempotency_key": f"subscription-{attempt}-{'ends' if ends else 'stays'}"},
        )
    return _subscription(changed)


def charge_another_card(remote: RemoteSubscription, *, payment_method: str) -> None:
    """Charge this card from now on."""
    with translated():
        client().v1.subscriptions.update(remote.id, {"default_payment_method": payment_method})


def cancel_subscription(subscription: str) -> RemoteSubscription:
    """End it now. Nothing more is charged; what is open is not collected."""
    with translated():
        return _subscription(client().v1.subscriptions.cancel(subscription))


# Schedules: a change that waits for the end of the period ----------------------------------------------


def schedule_price(remote: RemoteSubscription, *, price: str, attempt: UUID) -> None:
    """Change the price when the period ends, without charging or giving back anything now."""
    with translated():
        schedule = remote.schedule or (
            client()
            .v1.subscription_schedules.create(
                {"from_subscription": remote.id}, {"idempotency_key": f"subscription-{attempt}-schedule"}
            )
            .id
        )
        client().v1.subscription_schedules.update(
            schedule,
            {
                "end_behavior": "release",
                "proration_behavior": "none",
                "phases": [
                    {
                        "items": [{"price": remote.priced.price, "quantity": 1}],
                        "start_date": int(remote.period_start.timestamp()),
                        "end_date": int(remote.period_end.timestamp()),
                        "proration_behavior": "none",
                    },
                    {
                        "items": [{"price": price, "quantity": 1}],
                        "start_date": int(remote.period_end.timestamp()),
                        "duration": {"interval": "month", "interval_count": 1},
                        "proration_behavior": "none",
                    },
                ],
            },
            {"idempotency_key": f"subscription-{attempt}-phases"},
        )


def release_schedule(schedule: str) -> None:
    """Take a change back that waits for the end of the period: the subscription goes on as it is."""
    with translated():
        client().v1.subscription_schedules.release(schedule)


def scheduled_price(schedule: str, *, after: datetime) -> PricedAt | None:
    """What a schedule changes to after this moment, or ``None`` if it has nothing more to change."""
    with translated():
        found = client().v1.subscription_schedules.retrieve(schedule, {"expand": ["phases.items.price"]})
    if found.status not in ("active", "not_started"):
        return None
    for phase in found.phases:
        if phase.start_date >= int(after.timestamp()):
            price = phase["items"][0]["price"]
            if not isinstance(price, str):
                return _priced(price)
            with translated():
                return _priced(client().v1.prices.retrieve(price))
    return None


# Invoices ----------------------------------------------------------------------------------------------

WITH_SECRET = ["confirmation_secret", "payments"]


def get_invoice(invoice: str) -> RemoteInvoice:
    with translated():
        return _invoice(client().v1.invoices.retrieve(invoice, {"expand": WITH_SECRET}))


def paid_invoices_of(customer: str) -> list[RemoteInvoice]:
    """What a customer has paid for subscriptions, the newest first."""
    with translated():
        found = client().v1.invoices.list(
            {"customer": customer, "status": "paid", "limit": 100, "expand": ["data.payments"]}
        )
        every = [_invoice(invoice) for invoice in found.auto_paging_iter()]
    return [invoice for invoice in every if invoice.subscription]


def pay_invoice(invoice: str, *, payment_method: str) -> RemoteInvoice:
    """Charge this card for an open invoice, with the person there.

    Raises:
        CardDeclined: the bank said no, or wants to see the person: the invoice tells which.
    """
    with translated():
        paid = client().v1.invoices.pay(
            invoice, {"payment_method": payment_method, "off_session": False, "expand": WITH_SECRET}
        )
    return _invoice(paid)


def void_invoice(invoice: str) -> None:
    """Give an open invoice up. A change of plan that waited for its payment is gone with it."""
    with translated():
        client().v1.invoices.void_invoice(invoice)


def given_back_of(customer: str, *, since: datetime) -> dict[str, Decimal]:
    """What has been refunded of each payment that a customer made since then, whoever began it: by PaymentIntent."""
    with translated():
        found = client().v1.charges.list(
            {"customer": customer, "created": {"gte": int(since.timestamp())}, "limit": 100}
        )
        return {
            id_of(charge.payment_intent): from_minor(charge.amount_refunded, charge.currency.upper())
            for charge in found.auto_paging_iter()
            if charge.payment_intent and charge.paid
        }


# What the library's objects become ---------------------------------------------------------------------


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe_at(seconds: int | None) -> datetime | None:
    return None if seconds is None else _at(seconds)


def _priced(price: stripe.Price) -> PricedAt:
    return PricedAt(price.id, id_of(price.product), from_minor(price.unit_amount or 0, price.currency.upper()))


def _subscription(remote: stripe.Subscription) -> RemoteSubscription:
    item: stripe.SubscriptionItem = remote["items"].data[0]
    return RemoteSubscription(
        id=remote.id,
        customer=id_of(remote.customer),
        status=remote.status,
        item=item.id,
        priced=_priced(item.price),
        currency=remote.currency.upper(),
        period_start=_at(item.current_period_start),
        period_end=_at(item.current_period_end),
        created=_at(remote.created),
        cancels_at_period_end=remote.cancel_at_period_end or remote.cancel_at is not None,
        canceled_at=_maybe_at(remote.ended_at or remote.canceled_at),
        schedule=id_of(remote.schedule) if remote.schedule else "",
        latest_invoice=id_of(remote.latest_invoice) if remote.latest_invoice else "",
        payment_method=id_of(remote.default_payment_method) if remote.default_payment_method else "",
        has_pending_update=remote.pending_update is not None,
        metadata=metadata_of(remote),
    )


def _invoice(invoice: stripe.Invoice) -> RemoteInvoice:
    currency = invoice.currency.upper()
    details = invoice.parent.subscription_details if invoice.parent else None
    secret = getattr(invoice, "confirmation_secret", None)
    return RemoteInvoice(
        id=getattr(invoice, "id", None) or "",
        customer=id_of(invoice.customer) if invoice.customer else "",
        subscription=id_of(details.subscription) if details else "",
        status=invoice.status or "",
        paid=from_minor(invoice.amount_paid, currency),
        remaining=from_minor(invoice.amount_remaining, currency),
        total=from_minor(invoice.total, currency),
        currency=currency,
        lines=tuple(_lines(invoice, currency)),
        payment_intent=_intent_of(invoice),
        client_secret=secret.client_secret if secret else "",
        created=_at(invoice.created),
        paid_at=_maybe_at(invoice.status_transitions.paid_at),
        next_attempt=_maybe_at(invoice.next_payment_attempt),
    )


def _lines(invoice: stripe.Invoice, currency: str) -> Iterator[InvoiceLine]:
    for line in invoice.lines.data:
        details = line.pricing.price_details if line.pricing else None
        yield InvoiceLine(
            priced=PricedAt(id_of(details.price), details.product, Decimal(0)) if details else None,
            amount=from_minor(line.amount, currency),
            period_start=_at(line.period.start),
            period_end=_at(line.period.end),
        )


def _intent_of(invoice: stripe.Invoice) -> str:
    """The PaymentIntent that paid it, or else the one that is to."""
    payments = getattr(invoice, "payments", None)
    found = sorted(payments.data if payments else [], key=lambda payment: payment.status != "paid")
    for payment in found:
        if payment.payment.payment_intent:
            return id_of(payment.payment.payment_intent)
    return ""
