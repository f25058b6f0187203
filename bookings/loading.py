"""One helper that loads *and* authorises: the booking, or 404 to anyone who has no part in it; the listing for anyone."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import OrganizationAction, membership_of, powers_of
from bookings.models import Booking, BookingQuerySet
from machines.models import Listing, ListingQuerySet


def booking_seen_by(
    user: User, pk: UUID, *, as_member: OrganizationAction = OrganizationAction.SEE_BOOKINGS
) -> Booking:
    """As its buyer, its provider, a member of the organization it is for whose role allows ``as_member``, or a platform
    administrator. It is to be looked at: :func:`booking_between` is for what the two decide.

    Raises:
        Http404: the person has no part in it, or there is none.
    """
    bookings = Booking.objects.with_context()
    return _one(bookings if user.is_platform_administrator else bookings.seen_by(user, as_member), pk)


def booking_between(user: User, pk: UUID) -> Booking:
    """As its buyer or its provider, or a platform administrator.

    Raises:
        Http404: it is neither booked by this person nor of their machine.
    """
    bookings = Booking.objects.with_context()
    return _one(bookings if user.is_platform_administrator else bookings.of_either(user), pk)


def powers_over(user: User, booking: Booking) -> frozenset[str]:
    """What the person's role allows in the organization that it was booked for, for templates. Empty for others."""
    organization = booking.organization
    return powers_of(membership_of(user, organization)) if organization is not None else frozenset()


def booking_of_buyer(user: User, pk: UUID) -> Booking:
    """
    Raises:
        Http404: it is not this person's own booking.
    """
    return _one(Booking.objects.with_context().of_buyer(user), pk)


def booking_of_provider(user: User, pk: UUID) -> Booking:
    """
    Raises:
        Http404: it is not a booking of this person's machine.
    """
    return _one(Booking.objects.with_context().of_provider(user), pk)


def organization_of_booking(pk: UUID, **_rest: Any) -> UUID | None:
    """Whom it was booked for, if not for the buyer."""
    return Booking.objects.filter(pk=pk).values_list("organization", flat=True).first()


def public_listing(pk: UUID, listings: ListingQuerySet | None = None) -> Listing:
    """The listing with all that its page names, or with what ``listings`` loads, unless it is archived.

    Raises:
        Http404: there is none to be seen.
    """
    listings = Listing.objects.with_machine() if listings is None else listings
    listing = listings.public().filter(pk=pk).first()
    if listing is None:
        raise Http404(_("There is no such listing. It may have been archived."))
    return listing


def _one(bookings: BookingQuerySet, pk: UUID) -> Booking:
    booking = bookings.filter(pk=pk).first()
    if booking is None:
        raise Http404(_("There is no such booking among yours."))
    return booking
