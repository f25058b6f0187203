"""Plans on sale at the processor of the tests, somebody's saved card, and what the two tell each other."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from accounts.models import User
from billing.gateway import client
from billing.models import LedgerEntry, SavedCard, Subscription, SubscriptionPayment, Tier, WebhookEvent
from billing.plans import tier_of
from billing.services import plan_following, subscriptions
from billing.services.cards import customer_of
from billing.services.subscription_events import handle_subscription_event
from tests.stripe_server import cards
from tests.stripe_server.fixtures import Processor

PRICES = {Tier.INDIVIDUAL: 1900, Tier.PROFESSIONAL: 7900, Tier.ENTERPRISE: 29900}


def put_on_sale(settings: Any, *, currency: str = "eur") -> None:
    """A Product and a Price for each plan, as an administrator makes them in the dashboard."""
    settings.STRIPE_PRICES = {}
    for tier, amount in PRICES.items():
        product = client().v1.products.create({"name": tier.label})
        price = client().v1.prices.create(
            {"product": product.id, "currency": currency, "unit_amount": amount, "recurring": {"interval": "month"}}
        )
        settings.STRIPE_PRICES[tier.value] = price.id
    cache.clear()


@dataclass
class Shop:
    """The processor with plans on sale; ``now`` is the time of both sides."""

    processor: Processor
    now: datetime
    heard: int = 0

    def save_card(self, user: User, number: str = cards.GOOD) -> SavedCard:
        method = self.processor.card(number, customer=customer_of(user))
        return SavedCard.objects.create(
            user=user, stripe_payment_method=method, brand="Visa", last4=number[-4:], exp_month=12, exp_year=2099
        )

    def subscribe(self, user: User, tier: Tier = Tier.PROFESSIONAL, number: str = cards.GOOD) -> Subscription:
        return subscriptions.subscribe(user=user, tier=tier, card=self.save_card(user, number), now=self.now)

    def pass_time(self, **how_long: float) -> None:
        self.now += timedelta(**how_long)
        self.processor.advance(self.now)

    def news(self) -> list[WebhookEvent]:
        """What the processor has told since the last time."""
        fresh = self.processor.events[self.heard :]
        self.heard = len(self.processor.events)
        return [
            WebhookEvent(event_id=event.id, type=event.type, object_id=event.object.get("id", ""), payload=event.event)
            for event in fresh
        ]

    def hear(self) -> None:
        """Every webhook arrives, once and in order."""
        for event in self.news():
            handle_subscription_event(event, now=self.now)

    def sweep(self) -> int:
        return plan_following.ask_after_subscriptions(now=self.now)

    def taken(self, user: User) -> int:
        """What the processor holds of this person's money, in minor units."""
        charges = self.processor.holds("charge", customer=customer_of(user))
        return sum(charge["amount"] - charge["amount_refunded"] for charge in charges if charge["paid"])


@pytest.fixture
def shop(processor: Processor, settings: Any, now: datetime, db: None) -> Shop:
    processor.now = now.replace(microsecond=0)
    put_on_sale(settings)
    return Shop(processor, processor.now)


def row_of(user: User) -> Subscription:
    return Subscription.objects.select_related("user").get(user=user)


def tier_now(user: User) -> Tier:
    """The plan that somebody has, read anew."""
    return tier_of(User.objects.get(pk=user.pk))


def booked(kind: str) -> Decimal:
    """The balance of one kind of account."""
    return sum((entry.amount for entry in LedgerEntry.objects.filter(account__kind=kind)), Decimal(0))


def books_agree(shop: Shop, *users: User) -> None:
    """The ledger, our rows and the processor tell the same, and each payment has one invoice."""
    held = Decimal(sum(shop.taken(user) for user in users)) / 100
    paid = list(SubscriptionPayment.objects.prefetch_related("invoices"))
    assert sum((payment.amount - payment.refunded for payment in paid), Decimal(0)) == held
    assert booked("processor") == held
    assert booked("subscriptions") + booked("tax") == -held
    for payment in paid:
        assert [invoice.series for invoice in payment.invoices.all() if not invoice.is_correction] == ["SUB"]
