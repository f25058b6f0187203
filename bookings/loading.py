"""One helper that loads *and* authorises: the booking, or 404 to anyone who has no part in it; the listing for anyone."""

from typing import Any
from uuid import UUID

from django.http import Http404

from accounts.models import User
from bookings.models import Booking, BookingQuerySet
from machines.models import Listing, ListingQuerySet


def booking_seen_by(user: User, pk: UUID) -> Booking:
    """As its buyer, its provider, or a platform administrator.

    Raises:
        Http404: the person has no part in it, or there is none.
    """
    bookings = Booking.objects.with_context()
    return _one(bookings if user.is_platform_administrator else bookings.seen_by(user), pk)


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
        raise Http404("There is no such listing. It may have been archived.")
    return listing


def _one(bookings: BookingQuerySet, pk: UUID) -> Booking:
    booking = bookings.filter(pk=pk).first()
    if booking is None:
        raise Http404("There is no such booking among yours.")
    return booking
