"""What the processor tells us: checked, stored once, processed later, in any order, twice without harm."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from billing.errors import PaymentError, ProcessorAway
from billing.models import WebhookEvent
from billing.services.cards import forget
from billing.services.chargebacks import take_dispute_named
from billing.services.connect_events import ACCOUNTS, PAYOUTS, handle_connect_event
from billing.services.finding import payment_behind
from billing.services.outside import take_refund, take_refunds_of
from billing.services.payments import synchronise
from billing.services.subscription_events import ABOUT_PLANS, ABOUT_PRICES, handle_subscription_event
from common.leases import Clock, growing_pause

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)


class Handler(Protocol):
    """Brings the object that an event is about to where the processor says that it is.

    Raises:
        PaymentError: it cannot be done now; the event is tried again after a pause.
    """

    def __call__(self, event: WebhookEvent, *, now: datetime) -> object: ...


@transaction.atomic
def store_event(event: dict[str, Any], *, now: datetime) -> WebhookEvent | None:
    """Keep an event raw, once. Returns the row, or ``None`` when it was here before."""
    row = WebhookEvent(
        event_id=event["id"],
        type=event["type"],
        account=str(event.get("account") or ""),
        object_id=str(event.get("data", {}).get("object", {}).get("id", "")),
        payload=event,
        received_at=now,
        next_attempt_at=now,
    )
    WebhookEvent.objects.bulk_create([row], ignore_conflicts=True)
    return WebhookEvent.objects.filter(pk=row.pk).first()


def process_due_events(*, now: datetime, limit: int = 100) -> int:
    """Sweep: process what waits. Returns how many are done. Stops when the processor is away."""
    clock, done = Clock(now), 0
    for pk in WebhookEvent.objects.due(now=now).values_list("pk", flat=True)[:limit]:
        try:
            done += _attempt(pk, now=clock.now())
        except ProcessorAway:
            break
    return done


def replay_event(*, event_pk: UUID, now: datetime) -> bool:
    """Process an event once more, whatever became of it before: applying it again changes nothing that is right."""
    WebhookEvent.objects.filter(pk=event_pk).update(processed_at=None, next_attempt_at=now)
    return process_event(event_pk=event_pk, now=now)


def replay_events(*, since: datetime, until: datetime, types: Collection[str] = (), now: datetime) -> int:
    """Have every event that came in ``[since, until)`` processed once more, by the sweep.

    Args:
        types: how their types begin, as in ``charge.dispute.``; none: all of them.

    Returns:
        How many there are.
    """
    events = WebhookEvent.objects.filter(received_at__gte=since, received_at__lt=until)
    if types:
        events = events.filter(reduce(or_, (Q(type__startswith=beginning) for beginning in types)))
    return events.update(processed_at=None, next_attempt_at=now)


def process_event(*, event_pk: UUID, now: datetime) -> bool:
    """Process one event, if nobody else is at it. Returns whether it is done."""
    try:
        return _attempt(event_pk, now=now)
    except ProcessorAway:
        return False


def _attempt(event_pk: UUID, *, now: datetime) -> bool:
    """
    Raises:
        ProcessorAway: no answer; it is tried again after a pause.
    """
    taken = (
        WebhookEvent.objects.due(now=now)
        .filter(pk=event_pk)
        .order_by()
        .update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    )
    if not taken:
        return False
    event = WebhookEvent.objects.get(pk=event_pk)
    try:
        _apply(event, now=now)
    except PaymentError as error:
        _try_again(event, str(error), now=now)
        if isinstance(error, ProcessorAway):
            raise
        return False
    except Exception as error:  # a fault of ours with one event is not to keep the others waiting
        log.exception("event %s (%s) could not be processed", event.event_id, event.type)
        _try_again(event, f"{type(error).__name__}: {error}", now=now)
        return False
    WebhookEvent.objects.filter(pk=event_pk).update(processed_at=now, error="")
    return True


def _try_again(event: WebhookEvent, why: str, *, now: datetime) -> None:
    pause = growing_pause(event.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    WebhookEvent.objects.filter(pk=event.pk).update(next_attempt_at=now + pause, error=why)


# What the events are about. Each is a hint: the object itself is fetched and applied, so that their order and number
# do not matter. What is not ours is done at once; what cannot be yet is tried again later.


def _payment(event: WebhookEvent, *, now: datetime) -> None:
    payment = payment_behind(event.object_id, now=now)
    if payment is not None:
        synchronise(payment=payment, now=now)


def _refund(event: WebhookEvent, *, now: datetime) -> None:
    if take_refund(event.object_id, now=now) is None:
        handle_subscription_event(event, now=now)


def _refunds_of_charge(event: WebhookEvent, *, now: datetime) -> None:
    """The event is about the charge and says of which payment it is: every refund of that is looked at."""
    said = event.payload.get("data", {}).get("object", {})
    intent = said.get("payment_intent") if isinstance(said, dict) else None
    if not isinstance(intent, str) or not take_refunds_of(intent, now=now):
        handle_subscription_event(event, now=now)


def _dispute(event: WebhookEvent, *, now: datetime) -> None:
    take_dispute_named(event.object_id, now=now)


def _card_is_gone(event: WebhookEvent, *, now: datetime) -> None:
    forget(payment_method=event.object_id, now=now)


#: Who takes which events, by how their types begin. The first that fits does.
HANDLERS: tuple[tuple[tuple[str, ...], Handler], ...] = (
    (("payment_intent.",), _payment),
    (("refund.", "charge.refund."), _refund),
    (("charge.refunded",), _refunds_of_charge),
    (("charge.dispute.",), _dispute),
    (("payment_method.detached",), _card_is_gone),
    (ACCOUNTS + PAYOUTS, handle_connect_event),
    (ABOUT_PLANS + ABOUT_PRICES, handle_subscription_event),
)


def _apply(event: WebhookEvent, *, now: datetime) -> None:
    for beginnings, handle in HANDLERS:
        if event.type.startswith(beginnings):
            handle(event, now=now)
            return
