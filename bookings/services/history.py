"""Writing the history of a booking, and moving it from state to state.

History is in English and in UTC, whoever made it: ``what`` and ``detail`` that are said later are said in it.
:mod:`bookings.records` says it again to its readers in their own language: it knows every sentence that is written here.
"""

from datetime import datetime

from django_stubs_ext import StrOrPromise

from accounts.models import User
from bookings.lifecycle import check_transition
from bookings.models import Booking, BookingEvent
from common.languages import in_english


@in_english()
def note(
    booking: Booking, what: StrOrPromise, *, now: datetime, by: User | None = None, detail: StrOrPromise = ""
) -> BookingEvent:
    """Add a line to the booking's timeline."""
    return BookingEvent.objects.create(booking=booking, at=now, actor=by, what=str(what), detail=str(detail))


@in_english()
def move(
    booking: Booking,
    status: str,
    what: StrOrPromise,
    *,
    now: datetime,
    by: User | None = None,
    detail: StrOrPromise = "",
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
        booking=booking, at=now, actor=by, what=str(what), detail=str(detail), status_before=before, status_after=status
    )
