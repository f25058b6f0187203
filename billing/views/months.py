"""Months in addresses: ``2026-11``."""

from datetime import date


class MonthConverter:
    """Its first day."""

    regex = r"[0-9]{4}-(?:0[1-9]|1[0-2])"

    def to_python(self, value: str) -> date:
        """
        Raises:
            ValueError: there is no such year.
        """
        return date.fromisoformat(f"{value}-01")

    def to_url(self, value: date) -> str:
        return value.isoformat()[:7]
