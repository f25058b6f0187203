"""Money: currencies, their minor units, rounding, minor-unit integers for the payment processor."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import floor

from babel.numbers import get_currency_precision
from django.db import models


class Currency(models.TextChoices):
    EUR = "EUR", "EUR"
    USD = "USD", "USD"
    GBP = "GBP", "GBP"
    JPY = "JPY", "JPY"


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: ``Decimal("0.01")`` for EUR, ``Decimal("1")`` for JPY (CLDR)."""
    return Decimal(1).scaleb(-get_currency_precision(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """``amount`` to the currency's minor unit, half to even (rules: once, at the end of each line)."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_EVEN)


def to_minor(amount: Decimal, currency: str) -> int:
    """``amount`` as a number of minor units, as Stripe wants it.

    Raises:
        ValueError: the amount is finer than the currency's minor unit.
    """
    units = amount / minor_unit(currency)
    if units != units.to_integral_value():
        raise ValueError(f"{amount} {currency} is finer than the currency's minor unit")
    return int(units)


def from_minor(units: int, currency: str) -> Decimal:
    """The inverse of :func:`to_minor`."""
    return (Decimal(units) * minor_unit(currency)).quantize(minor_unit(currency))


def shared_out(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """``total`` in parts that go by the weights and add up to it exactly, each in whole minor units.

    What rounding down leaves over goes to the largest remainders, one minor unit each; of equal ones to the first.

    Args:
        weights: not negative, and not all zero.

    Raises:
        ValueError: there is nothing to go by, or the total is finer than the currency's minor unit.
    """
    units, whole = to_minor(total, currency), sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError("An amount is shared out by weights of which one at least is more than zero, and none less")
    exact = [Fraction(weight) * units / Fraction(whole) for weight in weights]
    parts = [floor(share) for share in exact]
    largest = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in largest[: units - sum(parts)]:
        parts[place] += 1
    return [from_minor(part, currency) for part in parts]
