"""Taking a booking's row for oneself."""

from uuid import UUID

from accounts.services.organizations import locked_organization
from bookings.models import Booking


def locked(booking_id: UUID) -> Booking:
    """The booking, locked until the transaction ends, with its machine, listing and people loaded.

    Whoever locks more than one row locks the booking first; only its organization's row comes before it
    (:func:`locked_with_organization`).

    Raises:
        Booking.DoesNotExist: there is none.
    """
    return (
        Booking.objects.select_for_update(of=("self",), no_key=True)
        .select_related("machine__provider", "listing", "buyer")
        .get(pk=booking_id)
    )


def locked_with_organization(booking_id: UUID) -> Booking:
    """As :func:`locked`, with the row of the organization that it is for, if there is one, locked before it.

    Raises:
        Booking.DoesNotExist: there is none.
    """
    organization_id = Booking.objects.values_list("organization_id", flat=True).get(pk=booking_id)
    organization = locked_organization(organization_id) if organization_id else None
    booking = locked(booking_id)
    booking.organization = organization
    return booking


def locked_if_idle(booking_id: UUID) -> Booking | None:
    """As :func:`locked`, or ``None`` if somebody else is at it: the next sweep will look again."""
    return (
        Booking.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("machine__provider", "listing", "buyer")
        .filter(pk=booking_id)
        .first()
    )
