"""PaymentIntents: taking money for a payment."""

from dataclasses import dataclass

import stripe
from django.utils.translation import gettext_noop
from stripe.params import PaymentIntentCreateParams

from billing.errors import ProcessorRefused
from billing.gateway.client import client, metadata_of, translated
from billing.models import Payment
from common.money import to_minor


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


def create_intent(payment: Payment, *, customer: str) -> Intent:
    """A PaymentIntent for the payment, not confirmed yet: it takes no money."""
    return _create(_wanted(payment, customer), payment)


def charge_off_session(payment: Payment, *, customer: str) -> Intent:
    """Create and confirm at once, with nobody there to answer the bank.

    Raises:
        CardDeclined: the bank said no.
        AuthenticationNeeded: the bank wants to see the buyer.
    """
    return _create({**_wanted(payment, customer), "confirm": True, "off_session": True}, payment)


def _wanted(payment: Payment, customer: str) -> PaymentIntentCreateParams:
    return {
        "amount": to_minor(payment.amount_total, payment.currency),
        "currency": payment.currency.lower(),
        "customer": customer,
        "payment_method": payment.payment_method,
        "payment_method_types": ["card"],  # type: ignore[typeddict-unknown-key]
        "metadata": {"payment_id": str(payment.pk), "booking_id": str(payment.booking_id)},
    }


def _create(wanted: PaymentIntentCreateParams, payment: Payment) -> Intent:
    with translated():
        return _intent(client().v1.payment_intents.create(wanted, {"idempotency_key": f"payment-{payment.pk}"}))


def find_intent(payment: Payment, *, customer: str) -> Intent | None:
    """The PaymentIntent that was made for the payment by somebody who could not write it down, if there is one."""
    with translated():
        try:
            listed = client().v1.payment_intents.list({"customer": customer, "limit": 100})
        except stripe.InvalidRequestError:  # the stand-in lists all or none
            listed = client().v1.payment_intents.list({"limit": 100})
        for intent in listed.auto_paging_iter():
            if metadata_of(intent).get("payment_id") == str(payment.pk):
                return _intent(intent)
    return None


def confirm_intent(payment: Payment) -> Intent:
    """Take the money, or learn that the bank wants to see the buyer (status *requires_action*).

    Raises:
        CardDeclined: the bank said no.
    """
    with translated():
        intent = client().v1.payment_intents.confirm(
            payment.stripe_payment_intent or "", {}, {"idempotency_key": f"payment-{payment.pk}-confirm"}
        )
    return _intent(intent)


def get_intent(intent_id: str) -> Intent:
    """The PaymentIntent as it is now."""
    with translated():
        return _intent(client().v1.payment_intents.retrieve(intent_id))


def cancel_intent(intent_id: str) -> Intent:
    """Make sure that a PaymentIntent can no longer take money, and return what it is then: it may have succeeded."""
    try:
        with translated():
            return _intent(client().v1.payment_intents.cancel(intent_id))
    except ProcessorRefused:
        return get_intent(intent_id)


def _intent(intent: stripe.PaymentIntent) -> Intent:
    error = intent.last_payment_error
    return Intent(
        id=intent.id,
        status=intent.status,
        amount=intent.amount,
        currency=intent.currency.upper(),
        client_secret=intent.client_secret or "",
        payment_id=metadata_of(intent).get("payment_id", ""),
        error=(error.message or gettext_noop("The payment failed.")) if error else "",
    )
