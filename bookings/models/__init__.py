"""When: bookings, who may get in, what was wiped afterwards, and the history of it all."""

from bookings.models import tracked  # noqa: F401  # history: its triggers, and the tables that they write
from bookings.models.access import Access
from bookings.models.booking import ACCESS_WORK, AUTOMATIC, Booking, BookingQuerySet
from bookings.models.budget import (
    Approval,
    ApprovalQuerySet,
    ApprovalStatus,
    Budget,
    BudgetPeriod,
    BudgetQuerySet,
    BudgetWarning,
)
from bookings.models.charge import Charge, ChargeKind, ChargeQuerySet, ChargeStatus
from bookings.models.erasure import ErasureCertificate, WipeEvidence
from bookings.models.history import BookingEvent
from bookings.models.keys import KeyChoice, let_in
from bookings.models.wipe import DataWipe, WipeMethod, WipeStatus

__all__ = [
    "ACCESS_WORK",
    "AUTOMATIC",
    "Access",
    "Approval",
    "ApprovalQuerySet",
    "ApprovalStatus",
    "Booking",
    "BookingEvent",
    "BookingQuerySet",
    "Budget",
    "BudgetPeriod",
    "BudgetQuerySet",
    "BudgetWarning",
    "Charge",
    "ChargeKind",
    "ChargeQuerySet",
    "ChargeStatus",
    "DataWipe",
    "ErasureCertificate",
    "KeyChoice",
    "WipeEvidence",
    "WipeMethod",
    "WipeStatus",
    "let_in",
]
