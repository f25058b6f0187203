"""What billing does about bookings' announcements. Runs inside the announcing transaction: it only writes rows."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import User
from billing.models import Payment, RefundReason
from billing.services import postings
from billing.services.refunds import refund_booking, request_refund
from bookings.models import Booking, Charge
from bookings.terms import Refund

REASONS = {
    "buyer": RefundReason.CANCELED_BY_BUYER,
    "provider": RefundReason.CANCELED_BY_PROVIDER,
    "not_delivered": RefundReason.NOT_DELIVERED,
    "not_as_booked": RefundReason.NOT_AS_BOOKED,
}


def refund_canceled(
    sender: Any, *, booking: Booking, refund: Refund, reason: str, by: User | None, now: datetime, **_: Any
) -> None:
    """Owe the buyer what the terms give back."""
    if refund.back > 0:
        refund_booking(booking=booking, amount=refund.back, reason=REASONS[reason], by=by, now=now)


def refund_undelivered(sender: Any, *, booking: Booking, now: datetime, **_: Any) -> None:
    """Owe the buyer everything that has not gone back yet."""
    if booking.lost_amount > 0:
        reason = RefundReason.NOT_DELIVERED
        refund_booking(booking=booking, amount=booking.lost_amount, reason=reason, by=None, now=now)


def refund_ended_early(
    sender: Any, *, booking: Booking, amount: Decimal, by: User | None, now: datetime, **_: Any
) -> None:
    """Owe the buyer what the terms give back for the time that was left."""
    if amount > 0:
        refund_booking(booking=booking, amount=amount, reason=RefundReason.ENDED_EARLY, by=by, now=now)


def refund_cut(sender: Any, *, booking: Booking, charges: list[Charge], now: datetime, **_: Any) -> Decimal:
    """Owe the buyer what was paid for time after the stage that was not. Returns how much.

    Of each charge what its own payment still has earned: what has gone back of it before does not go back of another.
    """
    back = Decimal(0)
    rows = Payment.objects.paid().filter(charge__in=charges).order_by("-paid_at", "pk").select_for_update(of=("self",))
    for payment in list(rows.prefetch_related("refunds", "chargebacks")):
        part = min(payment.refundable, postings.earned_of(payment))
        if part > 0:
            request_refund(payment=payment, amount=part, reason=RefundReason.STAGE_NOT_PAID, by=None, now=now)
            back += part
    # They are no part of the price any more, and what went back of them before is none of what went back of it.
    postings.keep_given_back(booking)
    return back


def refund_lost_time(
    sender: Any, *, booking: Booking, amount: Decimal, reason: str, by: User | None, now: datetime, **_: Any
) -> None:
    """Owe the buyer what was lost; what has been given back before counts, so it is never more than was paid."""
    if amount > 0:
        refund_booking(
            booking=booking, amount=amount, reason=REASONS.get(reason, RefundReason.TIME_LOST), by=by, now=now
        )
