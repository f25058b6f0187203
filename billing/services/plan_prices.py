"""What the plans cost: the processor's Price objects, remembered for a while."""

import logging

from django.conf import settings
from django.core.cache import cache

from accounts.models import User
from accounts.tax import treatment_of
from billing.errors import ProcessorRefused
from billing.gateway import subscriptions as processor
from billing.gateway.subscriptions import PlanPrice, PricedAt
from billing.models import Tier
from common.money import Currency

log = logging.getLogger(__name__)

#: Seconds for which a Price is believed without asking again. A webhook makes it shorter (``forget_prices``).
REMEMBERED = 600


def on_sale() -> dict[Tier, PlanPrice]:
    """The plans that can be bought here, with their prices.

    Raises:
        ProcessorAway: no answer, and nothing is remembered.
    """
    prices = {tier: _price(price) for tier, price in _configured().items()}
    return {tier: price for tier, price in prices.items() if price is not None}


def _configured() -> dict[Tier, str]:
    return {Tier(tier): price for tier, price in settings.STRIPE_PRICES.items() if price}


def _price(price: str) -> PlanPrice | None:
    key = _key(price)
    known: PlanPrice | None = cache.get(key)
    if known is not None:
        return known
    try:
        known = processor.get_price(price)
    except ProcessorRefused:
        log.exception("the Price %s of a plan does not exist", price)
        return None
    if known.amount <= 0 or known.currency not in Currency.values:
        log.error("the Price %s of a plan is %s %s, which nobody can pay", price, known.amount, known.currency)
        return None
    cache.set(key, known, REMEMBERED)
    return known


def _key(price: str) -> str:
    return f"billing:price:{settings.STRIPE_API_BASE}:{price}"


def forget_prices() -> None:
    """Ask the processor at the next use."""
    cache.delete_many([_key(price) for price in _configured().values()])


def payable(price: PlanPrice, *, user: User) -> PlanPrice:
    """The price as this person pays it: the same, or the net price where no VAT is due."""
    amount = treatment_of(user).payable(price.amount, price.currency)
    return PlanPrice(price.id, price.product, amount, price.currency)


def tier_of_price(priced: PricedAt) -> Tier | None:
    """The plan that something is sold as, by its Price or that one's product; ``None`` if it is none of ours."""
    prices = on_sale()
    by_price = {price.id: tier for tier, price in prices.items()}
    by_product = {price.product: tier for tier, price in prices.items()}
    return by_price.get(priced.price) or by_product.get(priced.product)
