"""The calendar of subscriptions: months that keep their day, and parts of a period."""

import calendar
from datetime import UTC, datetime, timedelta

HOUR = 3600
DAY = 24 * HOUR


def after(start: int, interval: str, count: int = 1) -> int:
    """The moment ``count`` intervals after ``start``; a month that lacks the day ends with its last."""
    at = datetime.fromtimestamp(start, UTC)
    if interval in ("day", "week"):
        return int((at + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = at.month - 1 + count * (12 if interval == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    return int(at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1])).timestamp())


def nth(anchor: int, interval: str, count: int, number: int) -> int:
    """The end of the ``number``-th period since ``anchor``: from 31 January it goes to 28 February and 31 March."""
    return after(anchor, interval, count * number)


def share(amount: int, start: int, end: int, at: int) -> int:
    """What of an amount for a period falls on the time from ``at`` on, to the second."""
    return round(amount * (end - at) / (end - start))
