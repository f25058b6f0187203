"""Price plans (Strategy): what a window costs.

A plan turns rates and a number of begun hours into a :class:`Quote`. *Best bundle* is the default: the
cheapest mix of weeks, days and hours that covers the window. Because a mix only has to *cover* it, a longer
window can never cost less than a shorter one, and because hours alone are one of the mixes, it never costs
more than the hourly rate. (rules: Money, price plans)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from common.money import rounded

HOUR = timedelta(hours=1)
HOURS_A_DAY = 24
HOURS_A_WEEK = 168


@dataclass(frozen=True)
class Rates:
    """What a listing asks for an hour, a day (24 h), a week (168 h). ``None``: not offered."""

    hour: Decimal
    day: Decimal | None
    week: Decimal | None
    currency: str

    def frozen(self) -> dict[str, str | None]:
        """As bookings keep them."""
        return {
            "hour": str(self.hour),
            "day": None if self.day is None else str(self.day),
            "week": None if self.week is None else str(self.week),
        }


@dataclass(frozen=True)
class Mix:
    """So many weeks, days and hours."""

    weeks: int
    days: int
    hours: int


@dataclass(frozen=True)
class Line:
    """One line of a quote: ``quantity`` units of ``unit`` ("hour", "day", "week") at ``rate``, rounded once."""

    unit: str
    quantity: int
    rate: Decimal
    amount: Decimal

    def frozen(self) -> dict[str, str | int]:
        """As bookings keep it."""
        return {"unit": self.unit, "quantity": self.quantity, "rate": str(self.rate), "amount": str(self.amount)}


@dataclass(frozen=True)
class Quote:
    """What a window costs, line by line. ``hours`` are the begun hours it was counted with."""

    hours: int
    currency: str
    lines: tuple[Line, ...]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))


class PricePlan(Protocol):
    def quote(self, rates: Rates, hours: int) -> Quote: ...


def begun_hours(start: datetime, end: datetime) -> int:
    """The hours of ``[start, end)``, a begun one counted whole.

    Raises:
        ValueError: the end is not after the start.
    """
    if end <= start:
        raise ValueError("a window ends after it starts")
    return -((start - end) // HOUR)


def mixes(hours: int) -> Iterator[Mix]:
    """Every mix of weeks, days and hours that can be the cheapest cover of ``hours``.

    For a fixed number of weeks the price is linear in the number of days, between none and all the whole
    days that fit, so only those two ends and one day more (covering the rest) can be cheapest.
    """
    for weeks in range(-(-hours // HOURS_A_WEEK) + 1):
        rest = max(0, hours - weeks * HOURS_A_WEEK)
        whole_days, spare = divmod(rest, HOURS_A_DAY)
        yield Mix(weeks, 0, rest)
        if whole_days:
            yield Mix(weeks, whole_days, spare)
        if spare:
            yield Mix(weeks, whole_days + 1, 0)


def lines(rates: Rates, mix: Mix) -> tuple[Line, ...] | None:
    """The lines of a mix, or ``None`` if it needs a rate that is not offered."""
    result = []
    for unit, quantity, rate in (
        ("week", mix.weeks, rates.week),
        ("day", mix.days, rates.day),
        ("hour", mix.hours, rates.hour),
    ):
        if quantity and rate is None:
            return None
        if quantity and rate is not None:
            result.append(Line(unit, quantity, rate, rounded(quantity * rate, rates.currency)))
    return tuple(result)


class BestBundle:
    """The cheapest mix of weeks, days and hours that covers the window."""

    def quote(self, rates: Rates, hours: int) -> Quote:
        offers = (
            Quote(hours, rates.currency, offered) for mix in mixes(hours) if (offered := lines(rates, mix)) is not None
        )
        # Among equals the one with the fewest lines: it is the easiest to read.
        return min(offers, key=lambda quote: (quote.total, len(quote.lines)))


class Hourly:
    """Hours alone."""

    def quote(self, rates: Rates, hours: int) -> Quote:
        return Quote(hours, rates.currency, lines(rates, Mix(0, 0, hours)) or ())


def quote(rates: Rates, start: datetime, end: datetime, plan: PricePlan | None = None) -> Quote:
    """The quote for ``[start, end)``.

    Raises:
        ValueError: the end is not after the start.
    """
    return (plan or BestBundle()).quote(rates, begun_hours(start, end))
