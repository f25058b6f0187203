"""Celery entry points about bookings: the sweeps. Each asks the database what is due; lost messages cost nothing."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from bookings.models import Booking, Charge
from bookings.services import cancel, erasure, extend, provision, run

log = logging.getLogger(__name__)

BATCH = 200


def _sweep(due: Any, service: Callable[..., bool], now: datetime, *, key: str = "booking_id") -> int:
    """Call ``service`` for each row that is due, each in a transaction of its own. Returns how many moved.

    One that fails is logged and does not keep the others from their turn.
    """
    moved = 0
    for pk in due.values_list("pk", flat=True)[:BATCH]:
        try:
            moved += service(**{key: pk}, now=now)
        except Exception:
            log.exception("%s failed for %s", service.__name__, pk)
    return moved


@shared_task
def cancel_unpaid_holds() -> int:
    now = timezone.now()
    return _sweep(Booking.objects.hold_lapsed(now=now), cancel.cancel_lapsed_hold, now)


@shared_task
def lapse_extensions() -> int:
    now = timezone.now()
    return _sweep(Charge.objects.extensions_lapsed(now=now), extend.lapse_extension, now, key="charge_id")


@shared_task
def start_bookings() -> int:
    now = timezone.now()
    _sweep(Booking.objects.to_tell_of_delay(now=now), run.tell_of_delay, now)
    return _sweep(Booking.objects.due_to_start(now=now), run.start_booking, now)


@shared_task
def provision_bookings() -> int:
    """Sweep: running bookings whose buyer has other keys by now than the machine's agent knows."""
    now = timezone.now()
    return _sweep(Booking.objects.due_to_provision(now=now), provision.provision_booking, now)


@shared_task
def end_bookings() -> int:
    now = timezone.now()
    _sweep(erasure.overdue(now=now), erasure.tell_of_overdue, now)
    return _sweep(Booking.objects.due_to_end(now=now), run.end_booking, now)


@shared_task
def cancel_undelivered() -> int:
    now = timezone.now()
    return _sweep(Booking.objects.undelivered(now=now), cancel.cancel_undelivered, now)
