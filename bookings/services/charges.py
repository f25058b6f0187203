"""What is to be paid for a booking, part by part: made at the request, set paid, dropped when not needed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django_stubs_ext import StrOrPromise

from bookings.models import Booking, Charge, ChargeKind, ChargeStatus
from common.languages import in_english
from common.money import rounded

MINUTE = timedelta(minutes=1)


class Confirmation(models.TextChoices):
    """What became of a payment that arrived."""

    CONFIRMED = "confirmed", "What it pays for is confirmed."
    TOO_LATE = "too_late", "What it was to pay for is not to be had any more."
    ALREADY_PAID = "already_paid", "It was paid before."


def make_charges(booking: Booking) -> list[Charge]:
    """The first charge of a booking that was just asked for, and a stage for each further 28 days (rules: Money).

    In the caller's transaction.
    """
    parts = list(_stages(booking.start, booking.end))
    amounts = _in_proportion(booking.price_total, parts, booking.currency)
    charges = []
    for number, ((covers_from, covers_until), amount) in enumerate(zip(parts, amounts, strict=True), start=1):
        is_first = number == 1
        charges.append(
            Charge(
                booking=booking,
                number=number,
                kind=ChargeKind.BOOKING if is_first else ChargeKind.STAGE,
                covers_from=covers_from,
                covers_until=covers_until,
                amount=amount,
                currency=booking.currency,
                quote_lines=booking.quote_lines if is_first else [],
                created_at=booking.created_at,
                due_at=booking.created_at if is_first else covers_from - settings.MARKETPLACE_STAGE_LEAD,
            )
        )
    return Charge.objects.bulk_create(charges)


def stages_of(start: datetime, end: datetime, total: Decimal, currency: str) -> list[tuple[datetime, Decimal]]:
    """When a window's stages are charged and how much, for those who want to know before they book.

    The first is due at once: its moment is ``start``.
    """
    parts = list(_stages(start, end))
    amounts = _in_proportion(total, parts, currency)
    due = [start, *(covers_from - settings.MARKETPLACE_STAGE_LEAD for covers_from, _ in parts[1:])]
    return list(zip(due, amounts, strict=True))


def _stages(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    at = start
    while at < end:
        until = min(at + settings.MARKETPLACE_STAGE, end)
        yield at, until
        at = until


def _in_proportion(total: Decimal, parts: list[tuple[datetime, datetime]], currency: str) -> list[Decimal]:
    """The total by the length of the parts, each rounded once; the last takes what is left."""
    whole = (parts[-1][1] - parts[0][0]) // MINUTE
    amounts = [rounded(total * ((until - since) // MINUTE) / whole, currency) for since, until in parts[:-1]]
    return [*amounts, total - sum(amounts, Decimal(0))]


def set_paid(charge: Charge, *, now: datetime) -> None:
    """In the caller's transaction, with the booking's row locked."""
    charge.status, charge.paid_at = ChargeStatus.PAID, now
    charge.save(update_fields=["status", "paid_at"])


@in_english()
def drop(charge: Charge, because: StrOrPromise, *, now: datetime) -> None:
    """It is not to be paid any more. In the caller's transaction, with the booking's row locked."""
    charge.status, charge.dropped_at, charge.dropped_because = ChargeStatus.DROPPED, now, str(because)[:200]
    charge.save(update_fields=["status", "dropped_at", "dropped_because"])


def paid_minutes(booking: Booking) -> int | None:
    """How much time has been paid for; ``None``: that between its ends. Asked when these have moved."""
    paid = sum((charge.length for charge in booking.charges.paid()), timedelta(0))
    return paid // MINUTE if paid and paid != booking.booked_until - booking.start else None


def drop_extension(booking: Booking, because: StrOrPromise, *, now: datetime) -> Charge | None:
    """Drop the extension that is not paid, if there is one, and give back the time that is held for it.

    Whoever changes a booking's end does this first. In the caller's transaction, with the booking's row locked.
    """
    charge = booking.charges.open().filter(kind=ChargeKind.EXTENSION).select_for_update(of=("self",)).first()
    if charge is not None:
        drop(charge, because, now=now)
        booking.blocked_until -= charge.length
        booking.save(update_fields=["blocked_until"])
    return charge


def drop_open(booking: Booking, because: StrOrPromise, *, now: datetime) -> Decimal:
    """Drop all that is not paid, and return how much that takes off the price.

    The caller holds the booking's row and saves ``price_total``, which this lowers by the stages it drops. An open
    extension was never in the price; the time that is held for it is given back.
    """
    drop_extension(booking, because, now=now)
    off = Decimal(0)
    for charge in booking.charges.open().select_for_update(of=("self",)):
        drop(charge, because, now=now)
        if charge.kind == ChargeKind.STAGE:
            off += charge.amount
    booking.price_total -= off
    return off
