"""What the processor tells us: checked, stored once, processed later, in any order, twice without harm."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from billing.errors import PaymentError, ProcessorAway
from billing.models import Payment, Refund, WebhookEvent
from billing.services.payments import synchronise
from billing.services.refunds import synchronise_refund
from common.leases import Clock, growing_pause

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)


@transaction.atomic
def store_event(event: dict[str, Any], *, now: datetime) -> WebhookEvent | None:
    """Keep an event raw, once. Returns the row, or ``None`` when it was here before."""
    row = WebhookEvent(
        event_id=event["id"],
        type=event["type"],
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
        pause = growing_pause(event.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        WebhookEvent.objects.filter(pk=event_pk).update(next_attempt_at=now + pause, error=str(error))
        if isinstance(error, ProcessorAway):
            raise
        return False
    WebhookEvent.objects.filter(pk=event_pk).update(processed_at=now, error="")
    return True


def _apply(event: WebhookEvent, *, now: datetime) -> None:
    """An event is a hint: the object itself is fetched and applied. Kinds that mean nothing to us are done at once."""
    if event.type.startswith("payment_intent."):
        payment = Payment.objects.filter(stripe_payment_intent=event.object_id).first()
        if payment is not None:
            synchronise(payment=payment, now=now)
    elif event.type.startswith(("refund.", "charge.refund.")):
        refund = Refund.objects.filter(stripe_refund=event.object_id).first()
        if refund is not None:
            synchronise_refund(refund=refund, now=now)
