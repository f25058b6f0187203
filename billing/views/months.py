"""Months in addresses: ``2026-11``, of this millennium, so that each has one before and one after it."""

from datetime import date


class MonthConverter:
    """Its first day."""

    regex = r"2[0-9]{3}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date) -> str:
        return value.isoformat()[:7]
