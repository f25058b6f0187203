"""Writing the history of a booking, and moving it from state to state."""

from datetime import datetime

from accounts.models import User
from bookings.lifecycle import check_transition
from bookings.models import Booking, BookingEvent


def note(booking: Booking, what: str, *, now: datetime, by: User | None = None, detail: str = "") -> BookingEvent:
    """Add a line to the booking's timeline."""
    return BookingEvent.objects.create(booking=booking, at=now, actor=by, what=what, detail=detail)


def move(
    booking: Booking,
    status: str,
    what: str,
    *,
    now: datetime,
    by: User | None = None,
    detail: str = "",
    also: tuple[str, ...] = (),
) -> None:
    """Take one step of the state machine and write it down. The caller holds the row's lock.

    Args:
        also: further fields, set by the caller, to save with the status.

    Raises:
        bookings.lifecycle.IllegalTransition: there is no such step.
    """
    before = booking.status
    check_transition(before, status)
    booking.status = status
    booking.save(update_fields=["status", *also])
    BookingEvent.objects.create(
        booking=booking, at=now, actor=by, what=what, detail=detail, status_before=before, status_after=status
    )
