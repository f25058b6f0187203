"""What the tests of the small Stripe ask of it again and again."""

from datetime import UTC, datetime
from typing import Any

import stripe

from tests.stripe_server import cards
from tests.stripe_server.server import StripeServer

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
CARD = {"payment_method_types": ["card"]}


def intent(api, customer: str, card: str, amount: int = 1000, **more: Any) -> stripe.PaymentIntent:
    wanted = {"amount": amount, "currency": "eur", "customer": customer, "payment_method": card}
    return api.payment_intents.create({**wanted, **CARD, **more})


def paid(api, server: StripeServer, customer: str, amount: int = 1000, number: str = cards.GOOD):
    made = intent(api, customer, server.card(number, customer=customer), amount)
    return api.payment_intents.confirm(made.id)


def types(server: StripeServer) -> list[str]:
    return [event.type for event in server.events]
