"""What a buyer's own accounting wants on the invoice."""

from uuid import UUID

from django.db import transaction

from accounts.models import User
from bookings.errors import NotYours
from bookings.models import Booking
from bookings.services.locks import locked


@transaction.atomic
def set_references(
    *, booking_id: UUID, by: User, purchase_order: str | None = None, cost_centre: str | None = None
) -> Booking:
    """Note the purchase order and the cost centre of a booking; ``None`` leaves one as it is.

    They stand on the invoices that are issued from then on.

    Raises:
        NotYours: the person is not its buyer.
    """
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours("This booking is not yours.")
    wanted = {"purchase_order": purchase_order, "cost_centre": cost_centre}
    changed = {name: value.strip() for name, value in wanted.items() if value is not None}
    for name, value in changed.items():
        setattr(booking, name, value)
    if changed:
        booking.save(update_fields=list(changed))
    return booking
