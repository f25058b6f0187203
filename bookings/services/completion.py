"""What follows when a machine is shown to be clean, whoever erased it."""

from datetime import datetime

from bookings import mails
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, ErasureCertificate
from bookings.services.history import move, note


def complete(booking: Booking, *, now: datetime, certificate: ErasureCertificate | None = None) -> None:
    """The machine may be handed to the next buyer. The caller holds the booking's row and has seen every step succeed."""
    booking.wiped_at = now
    if booking.status == BookingStatus.ACTIVE:
        booking.completed_at = now
        move(booking, BookingStatus.COMPLETED, "Erased and completed", now=now, also=("wiped_at", "completed_at"))
    else:
        booking.save(update_fields=["wiped_at"])
        note(booking, "Erased", now=now)
    mails.completed(booking, certificate)
