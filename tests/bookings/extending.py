"""Asking for longer."""

from datetime import timedelta

from bookings.models import Booking, Charge
from bookings.services.extend import request_extension

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def fresh(booking: Booking) -> Booking:
    return Booking.objects.get(pk=booking.pk)


def ask(booking: Booking, longer: timedelta, *, now, **more) -> Charge:
    return request_extension(booking_id=booking.pk, by=booking.buyer, new_end=booking.end + longer, now=now, **more)
