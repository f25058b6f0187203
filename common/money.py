"""Money: currencies, their minor units, rounding, minor-unit integers for the payment processor."""

from decimal import ROUND_HALF_EVEN, Decimal

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
