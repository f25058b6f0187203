"""Canceling: by the buyer, by the provider, or by the marketplace when a hold lapses or a machine is not delivered."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from bookings import events, mails
from bookings.errors import BookingError, NotYours, RefundChanged
from bookings.lifecycle import BookingStatus
from bookings.models import Approval, ApprovalStatus, Booking
from bookings.services.charges import drop_open
from bookings.services.history import move
from bookings.services.locks import locked, locked_if_idle
from bookings.terms import everything, refund_for
from common.formats import money
from machines.models import ReliabilityDebit
from machines.services.reliability import charge


class CancelReason(models.TextChoices):
    BUYER = "buyer", gettext_lazy("Canceled by the buyer")
    PROVIDER = "provider", gettext_lazy("Canceled by the provider")
    NOT_PAID = "not_paid", gettext_lazy("Canceled: not paid in time")
    NOT_APPROVED = "not_approved", gettext_lazy("Canceled: not approved in time")
    DECLINED = "declined", gettext_lazy("Canceled: not approved by the organization")
    NOT_DELIVERED = "not_delivered", gettext_lazy("Canceled: the machine could not be handed over")
    NOT_AS_BOOKED = "not_as_booked", gettext_lazy("Canceled by the buyer: the machine is not as booked")


@transaction.atomic
def cancel_booking(
    *, booking_id: UUID, by: User, now: datetime, note: str = "", expected_back: Decimal | None = None
) -> Booking:
    """Cancel before the start. Canceling twice is quiet. What comes back is :func:`bookings.terms.refund_for`.

    Args:
        expected_back: what the person was shown that comes back; anything else is refused rather than done.

    Raises:
        NotYours: the person is neither its buyer nor its provider.
        RefundChanged: it is no longer ``expected_back``.
        BookingError: it has started already.
    """
    booking = locked(booking_id)
    if by.pk == booking.buyer_id:
        reason = CancelReason.BUYER
    elif by.pk == booking.machine.provider_id:
        reason = CancelReason.PROVIDER
    else:
        raise NotYours(_("This booking is not yours."))
    if booking.is_canceled:
        return booking
    if booking.status != BookingStatus.PENDING:
        raise BookingError(_("This booking has started already. It can no longer be canceled."))
    back = refund_for(booking, by_provider=reason == CancelReason.PROVIDER, now=now).back
    check_shown(booking, back, expected_back)
    _cancel(booking, reason, by=by, now=now, note=note)
    return booking


def check_shown(booking: Booking, back: Decimal, expected: Decimal | None) -> None:
    """``expected``: what the person was shown that comes back, ``None`` if they were shown nothing.

    Raises:
        RefundChanged: it is no longer that.
    """
    if expected is not None and back != expected:
        raise RefundChanged(
            _("What comes back has changed meanwhile: %(after)s, not %(before)s. Look at it again, then decide.")
            % {"after": money(back, booking.currency), "before": money(expected, booking.currency)}
        )


@transaction.atomic
def cancel_lapsed_hold(*, booking_id: UUID, now: datetime) -> bool:
    """Give a window back that was not paid in time. Returns whether it was due."""
    booking = locked_if_idle(booking_id)
    if booking is None or not booking.is_hold or booking.hold_expires_at > now:
        return False
    reason = CancelReason.NOT_APPROVED if booking.awaits_approval else CancelReason.NOT_PAID
    _cancel(booking, reason, by=None, now=now)
    return True


@transaction.atomic
def cancel_undelivered(*, booking_id: UUID, now: datetime) -> bool:
    """End a paid booking whose whole window passed with the machine in quarantine. Returns whether it was due."""
    booking = locked_if_idle(booking_id)
    if booking is None or not booking.is_confirmed or booking.end > now:
        return False
    _cancel(booking, CancelReason.NOT_DELIVERED, by=None, now=now)
    return True


def cancel_declined(booking: Booking, *, by: User, now: datetime, note: str) -> None:
    """Its organization does not want it. The caller holds the row's lock and has seen that it is not paid."""
    _cancel(booking, CancelReason.DECLINED, by=by, now=now, note=note)


def cancel_not_as_booked(booking: Booking, *, by: User, now: datetime) -> None:
    """Everything comes back, whatever the terms say. The caller holds the row's lock and has seen that it has changed."""
    _cancel(booking, CancelReason.NOT_AS_BOOKED, by=by, now=now)


def _end_approval(booking: Booking, reason: CancelReason) -> None:
    """What was still to be decided is not any more. One that was declined says so already."""
    if booking.awaits_approval:
        status = ApprovalStatus.WITHDRAWN if reason == CancelReason.BUYER else ApprovalStatus.EXPIRED
        Approval.objects.filter(booking=booking, status=ApprovalStatus.WAITING).update(status=status)


def _cancel(booking: Booking, reason: CancelReason, *, by: User | None, now: datetime, note: str = "") -> None:
    if reason == CancelReason.NOT_AS_BOOKED:
        refund = everything(booking, gettext_lazy("The machine is not as it was booked: everything comes back."))
    else:
        by_provider = reason in (CancelReason.PROVIDER, CancelReason.NOT_DELIVERED)
        refund = refund_for(booking, by_provider=by_provider, now=now)
    booking.canceled_at = now
    _end_approval(booking, reason)
    drop_open(booking, reason.label, now=now)
    if reason == CancelReason.PROVIDER and booking.is_paid:
        charge(
            machine=booking.machine,
            reason=ReliabilityDebit.Reason.CANCELLATION,
            key=f"cancellation:{booking.pk}",
            minutes=settings.MARKETPLACE_CANCELLATION_DEBIT // timedelta(minutes=1),
            now=now,
        )
    move(
        booking, BookingStatus.CANCELED, reason.label, now=now, by=by, detail=note, also=("canceled_at", "price_total")
    )
    events.booking_canceled.send(Booking, booking=booking, refund=refund, reason=reason.value, by=by, now=now)
    mails.canceled(booking, refund, reason.label, note)
