"""When: bookings, who may get in, what was wiped afterwards, and the history of it all."""

from bookings.models.access import Access
from bookings.models.booking import ACCESS_WORK, AUTOMATIC, Booking, BookingQuerySet
from bookings.models.charge import Charge, ChargeKind, ChargeQuerySet, ChargeStatus
from bookings.models.erasure import ErasureCertificate, WipeEvidence
from bookings.models.history import BookingEvent
from bookings.models.wipe import DataWipe, WipeMethod, WipeStatus

__all__ = [
    "ACCESS_WORK",
    "AUTOMATIC",
    "Access",
    "Booking",
    "BookingEvent",
    "BookingQuerySet",
    "Charge",
    "ChargeKind",
    "ChargeQuerySet",
    "ChargeStatus",
    "DataWipe",
    "ErasureCertificate",
    "WipeEvidence",
    "WipeMethod",
    "WipeStatus",
]
