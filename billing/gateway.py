"""The payment processor. The only module that calls Stripe.

Every call has a time limit, is made outside transactions, and everything that creates something carries an
idempotency key made from one of our rows, so that asking twice does it once. Errors of the library become
the few of :mod:`billing.errors`.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import stripe
from django.conf import settings

from billing.errors import CardDeclined, ProcessorAway, ProcessorRefused
from billing.models import Payment, Refund
from common.money import to_minor

log = logging.getLogger(__name__)

#: Seconds for one answer; the library asks once more after a failed connection.
TIMEOUT = 10
RETRIES = 1
#: The newest API version in which a card alone can be asked for by ``payment_method_types``; later ones have
#: ``allowed_payment_method_types``, which the stand-in does not know (docs/decisions/0005-stripe-version.md).
API_VERSION = "2026-07-29.dahlia"


@dataclass(frozen=True)
class Card:
    """What a finished card form leads to: a customer's payment method, and its name for people ("Visa 4242")."""

    customer: str
    payment_method: str
    label: str


@dataclass(frozen=True)
class Intent:
    """A PaymentIntent, as much of it as we use. ``status`` is Stripe's; ``amount`` in minor units."""

    id: str
    status: str
    amount: int
    currency: str
    client_secret: str
    payment_id: str
    error: str


@dataclass(frozen=True)
class MadeRefund:
    """A Refund at the processor. ``status`` is Stripe's: pending, succeeded, failed, canceled, requires_action."""

    id: str
    status: str
    error: str


@cache
def client() -> stripe.StripeClient:
    """The one client of this process."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        stripe_version=API_VERSION,
        base_addresses={"api": settings.STRIPE_API_BASE},
        http_client=stripe.RequestsClient(timeout=TIMEOUT),
        max_network_retries=RETRIES,
    )


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the library's errors into ours.

    Raises:
        CardDeclined: the bank refused the card.
        ProcessorAway: no answer, an overload or a fault at the processor: the outcome is unknown.
        ProcessorRefused: the request was wrong.
    """
    try:
        yield
    except stripe.CardError as error:
        raise CardDeclined(error.user_message or "Your card was declined.") from error
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        log.warning("the payment processor is away: %s", error)
        raise ProcessorAway from error
    except stripe.StripeError as error:
        if error.http_status is None or error.http_status >= 500:
            log.warning("the payment processor failed: %s", error)
            raise ProcessorAway from error
        log.error("the payment processor refused: %s", error)
        raise ProcessorRefused("The payment processor refused this. We have been told and look into it.") from error


def create_customer(*, email: str, name: str, key: str) -> str:
    """A new Customer's id."""
    with _translated():
        customer = client().v1.customers.create(
            {"email": email, "name": name, "metadata": {"key": key}}, {"idempotency_key": f"customer-{key}"}
        )
    return customer.id


def begin_card(*, customer: str) -> str:
    """Begin a card form (SetupIntent). Returns the client secret that the browser finishes it with."""
    with _translated():
        setup = client().v1.setup_intents.create(
            {  # type: ignore[arg-type]
                "customer": customer,
                "usage": "on_session",
                "payment_method_types": ["card"],
            }
        )
    return setup.client_secret or ""


def finished_card(setup_intent: str) -> Card | None:
    """The card that a card form ended with, or ``None`` if it did not succeed."""
    with _translated():
        setup = client().v1.setup_intents.retrieve(setup_intent, {"expand": ["payment_method"]})
    method = setup.payment_method
    if setup.status != "succeeded" or not setup.customer or method is None or isinstance(method, str):
        return None
    label = f"{method.card.brand.capitalize()} {method.card.last4}" if method.card else ""
    return Card(customer=_id(setup.customer), payment_method=method.id, label=label)


def create_intent(payment: Payment, *, customer: str) -> Intent:
    """A PaymentIntent for the payment, not confirmed yet: it takes no money."""
    with _translated():
        intent = client().v1.payment_intents.create(
            {
                "amount": to_minor(payment.amount_total, payment.currency),
                "currency": payment.currency.lower(),
                "customer": customer,
                "payment_method": payment.payment_method,
                "payment_method_types": ["card"],  # type: ignore[typeddict-unknown-key]
                "metadata": {"payment_id": str(payment.pk), "booking_id": str(payment.booking_id)},
            },
            {"idempotency_key": f"payment-{payment.pk}"},
        )
    return _intent(intent)


def confirm_intent(payment: Payment) -> Intent:
    """Take the money, or learn that the bank wants to see the buyer (status *requires_action*).

    Raises:
        CardDeclined: the bank said no.
    """
    with _translated():
        intent = client().v1.payment_intents.confirm(
            payment.stripe_payment_intent or "", {}, {"idempotency_key": f"payment-{payment.pk}-confirm"}
        )
    return _intent(intent)


def get_intent(intent_id: str) -> Intent:
    """The PaymentIntent as it is now."""
    with _translated():
        return _intent(client().v1.payment_intents.retrieve(intent_id))


def cancel_intent(intent_id: str) -> Intent:
    """Make sure that a PaymentIntent can no longer take money, and return what it is then: it may have succeeded."""
    try:
        with _translated():
            return _intent(client().v1.payment_intents.cancel(intent_id))
    except ProcessorRefused:
        return get_intent(intent_id)


def make_refund(refund: Refund) -> MadeRefund:
    """Give the money back, once: whoever made the refund before us is found by its metadata."""
    intent_id = refund.payment.stripe_payment_intent or ""
    with _translated():
        for made in client().v1.refunds.list({"payment_intent": intent_id, "limit": 100}).auto_paging_iter():
            if _metadata(made).get("refund_id") == str(refund.pk):
                return _refund(made)
        return _refund(
            client().v1.refunds.create(
                {
                    "payment_intent": intent_id,
                    "amount": to_minor(refund.amount, refund.currency),
                    "metadata": {"refund_id": str(refund.pk)},
                },
                {"idempotency_key": f"refund-{refund.pk}"},
            )
        )


def get_refund(refund_id: str) -> MadeRefund:
    """The Refund as it is now."""
    with _translated():
        return _refund(client().v1.refunds.retrieve(refund_id))


def verified_event(payload: bytes, signature: str) -> dict[str, Any]:
    """A webhook's event, once its signature has been checked.

    Raises:
        ValueError: not signed with our secret, too old, or no event.
    """
    if not signature.isascii():
        raise ValueError("This is no signature.")
    text = payload.decode()
    try:
        stripe.WebhookSignature.verify_header(
            text, signature, settings.STRIPE_WEBHOOK_SECRET, tolerance=stripe.Webhook.DEFAULT_TOLERANCE
        )
    except stripe.SignatureVerificationError as error:
        raise ValueError(str(error)) from error
    event = json.loads(text)
    if not isinstance(event, dict) or not event.get("id") or not event.get("type"):
        raise ValueError("This is no event.")
    return event


def _id(value: Any) -> str:
    return value if isinstance(value, str) else str(value.id)


def _intent(intent: stripe.PaymentIntent) -> Intent:
    error = intent.last_payment_error
    return Intent(
        id=intent.id,
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        client_secret=intent.client_secret or "",
        payment_id=_metadata(intent).get("payment_id", ""),
        error=(error.message or "The payment failed.") if error else "",
    )


def _metadata(thing: stripe.PaymentIntent | stripe.Refund) -> dict[str, Any]:
    return thing.metadata.to_dict() if thing.metadata else {}


def _refund(refund: stripe.Refund) -> MadeRefund:
    return MadeRefund(
        id=refund.id, status=refund.status or "pending", error=str(getattr(refund, "failure_reason", "") or "")
    )
