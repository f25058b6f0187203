"""A hand-over that came late: the end moves if the machine is free then, else the time is refunded (rules: When)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from bookings.let_in import could_be_let_in
from bookings.models import Booking
from bookings.services.charges import drop_extension
from bookings.services.history import note
from common.errors import violates
from common.formats import when_both
from common.languages import said_later

MINUTE = timedelta(minutes=1)
#: The rules of the database by which a machine is not free.
APART = ("bookings_one_at_a_time", "bookings_keep_out_of_maintenance")
EARLIER_RIGHT = "The hand-over was late: the time that it cost came first"


def make_up_for_delay(booking: Booking, *, now: datetime) -> bool:
    """Access is ready ``now``, for the first time. Returns whether the end has moved. The caller holds the row's lock.

    A delay of more than ``MARKETPLACE_LATE_HANDOVER`` counts, in begun minutes.
    """
    delay = now - could_be_let_in(booking)
    if delay <= settings.MARKETPLACE_LATE_HANDOVER:
        return False
    late = -(-delay // MINUTE)
    if _move_end(booking, late * MINUTE, now=now):
        booking.late_minutes = late
        booking.save(update_fields=["late_minutes"])
        note(
            booking,
            f"Handed over {_minutes(late)} late: the end moves",
            now=now,
            detail=said_later(lambda: f"To {when_both(booking.end)}. All of the booked time is there."),
        )
        return True
    booking.late_minutes = late
    booking.save(update_fields=["late_minutes"])
    note(
        booking,
        f"Handed over {_minutes(late)} late",
        now=now,
        detail="The machine is promised after the booking, so the end stays. The time lost is refunded when it ends.",
    )
    return False


def _move_end(booking: Booking, by: timedelta, *, now: datetime) -> bool:
    """Take the time after the booking too, unless somebody has it. An extension that is not paid gives way to it."""
    return _take(booking, by) or (drop_extension(booking, EARLIER_RIGHT, now=now) is not None and _take(booking, by))


def _take(booking: Booking, by: timedelta) -> bool:
    """The database decides, as when a window is asked for."""
    before = booking.end, booking.blocked_until, booking.booked_end
    booking.end += by
    booking.blocked_until += by
    booking.booked_end = before[0]
    try:
        with transaction.atomic():
            booking.save(update_fields=["end", "blocked_until", "booked_end"])
    except IntegrityError as error:
        if not any(violates(error, rule) for rule in APART):
            raise
        booking.end, booking.blocked_until, booking.booked_end = before
        return False
    return True


def _minutes(count: int) -> str:
    return "1 minute" if count == 1 else f"{count} minutes"
