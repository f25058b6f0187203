"""What comes back when a booking is canceled: the terms that were frozen into it, read by code and pages alike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from bookings.models import Booking
from common.money import rounded


@dataclass(frozen=True)
class Terms:
    """Steps of ``(time left before the start, share of the price that comes back)``; the first that fits counts."""

    steps: tuple[tuple[timedelta, Decimal], ...]

    def share(self, *, before_start: timedelta) -> Decimal:
        """The share of the price, 0 to 1, that a buyer gets back who cancels ``before_start``."""
        return next((share for at_least, share in self.steps if before_start >= at_least), Decimal(0))

    def full_until(self, start: datetime) -> datetime | None:
        """Until when everything comes back, or ``None`` if never."""
        return next((start - at_least for at_least, share in self.steps if share == 1), None)

    @property
    def sentence(self) -> str:
        """In words, from the same numbers."""
        parts = [f"{_share_words(share)} until {_span_words(at_least)}" for at_least, share in self.steps]
        rest = ", nothing after that" if self.steps[-1][0] > timedelta(0) else ""
        return ", ".join(parts) + rest + "."

    def frozen(self) -> list[list[str | float]]:
        """As a booking keeps them: seconds and shares."""
        return [[at_least.total_seconds(), str(share)] for at_least, share in self.steps]


def current(name: str) -> Terms:
    """What terms of this name mean today (``settings.MARKETPLACE_CANCELLATION``; rules: When)."""
    return Terms(tuple((at_least, Decimal(share)) for at_least, share in settings.MARKETPLACE_CANCELLATION[name]))


def frozen_into(booking: Booking) -> Terms:
    """What the booking's terms meant when it was asked for: later changes of the settings do not touch it."""
    return Terms(tuple((timedelta(seconds=seconds), Decimal(share)) for seconds, share in booking.refund_steps))


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


def is_overdue(booking: Booking, *, now: datetime) -> bool:
    """Whether its time has come and the machine has not: it is in quarantine, or the start is overdue.

    The few seconds between a start and the sweep that notices it are no reason to give everything back.
    """
    if now < booking.start:
        return False
    overdue = now >= booking.start + settings.MARKETPLACE_LATE_START
    return overdue or Booking.objects.kept_waiting(now=now).filter(pk=booking.pk).exists()


def refund_for(booking: Booking, *, by_provider: bool, now: datetime) -> Refund:
    """What canceling the booking now gives back. Changes nothing."""
    price = booking.price_total if booking.is_paid else Decimal(0)
    if not booking.is_paid:
        share, because = Decimal(0), "Nothing has been paid."
    elif by_provider:
        share, because = Decimal(1), "The provider cancels: everything comes back."
    elif is_overdue(booking, now=now):
        share, because = Decimal(1), "The machine was not handed over in time: everything comes back."
    else:
        terms = frozen_into(booking)
        share = terms.share(before_start=booking.start - now)
        because = f"{booking.get_cancellation_terms_display()} terms: {terms.sentence}"
    back = rounded(price * share, booking.currency)
    return Refund(price, share, back, price - back, booking.currency, because)


def everything(booking: Booking, because: str) -> Refund:
    """The whole price, for a reason that no terms change."""
    return Refund(booking.price_total, Decimal(1), booking.price_total, Decimal(0), booking.currency, because)


def _share_words(share: Decimal) -> str:
    return {Decimal("1"): "full refund", Decimal("0.5"): "half back"}.get(share, f"{share:.0%} back")


def _span_words(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    if hours <= 0:
        return "the start"
    if hours % 24 == 0 and hours > 24:
        return f"{hours // 24} days before the start"
    return f"{hours} hour{'s' if hours != 1 else ''} before the start"
