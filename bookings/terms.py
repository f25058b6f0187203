"""What comes back when a booking is canceled: the terms that were frozen into it, read by code and pages alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from bookings.models import Booking
from common.money import rounded


@dataclass(frozen=True)
class Refund:
    """What a cancellation gives back, and why, line by line.

    ``share`` is the part of the price, 0 to 1; ``back`` and ``kept`` are amounts in ``currency`` that add up
    to the price.
    """

    price: Decimal
    share: Decimal
    back: Decimal
    kept: Decimal
    currency: str
    because: str


def _kept_waiting(booking: Booking, *, now: datetime) -> bool:
    """Whether its time has come and the machine has not: it is in quarantine, or the start is overdue.

    The few seconds between a start and the sweep that notices it are no reason to give everything back.
    """
    if now < booking.start:
        return False
    overdue = now >= booking.start + settings.MARKETPLACE_LATE_START
    return overdue or Booking.objects.kept_waiting(now=now).filter(pk=booking.pk).exists()


def share_by_terms(terms: str, *, before_start: timedelta) -> Decimal:
    """The share of the price that a buyer gets back who cancels ``before_start`` (rules: When, cancellation terms)."""
    for at_least, share in settings.MARKETPLACE_CANCELLATION[terms]:
        if before_start >= at_least:
            return Decimal(share)
    return Decimal(0)


def refund_for(booking: Booking, *, by_provider: bool, now: datetime) -> Refund:
    """What canceling the booking now gives back. Changes nothing."""
    price = booking.price_total if booking.is_paid else Decimal(0)
    if not booking.is_paid:
        share, because = Decimal(0), "Nothing has been paid."
    elif by_provider:
        share, because = Decimal(1), "The provider cancels: everything comes back."
    elif _kept_waiting(booking, now=now):
        share, because = Decimal(1), "The machine was not handed over in time: everything comes back."
    else:
        share = share_by_terms(booking.cancellation_terms, before_start=booking.start - now)
        because = f"{booking.get_cancellation_terms_display()} terms: " + sentence(booking.cancellation_terms)
    back = rounded(price * share, booking.currency)
    return Refund(price, share, back, price - back, booking.currency, because)


def sentence(terms: str) -> str:
    """The terms in words, made from the same numbers as :func:`share_by_terms`."""
    parts = [
        f"{_share_words(Decimal(share))} until {_span_words(at_least)}"
        for at_least, share in settings.MARKETPLACE_CANCELLATION[terms]
    ]
    rest = "" if settings.MARKETPLACE_CANCELLATION[terms][-1][0] <= timedelta(0) else ", nothing after that"
    return ", ".join(parts) + rest + "."


def deadline(terms: str, *, start: datetime) -> datetime | None:
    """Until when everything comes back, or ``None`` if never."""
    for at_least, share in settings.MARKETPLACE_CANCELLATION[terms]:
        if Decimal(share) == 1:
            return start - at_least
    return None


def _share_words(share: Decimal) -> str:
    return {Decimal("1"): "full refund", Decimal("0.5"): "half back"}.get(share, f"{share:.0%} back")


def _span_words(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    if hours <= 0:
        return "the start"
    if hours % 24 == 0 and hours > 24:
        return f"{hours // 24} days before the start"
    return f"{hours} hour{'s' if hours != 1 else ''} before the start"
