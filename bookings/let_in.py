"""Whether a buyer was let in at all, and whether that nobody was is the machine's doing."""

from datetime import datetime

from django.conf import settings

from bookings.models import Booking
from machines.models import Work, WorkKind, WorkState


def lacked_a_key(booking: Booking) -> bool:
    """The buyer has given no key to let in, or took it back at once: that nobody came in is not the machine's doing."""
    asked = Work.objects.filter(booking_id=booking.pk, kind=WorkKind.PROVISION).exclude(state=WorkState.CANCELED)
    return (
        booking.is_automatic
        and booking.started_at is not None
        and getattr(booking, "access", None) is None
        and booking.machine.agents.enrolled().filter(enrolled_at__lt=booking.end).exists()
        and not asked.exists()
    )


def was_never_let_in(booking: Booking, *, now: datetime) -> bool:
    """Started long enough ago, and the machine has not let its buyer in, who has given a key."""
    is_overdue = booking.started_at is not None and now >= booking.start + settings.MARKETPLACE_LATE_START
    return is_overdue and getattr(booking, "access", None) is None and not lacked_a_key(booking)
