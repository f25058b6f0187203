"""What a buyer's own accounting wants on the invoice."""

from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services.organizations import locked_organization
from bookings.errors import NotYours
from bookings.models import Booking
from bookings.services.locks import locked
from bookings.services.purposes import check_references


@transaction.atomic
def set_references(
    *, booking_id: UUID, by: User, purchase_order: str | None = None, cost_centre: str | None = None
) -> Booking:
    """Note the purchase order and the cost centre of a booking; ``None`` leaves one as it is.

    They stand on the invoices that are issued from then on. What its organization's policy asks for cannot be taken out again.

    Raises:
        NotYours: the person is not its buyer.
        BookingError: the organization asks for one, or has no such cost centre.
    """
    organization_id = Booking.objects.values_list("organization_id", flat=True).get(pk=booking_id)
    organization = locked_organization(organization_id) if organization_id else None  # before the booking
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours(_("This booking is not yours."))
    wanted = {"purchase_order": purchase_order, "cost_centre": cost_centre}
    changed = {name: value.strip() for name, value in wanted.items() if value is not None}
    if organization is not None:
        check_references(organization, **changed)
    for name, value in changed.items():
        setattr(booking, name, value)
    if changed:
        booking.save(update_fields=list(changed))
    return booking
