"""The price of a window: the cheapest mix of weeks, days and hours that covers it, checked against trying them all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.money import from_minor, minor_unit, rounded, to_minor
from machines.pricing import BestBundle, Hourly, Line, Mix, Rates, begun_hours, lines, mixes, quote

HOUR = timedelta(hours=1)
START = datetime(2000, 1, 1, tzinfo=UTC)

CENTS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0}


@st.composite
def rates(draw) -> Rates:
    """Any rates that a currency can express, sensible or not: a day may cost more than 24 hours."""
    currency = draw(st.sampled_from(sorted(CENTS)))
    amount = st.integers(1, 100_000).map(lambda units: from_minor(units, currency))
    return Rates(hour=draw(amount), day=draw(st.none() | amount), week=draw(st.none() | amount), currency=currency)


hours = st.integers(1, 24 * 40)


def cheapest_of_all(rates: Rates, hours: int) -> Decimal:
    """Try every number of weeks, days and hours that covers the window."""
    found = []
    for weeks in range(hours // 168 + 2 if rates.week is not None else 1):
        for days in range(max(0, hours - 168 * weeks) // 24 + 2 if rates.day is not None else 1):
            rest = max(0, hours - 168 * weeks - 24 * days)
            for number, rate in ((weeks, rates.week), (days, rates.day)):
                assert number == 0 or rate is not None
            found.append(
                rounded(weeks * (rates.week or Decimal(0)), rates.currency)
                + rounded(days * (rates.day or Decimal(0)), rates.currency)
                + rounded(rest * rates.hour, rates.currency)
            )
    return min(found)


def price(rates: Rates, hours: int) -> Decimal:
    return BestBundle().quote(rates, hours).total


# What holds for every price ---------------------------------------------------------------------------


@given(rates(), hours)
@settings(max_examples=300, deadline=None)
def test_the_price_is_the_cheapest_of_all_covers_to_the_cent(rates, hours):
    assert price(rates, hours) == cheapest_of_all(rates, hours)


@given(rates(), hours)
@settings(max_examples=200, deadline=None)
def test_the_price_is_never_above_the_hourly_rate(rates, hours):
    assert price(rates, hours) <= Hourly().quote(rates, hours).total == rates.hour * hours


@given(rates(), hours, st.integers(0, 24 * 40))
@settings(max_examples=200, deadline=None)
def test_a_longer_window_never_costs_less(rates, hours, more):
    assert price(rates, hours) <= price(rates, hours + more)


@given(rates(), hours)
@settings(max_examples=200, deadline=None)
def test_the_lines_cover_the_window_and_add_up_to_the_price(rates, hours):
    result = BestBundle().quote(rates, hours)
    size = {"week": 168, "day": 24, "hour": 1}
    assert sum(line.quantity * size[line.unit] for line in result.lines) >= hours
    assert sum(line.amount for line in result.lines) == result.total
    assert all(line.quantity > 0 for line in result.lines)
    assert all(line.amount == line.quantity * line.rate for line in result.lines)
    assert [line.unit for line in result.lines] == sorted(
        (line.unit for line in result.lines), key="week day hour".find
    )


@given(rates(), hours)
@settings(max_examples=100, deadline=None)
def test_the_price_can_be_charged_in_minor_units(rates, hours):
    total = price(rates, hours)
    assert from_minor(to_minor(total, rates.currency), rates.currency) == total


@given(hours)
@settings(deadline=None)
def test_every_mix_that_is_tried_covers_the_window(hours):
    for mix in mixes(hours):
        assert mix.weeks * 168 + mix.days * 24 + mix.hours >= hours


@given(st.integers(0, 60 * 24 * 30), st.integers(0, 59))
def test_a_begun_hour_counts_whole(minutes, seconds):
    length = timedelta(minutes=minutes, seconds=seconds)
    if not length:
        return
    counted = begun_hours(START, START + length)
    assert counted * HOUR >= length > (counted - 1) * HOUR


# Examples that a person can check ---------------------------------------------------------------------

SENSIBLE = Rates(Decimal("2.00"), Decimal("40.00"), Decimal("250.00"), "EUR")


@pytest.mark.parametrize(
    ("hours", "total", "mix"),
    [
        (1, "2.00", "1 hour"),
        (19, "38.00", "19 hour"),
        (20, "40.00", "20 hour"),  # a day would be as dear
        (21, "40.00", "1 day"),
        (24, "40.00", "1 day"),
        (25, "42.00", "1 day + 1 hour"),
        (24 * 6, "240.00", "6 day"),
        (24 * 6 + 5, "250.00", "1 week"),  # 6 days 5 hours would be as dear
        (24 * 6 + 6, "250.00", "1 week"),
        (168, "250.00", "1 week"),
        (169, "252.00", "1 week + 1 hour"),
        (168 + 24 * 3 + 2, "374.00", "1 week + 3 day + 2 hour"),
        (2 * 168 - 1, "500.00", "2 week"),
    ],
)
def test_sensible_rates(hours, total, mix):
    result = BestBundle().quote(SENSIBLE, hours)
    assert result.total == Decimal(total)
    said = " + ".join(f"{line.quantity} {line.unit}" for line in result.lines)
    assert said == mix


@pytest.mark.parametrize(
    ("day", "week", "hours", "total"),
    [
        (None, None, 24 * 10, "480.00"),
        (None, "250.00", 24 * 10, "394.00"),  # a week and 72 hours
        ("40.00", None, 24 * 10, "400.00"),
        ("60.00", None, 24, "48.00"),  # a day rate above 24 hours is of no use to anybody
        ("40.00", "500.00", 168, "280.00"),
        ("40.00", "1.00", 1, "1.00"),  # a week cheaper than an hour is what it is
    ],
)
def test_missing_and_odd_rates(day, week, hours, total):
    rates = Rates(Decimal("2.00"), day and Decimal(day), week and Decimal(week), "EUR")
    assert price(rates, hours) == Decimal(total)


def test_a_rate_that_is_not_offered_is_not_used():
    rates = Rates(Decimal("2.00"), None, None, "EUR")
    assert lines(rates, Mix(1, 0, 0)) is None
    assert lines(rates, Mix(0, 1, 0)) is None
    assert lines(rates, Mix(0, 0, 3)) == (Line("hour", 3, Decimal("2.00"), Decimal("6.00")),)


@pytest.mark.parametrize(
    ("length", "counted"),
    [
        (timedelta(minutes=1), 1),
        (timedelta(minutes=59), 1),
        (HOUR, 1),
        (HOUR + timedelta(minutes=1), 2),
        (24 * HOUR, 24),
        (24 * HOUR + timedelta(seconds=1), 25),
    ],
)
def test_begun_hours(length, counted):
    assert begun_hours(START, START + length) == counted


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_a_window_without_length_has_no_price(length):
    with pytest.raises(ValueError, match="ends after it starts"):
        quote(SENSIBLE, START, START + length)


def test_clocks_that_change_cost_nobody_an_hour():
    """Hours are counted in UTC, so the night on which clocks change is as long as it is."""
    assert quote(SENSIBLE, START, START + 3 * HOUR).hours == 3


def test_the_hourly_plan_counts_hours_alone():
    assert quote(SENSIBLE, START, START + 30 * HOUR, Hourly()).total == Decimal("60.00")


# Rounding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "result"),
    [
        ("1.005", "EUR", "1.00"),
        ("1.015", "EUR", "1.02"),
        ("2.775", "EUR", "2.78"),
        ("0.5", "JPY", "0"),
        ("1.5", "JPY", "2"),
        ("2.5", "JPY", "2"),
    ],
)
def test_amounts_are_rounded_half_to_even_to_the_minor_unit(amount, currency, result):
    assert rounded(Decimal(amount), currency) == Decimal(result)


def test_yen_have_no_cents():
    assert minor_unit("JPY") == 1
    assert to_minor(Decimal("900.00"), "JPY") == 900
    with pytest.raises(ValueError, match="finer than"):
        to_minor(Decimal("900.50"), "JPY")


def test_a_line_in_yen_is_rounded_once_at_its_end():
    """Three hours at 0.50 are 1.50, not three times zero."""
    rates = Rates(Decimal("0.50"), None, None, "JPY")
    assert price(rates, 3) == 2
