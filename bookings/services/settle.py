"""Giving back what a buyer lost of a booking, when it ends, without anyone asking (rules: When)."""

from datetime import datetime

from bookings import events, mails
from bookings.lost_time import LostTime, lost_time
from bookings.models import Booking
from bookings.services.history import note
from common.formats import money
from common.languages import said_later


def settle(booking: Booking, *, now: datetime) -> bool:
    """Count the time lost and owe it to the buyer. Returns whether anything came back; a second time nothing does.

    The caller holds the row's lock.
    """
    if booking.settled_at is not None:
        return False
    lost = lost_time(booking, now=now)
    booking.down_minutes = lost.down if booking.is_automatic else None
    booking.lost_amount, booking.settled_at = lost.amount, now
    booking.save(update_fields=["down_minutes", "lost_amount", "settled_at"])
    if not lost.amount:
        return False
    note(
        booking,
        said_later(lambda: _told(booking, lost)),
        now=now,
        detail="Late, or without a heartbeat: see the time line of the booking.",
    )
    events.booking_time_lost.send(Booking, booking=booking, amount=lost.amount, reason=lost.reason, by=None, now=now)
    mails.time_lost(booking, lost)
    return True


def _told(booking: Booking, lost: LostTime) -> str:
    minutes = "minute" if lost.lost == 1 else "minutes"
    return f"{money(lost.amount, booking.currency)} comes back for {lost.lost} {minutes} that were lost"


def refund_undelivered(booking: Booking, *, now: datetime) -> bool:
    """Owe the buyer everything: nobody was ever let in. Returns whether that was not settled already."""
    if booking.settled_at is not None:
        return False
    booking.settled_at, booking.lost_amount = now, booking.kept_so_far
    booking.save(update_fields=["settled_at", "lost_amount"])
    events.booking_undelivered.send(Booking, booking=booking, now=now)
    mails.undelivered(booking)
    return True
