"""Everything that runs by itself, with the time as a parameter."""

from collections.abc import Callable
from datetime import datetime

from billing.services import payments, payouts, refunds, stages, webhooks
from bookings.models import Booking, Charge
from bookings.services import cancel, run
from bookings.services.extend import lapse_extension


def _each(due, service, *, key: str = "booking_id", now: datetime) -> None:
    for pk in list(due.values_list("pk", flat=True)):
        service(**{key: pk}, now=now)


def start_bookings(*, now: datetime) -> None:
    _each(Booking.objects.due_to_start(now=now), run.start_booking, now=now)


def end_bookings(*, now: datetime) -> None:
    _each(Booking.objects.due_to_end(now=now), run.end_booking, now=now)


def cancel_holds(*, now: datetime) -> None:
    _each(Booking.objects.hold_lapsed(now=now), cancel.cancel_lapsed_hold, now=now)


def cancel_undelivered(*, now: datetime) -> None:
    _each(Booking.objects.undelivered(now=now), cancel.cancel_undelivered, now=now)


def lapse_extensions(*, now: datetime) -> None:
    _each(Charge.objects.extensions_lapsed(now=now), lapse_extension, key="charge_id", now=now)


SWEEPS: tuple[Callable[..., object], ...] = (
    webhooks.process_due_events,
    payments.ask_after_open_payments,
    refunds.make_due_refunds,
    stages.charge_due_stages,
    start_bookings,
    end_bookings,
    cancel_holds,
    cancel_undelivered,
    lapse_extensions,
    payouts.schedule_payouts,
    payouts.send_due_payouts,
    payouts.ask_after_payouts,
)
