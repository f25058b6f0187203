"""The payment processor. The only package that calls Stripe.

Every call has a time limit, is made outside transactions, and everything that creates something carries an
idempotency key made from one of our rows, so that asking twice does it once. Errors of the library become
the few of :mod:`billing.errors`.
"""

from billing.gateway.cards import (
    Card,
    begin_card,
    create_customer,
    delete_customer,
    fill_card_form,
    finished_card,
    forget_card,
)
from billing.gateway.client import client
from billing.gateway.disputes import Dispute, get_dispute
from billing.gateway.events import verified_event
from billing.gateway.intents import (
    Intent,
    cancel_intent,
    charge_off_session,
    confirm_intent,
    create_intent,
    find_intent,
    get_intent,
)
from billing.gateway.refunds import MadeRefund, get_refund, gone_for_good, make_refund, refunds_of

__all__ = [
    "Card",
    "Dispute",
    "Intent",
    "MadeRefund",
    "begin_card",
    "cancel_intent",
    "charge_off_session",
    "client",
    "confirm_intent",
    "create_customer",
    "create_intent",
    "delete_customer",
    "fill_card_form",
    "find_intent",
    "finished_card",
    "forget_card",
    "get_dispute",
    "get_intent",
    "get_refund",
    "gone_for_good",
    "make_refund",
    "refunds_of",
    "verified_event",
]
