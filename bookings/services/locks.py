"""Taking a booking's row for oneself."""

from uuid import UUID

from bookings.models import Booking


def locked(booking_id: UUID) -> Booking:
    """The booking, locked until the transaction ends, with its machine, listing and people loaded.

    Whoever locks more than one row locks the booking first.

    Raises:
        Booking.DoesNotExist: there is none.
    """
    return (
        Booking.objects.select_for_update(of=("self",), no_key=True)
        .select_related("machine__provider", "listing", "buyer")
        .get(pk=booking_id)
    )


def locked_if_idle(booking_id: UUID) -> Booking | None:
    """As :func:`locked`, or ``None`` if somebody else is at it: the next sweep will look again."""
    return (
        Booking.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("machine__provider", "listing", "buyer")
        .filter(pk=booking_id)
        .first()
    )
