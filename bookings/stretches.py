"""Stretches of days that somebody looks at, in UTC: this month, the last one, a quarter, a year, or their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

DAY = timedelta(days=1)
#: So many days at most.
LONGEST = 5 * 366


@dataclass(frozen=True)
class Stretch:
    """Whole days in UTC, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The moment after it."""
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC) + DAY

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


PERIODS = [
    ("month", gettext_lazy("This month")),
    ("last-month", gettext_lazy("Last month")),
    ("quarter", gettext_lazy("This quarter")),
    ("year", gettext_lazy("This year")),
    ("own", gettext_lazy("Own dates")),
]


class DayInput(forms.DateInput):
    """A browser's own field for a day, which takes nothing that is none."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")

    def format_value(self, value: Any) -> str | None:
        try:
            return date.fromisoformat(str(value)).isoformat() if value else None
        except ValueError:
            return None


class OwnDatesForm(forms.Form):
    """The first and the last day of a stretch."""

    first = forms.DateField(
        label=gettext_lazy("From"),
        widget=DayInput(),
        error_messages={"required": gettext_lazy("Say the first day, too.")},
    )
    last = forms.DateField(
        label=gettext_lazy("Until"),
        widget=DayInput(),
        error_messages={"required": gettext_lazy("Say the last day, too.")},
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        first, last = given.get("first"), given.get("last")
        if first is None or last is None:
            return given
        if last < first:
            self.add_error("last", gettext("The last day is before the first. Change one of them."))
        elif not 2000 <= first.year <= last.year <= 9000 or (last - first).days >= LONGEST:
            self.add_error("last", gettext("This can be five years at most. Choose a shorter time."))
        return given


def asked_for(query: Mapping[str, str], *, now: datetime) -> tuple[str, Stretch, OwnDatesForm]:
    """Which of :data:`PERIODS`, the days of it, and the form for other dates, filled in.

    What is left out or makes no sense is this month; the form says what was wrong with own dates.
    """
    period = query.get("period", "")
    period = period if period in dict(PERIODS) else "month"
    if period == "own":
        form = OwnDatesForm(query)
        if form.is_valid():
            return period, Stretch(**form.cleaned_data), form
        return period, _calendar("month", now=now), form
    stretch = _calendar(period, now=now)
    return period, stretch, OwnDatesForm(initial={"first": stretch.first, "last": stretch.last})


def _calendar(period: str, *, now: datetime) -> Stretch:
    """The whole month, quarter or year that ``now`` is in."""
    today = now.astimezone(UTC).date()
    month = today.replace(day=1)
    if period == "last-month":
        last = month - DAY
        return Stretch(last.replace(day=1), last)
    if period == "quarter":
        first = month.replace(month=(month.month - 1) // 3 * 3 + 1)
        return Stretch(first, _last_of((first + 70 * DAY).replace(day=1)))
    if period == "year":
        return Stretch(month.replace(month=1), month.replace(month=12, day=31))
    return Stretch(month, _last_of(month))


def _last_of(month: date) -> date:
    return (month + 32 * DAY).replace(day=1) - DAY
