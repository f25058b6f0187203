"""Starting a booking and ending it: what the sweeps do when its time has come."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from bookings import mails
from bookings.access import access_for
from bookings.let_in import lacked_a_key
from bookings.lifecycle import BookingStatus
from bookings.models import Access, Booking
from bookings.services.charges import drop_open, paid_minutes
from bookings.services.history import move, note
from bookings.services.locks import locked_if_idle
from bookings.services.mismatch import compare_at_start
from bookings.services.settle import refund_undelivered, settle


@transaction.atomic
def start_booking(*, booking_id: UUID, now: datetime) -> bool:
    """Start a paid booking on a machine that is clean. Returns whether it was due.

    A machine that has not been shown to be wiped after the booking before is in quarantine: nothing starts on it.
    """
    booking = locked_if_idle(booking_id)
    if booking is None or not Booking.objects.due_to_start(now=now).filter(pk=booking_id).exists():
        return False
    booking.started_at, booking.access_kind = now, booking.machine.access_kind
    move(booking, BookingStatus.ACTIVE, "Started", now=now, also=("started_at", "access_kind"))
    compare_at_start(booking, now=now)
    access_for(booking).open(booking, now=now)
    return True


@transaction.atomic
def tell_of_delay(*, booking_id: UUID, now: datetime) -> bool:
    """Tell the buyer of a booking whose time has come while the machine is in quarantine, once."""
    booking = locked_if_idle(booking_id)
    if booking is None or not Booking.objects.to_tell_of_delay(now=now).filter(pk=booking_id).exists():
        return False
    booking.delay_told_at = now
    booking.save(update_fields=["delay_told_at"])
    note(booking, "Delayed: the machine is still being erased after the booking before", now=now)
    mails.delayed(booking, now=now)
    return True


@transaction.atomic
def end_booking(*, booking_id: UUID, now: datetime) -> bool:
    """End a running booking: the machine goes into quarantine until its wipe is shown. Returns whether it was due.

    What the buyer could not use of it comes back; of a machine that was never handed over, everything, unless it was the
    buyer who never gave a key or has ended it, which was settled then. Where nobody can have been let in there is nothing to wipe.
    """
    booking = locked_if_idle(booking_id)
    if booking is None or not Booking.objects.due_to_end(now=now).filter(pk=booking_id).exists():
        return False
    if drop_open(booking, "The booking is over", now=now):
        booking.paid_minutes = paid_minutes(booking)
        booking.save(update_fields=["price_total", "paid_minutes"])
    access = access_for(booking)
    is_delivered = Access.objects.filter(booking=booking).exists()
    has_no_key = lacked_a_key(booking)  # asked before what still waits is canceled
    if access.withdraw(booking, now=now):
        booking.wipe_opened_at = now
        booking.save(update_fields=["wipe_opened_at"])
        what = (
            "Over: the machine is being erased"
            if is_delivered
            else "Over, never handed over: it is erased all the same"
        )
        note(booking, what, now=now, detail="In quarantine until the erasure is shown.")
        access.close(booking, now=now)
    else:
        booking.completed_at = now
        what = "Over, never entered: there was no SSH key" if has_no_key else "Over, never handed over"
        move(booking, BookingStatus.COMPLETED, what, now=now, also=("completed_at",))
    if is_delivered or has_no_key or booking.ended_early_at:
        settle(booking, now=now)
    else:
        refund_undelivered(booking, now=now)
    return True
