"""Customers, and the cards that they let us keep."""

from dataclasses import dataclass

import stripe

from billing.errors import ProcessorRefused
from billing.gateway.client import client, id_of, translated


@dataclass(frozen=True)
class Card:
    """What a finished card form leads to: a customer's payment method, and its name for people ("Visa 4242")."""

    customer: str
    payment_method: str
    brand: str = ""
    last4: str = ""
    exp_month: int = 1
    exp_year: int = 2000

    @property
    def label(self) -> str:
        return f"{self.brand} {self.last4}".strip()


def create_customer(*, email: str, name: str, key: str) -> str:
    """A new Customer's id."""
    with translated():
        customer = client().v1.customers.create(
            {"email": email, "name": name, "metadata": {"key": key}}, {"idempotency_key": f"customer-{key}"}
        )
    return customer.id


def begin_card(*, customer: str) -> str:
    """Begin a card form (SetupIntent). Returns the client secret that the browser finishes it with.

    ``usage`` is *off_session*, so that the bank is asked once for what later stages are charged to.
    """
    with translated():
        setup = client().v1.setup_intents.create(
            {  # type: ignore[arg-type]
                "customer": customer,
                "usage": "off_session",
                "payment_method_types": ["card"],
            }
        )
    return setup.client_secret or ""


def fill_card_form(setup_intent: str, *, payment_method: str) -> None:
    """Finish a card form without a browser, with a payment method that the processor has: one of its test cards."""
    with translated():
        client().v1.setup_intents.confirm(setup_intent, {"payment_method": payment_method})


def finished_card(setup_intent: str) -> Card | None:
    """The card that a card form ended with, or ``None`` if it did not succeed."""
    with translated():
        setup = client().v1.setup_intents.retrieve(setup_intent, {"expand": ["payment_method"]})
    method = setup.payment_method
    if setup.status != "succeeded" or not setup.customer or method is None or isinstance(method, str):
        return None
    return _card(method, customer=id_of(setup.customer))


def _card(method: stripe.PaymentMethod, *, customer: str) -> Card:
    card = method.card
    if card is None:
        return Card(customer=customer, payment_method=method.id)
    return Card(
        customer=customer,
        payment_method=method.id,
        brand=card.brand.capitalize(),
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
    )


def forget_card(payment_method: str) -> None:
    """Have the processor let go of a card: it can never be charged again. Doing it twice is quiet.

    It refuses what was done before, by somebody who did not hear of it: then it is asked whose the card is.
    """
    try:
        with translated():
            client().v1.payment_methods.detach(payment_method)
    except ProcessorRefused as error:
        if error.is_missing:
            return
        with translated():
            if client().v1.payment_methods.retrieve(payment_method).customer:
                raise


def delete_customer(customer: str) -> None:
    """Have the processor forget a customer, with the cards. Doing it twice is quiet."""
    try:
        with translated():
            client().v1.customers.delete(customer)
    except ProcessorRefused as error:
        if not error.is_missing:
            raise
