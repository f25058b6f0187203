"""Keeping a part of what a booking has earned back for now: what is in dispute, or what a person looks into."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import Notification, User
from accounts.services.notifications import notify
from accounts.services.roles import require_administrator
from billing.errors import PaymentError
from billing.models import PayoutHold
from billing.services.payouts import lock_earnings
from bookings.models import Booking
from common.formats import money
from common.money import rounded

EARNINGS = "/machines/earnings/"


@transaction.atomic
def place_hold(*, booking: Booking, amount: Decimal | None, reason: str, by: User | None, now: datetime) -> PayoutHold:
    """Pay out that much less of the booking until it is released. What is in a payout already is not stopped.

    Args:
        amount: in the booking's currency, without tax; ``None``: all of it.
        by: ``None``: the marketplace itself.

    Raises:
        PaymentError: the amount is none, or there is no reason.
    """
    if by is not None:
        require_administrator(by)
    if not reason.strip():
        raise PaymentError("Say why it is held: the provider reads it.", field="reason")
    if amount is not None and (amount <= 0 or rounded(amount, booking.currency) != amount):
        raise PaymentError(f"An amount of {booking.currency} above zero, or nothing for all of it.", field="amount")
    lock_earnings(booking.machine.provider_id, booking.currency)
    hold = PayoutHold.objects.create(
        booking=booking, amount=amount, reason=reason.strip()[:300], placed_at=now, placed_by=by
    )
    part = "What it earned" if amount is None else f"{money(amount, booking.currency)} of what it earned"
    notify(
        user=booking.machine.provider,
        key=f"hold:{hold.pk}",
        title=f"Held: booking {booking.reference}",
        text=f"{part} is not paid out for now. {hold.reason}",
        link=EARNINGS,
        tone=Notification.Tone.WARN,
        now=now,
    )
    return hold


@transaction.atomic
def release_hold(*, hold: PayoutHold, reason: str, by: User, now: datetime) -> PayoutHold:
    """Let it go with the next payout.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: it was released before, or there is no reason.
    """
    require_administrator(by)
    if not reason.strip():
        raise PaymentError("Say why it is released.", field="reason")
    row = (
        PayoutHold.objects.select_for_update(of=("self",)).select_related("booking__machine__provider").get(pk=hold.pk)
    )
    if row.released_at is not None:
        raise PaymentError("It was released already.")
    row.released_at, row.released_by, row.released_because = now, by, reason.strip()[:300]
    row.save(update_fields=["released_at", "released_by", "released_because"])
    notify(
        user=row.booking.machine.provider,
        key=f"hold-released:{row.pk}",
        title=f"No longer held: booking {row.booking.reference}",
        text="It goes with the next payout.",
        link=EARNINGS,
        tone=Notification.Tone.GOOD,
        now=now,
    )
    return row
