"""A booking is paid. Called by billing, which has recorded the money first."""

from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from bookings import mails
from bookings.services.history import note
from bookings.services.locks import locked


class Confirmation(models.TextChoices):
    """What became of a payment that arrived."""

    CONFIRMED = "confirmed", "The booking is confirmed."
    TOO_LATE = "too_late", "The hold had lapsed."
    ALREADY_PAID = "already_paid", "It was paid before."


@transaction.atomic
def confirm_paid(*, booking_id: UUID, now: datetime) -> Confirmation:
    """Confirm a held booking. What does not fit is said, not raised: the money has arrived either way.

    A hold past its time that no sweep has canceled yet still has its window, so it is confirmed.
    """
    booking = locked(booking_id)
    if booking.is_paid:
        return Confirmation.ALREADY_PAID
    if not booking.is_hold:
        return Confirmation.TOO_LATE
    booking.paid_at = now
    booking.save(update_fields=["paid_at"])
    note(booking, "Paid and confirmed", now=now, by=booking.buyer)
    mails.confirmed(booking)
    return Confirmation.CONFIRMED
