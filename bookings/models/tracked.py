"""What of bookings history keeps. Records of erasure are not here: their rows never change."""

from typing import Any

from bookings.models.access import Access
from bookings.models.booking import Booking
from bookings.models.budget import Approval, Budget
from bookings.models.charge import Charge
from common.formats import percent
from common.history.tracking import tracked
from common.ids import short


def _of_booking(change: Any) -> str:
    """As people read a booking out."""
    return short(change.booking_id)


def _said(line: str) -> str:
    """In the reader's language."""
    from bookings.records import said

    return said(line)


BookingChange = tracked(
    Booking,
    "buyer",
    "organization",
    "project",
    "machine",
    "start",
    "end",
    "blocked_until",
    "status",
    "hold_expires_at",
    "paid_at",
    "started_at",
    "access_kind",
    "booked_end",
    "left_at",
    "late_minutes",
    "down_minutes",
    "settled_at",
    "lost_amount",
    "paid_minutes",
    "ended_early_at",
    "unused_amount",
    "wipe_opened_at",
    "wiped_at",
    "completed_at",
    "canceled_at",
    "cancellation_terms",
    "currency",
    "price_total",
    "given_back",
    "tax_kind",
    "tax_rate",
    "purchase_order",
    "cost_centre",
    organization="organization",
    page="booking_history",
    written={"tax_rate": percent},
)
ChargeChange = tracked(
    Charge,
    "number",
    "kind",
    "status",
    "covers_from",
    "covers_until",
    "amount",
    "currency",
    "due_at",
    "expires_at",
    "paid_at",
    "dropped_at",
    "dropped_because",
    within="booking",
    organization="booking__organization",
    called=_of_booking,
    page="booking_history",
    written={"dropped_because": _said},
)
AccessChange = tracked(
    Access,
    "host",
    "port",
    "username",
    "host_key_fingerprint",
    "note",
    "ready_at",
    within="booking",
    called=_of_booking,
    page="booking_history",
)
ApprovalChange = tracked(
    Approval,
    "organization",
    "reason",
    "status",
    "asked_at",
    "expires_at",
    "decided_at",
    "decided_by",
    "answer",
    within="booking",
    organization="organization",
    called=_of_booking,
    page="booking_history",
)
BudgetChange = tracked(
    Budget,
    "project",
    "member",
    "amount",
    "currency",
    "period",
    "created_by",
    "ended_at",
    within="organization",
    organization="organization",
)
