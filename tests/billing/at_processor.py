"""Paying at the tests' own processor, and hearing what it tells."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from billing.models import Payment, WebhookEvent
from billing.services import cards, payments, webhooks
from bookings.models import Booking
from tests.stripe_server.fixtures import Processor
from tests.stripe_server.world import Event


def pay_at(processor: Processor, booking: Booking, *, now: datetime) -> Payment:
    """The booking's first charge, by a card that works."""
    buyer = booking.buyer
    form = cards.begin_card(user=buyer).split("_secret_")[0]
    processor.fill_card_form(form)
    means = partial(cards.from_form, user=buyer, setup_intent=form, keep=False, now=now)
    payment = payments.pay(charge=booking.charges.get(number=1), payer=buyer, means=means, now=now)
    payment.refresh_from_db()
    return payment


def told(processor: Processor, *beginnings: str) -> list[Event]:
    """The events so far whose types begin like this."""
    return [event for event in processor.events if event.type.startswith(beginnings or ("",))]


def hear(events: Iterable[Event], *, now: datetime) -> None:
    """Each event arrives, is stored and processed, and what failed is tried again until it is done."""
    for event in events:
        webhooks.store_event(event.event, now=now)
        webhooks.process_due_events(now=now)
    for hours in range(1, 5):
        webhooks.process_due_events(now=now + timedelta(hours=hours))
    assert not WebhookEvent.objects.filter(processed_at=None).exists()
