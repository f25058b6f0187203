"""When: bookings, who may get in, what was wiped afterwards, and the history of it all."""

from bookings.models.access import Access
from bookings.models.booking import Booking, BookingQuerySet
from bookings.models.history import BookingEvent
from bookings.models.wipe import DataWipe, WipeMethod, WipeStatus

__all__ = ["Access", "Booking", "BookingEvent", "BookingQuerySet", "DataWipe", "WipeMethod", "WipeStatus"]
