"""Leaving a machine that is not as booked, with a full refund (rules: What)."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import events, mails
from bookings.errors import BookingError, NotYours
from bookings.models import Booking
from bookings.services.cancel import cancel_not_as_booked, check_shown
from bookings.services.charges import drop_open, paid_minutes
from bookings.services.history import note
from bookings.services.locks import locked
from bookings.services.mismatch import Difference, differences_by_now
from bookings.terms import earliest_end
from common.formats import money
from common.languages import said_later


def differences(booking: Booking) -> list[Difference]:
    """What lets the buyer leave: what was found at hand-over or, before the start, what is known by now."""
    return booking.mismatch or (differences_by_now(booking) if booking.is_confirmed else [])


def can_leave(booking: Booking, *, now: datetime) -> bool:
    """Whether :func:`leave_mismatched` would do it."""
    is_inside = booking.is_active and booking.wipe_opened_at is None and booking.end > now
    return (booking.is_confirmed or is_inside) and booking.settled_at is None and bool(differences(booking))


@transaction.atomic
def leave_mismatched(*, booking_id: UUID, by: User, now: datetime, expected_back: Decimal | None = None) -> Booking:
    """Leave a machine that is not as booked: all that was paid comes back. Leaving twice is quiet.

    Before the start the booking is canceled. One that runs ends at the next whole minute; the ordinary sweep ends the
    access then and has the machine erased.

    Args:
        expected_back: what the buyer was shown that comes back; anything else is refused rather than done.

    Raises:
        NotYours: the person is not its buyer.
        RefundChanged: it is no longer ``expected_back``.
        BookingError: the machine is as booked, or the booking is over.
    """
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours(_("This booking is not yours."))
    if booking.left_at is not None:
        return booking
    if not can_leave(booking, now=now):
        raise BookingError(
            _("This booking is over, or the machine is as it was booked: it cannot be left with a full refund.")
        )
    check_shown(booking, booking.kept_so_far, expected_back)
    if booking.is_confirmed:
        booking.mismatch, booking.left_at = differences(booking), now
        booking.save(update_fields=["mismatch", "left_at"])
        cancel_not_as_booked(booking, by=by, now=now)
        return booking
    _end_now(booking, now=now)
    note(
        booking,
        "Left: the machine is not as booked",
        now=now,
        by=by,
        detail=said_later(lambda: f"{_lost(booking)} comes back.") if booking.lost_amount else "",
    )
    events.booking_time_lost.send(
        Booking, booking=booking, amount=booking.lost_amount, reason="not_as_booked", by=by, now=now
    )
    mails.left(booking)
    return booking


def _end_now(booking: Booking, *, now: datetime) -> None:
    drop_open(booking, "Left: the machine is not as booked", now=now)
    early = booking.end - earliest_end(booking, now=now)
    booking.end -= early
    booking.blocked_until -= early
    if booking.booked_end is not None:
        booking.booked_end -= early
    booking.paid_minutes = paid_minutes(booking)
    booking.left_at = booking.settled_at = now
    booking.lost_amount = booking.kept_so_far
    fields = ["end", "blocked_until", "booked_end", "paid_minutes", "price_total"]
    booking.save(update_fields=[*fields, "left_at", "settled_at", "lost_amount"])


def _lost(booking: Booking) -> str:
    return money(booking.lost_amount, booking.currency)
