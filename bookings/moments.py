"""Moments that are typed into forms and stand in addresses.

An address is shared, opened after signing in, and opened on a first visit, when nobody has said yet where the reader
is. So whatever we write into one carries its distance from UTC: ``2026-11-21T01:00:00+01:00``. What a person types
into a ``datetime-local`` box cannot: beside it stands ``tz``, the zone that the form was written in, and it is read
in that one. In a search, which is sent by GET, ``tz`` is part of the address, and the address means the same to
everybody.
"""

import re
import zoneinfo
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

#: A “+” that somebody's mail program took for the blank that it stands for in an address.
LOST_PLUS = re.compile(r"(:\d\d) (\d\d:?\d\d)$")


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def zone_named(name: Any) -> tzinfo | None:
    """The zone of that name; ``None`` if there is none."""
    return zoneinfo.ZoneInfo(name) if isinstance(name, str) and name in _zones() else None


def zone_name(zone: tzinfo) -> str:
    """``Europe/Berlin``, as :func:`zone_named` reads it."""
    return getattr(zone, "key", "UTC")


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """What a clock in the zone shows, read as a moment. Of an hour that comes twice, the first.

    Raises:
        ValidationError: clocks go forward over it.
    """
    first, second = (zone.utcoffset(moment.replace(fold=fold, tzinfo=None)) for fold in (0, 1))
    if first is not None and second is not None and first < second:
        raise ValidationError(
            gettext("There is no %(time)s on that day in %(zone)s: clocks go forward over it. Choose another time.")
            % {"time": f"{moment:%H:%M}", "zone": zone_name(zone)},
            code="nonexistent",
        )
    return moment.replace(tzinfo=zone, fold=0)


class LocalDateTimeInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"step": 60}, format="%Y-%m-%dT%H:%M")


class MomentField(forms.DateTimeField):
    """ISO 8601. With an offset it means that; without, what a clock in ``typed_in`` shows. Drawn for ``shown_in``."""

    widget = LocalDateTimeInput
    typed_in: tzinfo | None = None
    shown_in: tzinfo | None = None

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        moment = value if isinstance(value, datetime) else self._parsed(str(value).strip())
        return in_zone(moment, self.typed_in or timezone.get_current_timezone()) if moment.tzinfo is None else moment

    def _parsed(self, value: str) -> datetime:
        try:
            moment = parse_datetime(LOST_PLUS.sub(r"\1+\2", value))
        except ValueError:
            moment = None
        if moment is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return moment

    def prepare_value(self, value: Any) -> Any:
        """For the box; what cannot be read stays as it was typed."""
        try:
            moment = self.to_python(value)
            local = moment.astimezone(self.shown_in or timezone.get_current_timezone()) if moment else None
        except (ValidationError, OverflowError):
            return value
        return local.replace(tzinfo=None).isoformat(timespec="minutes") if local else value


class MomentsForm(forms.Form):
    """A form with :class:`MomentField`. Its template includes ``bookings/_zone.html``, which sends ``tz`` along."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reader = timezone.get_current_timezone()
        self._typed_in = zone_named(self.data.get("tz")) or reader
        for field in self._moments().values():
            field.typed_in = self._typed_in
        # A box cannot say which of an hour that comes twice it means. UTC has no such hour.
        self._shown_in = UTC if any(_comes_again(moment, reader) for moment in self._asked()) else reader
        for field in self._moments().values():
            field.shown_in = self._shown_in

    @property
    def zone_name(self) -> str:
        """The zone in which the boxes are drawn."""
        return zone_name(self._shown_in)

    def as_query(self) -> dict[str, str]:
        """What was typed, so that it means the same to whoever reads it."""
        query = {}
        for name, field in self._moments().items():
            typed = str(self.data.get(name, ""))
            moment = _read(field, typed)
            query[name] = moment.isoformat() if moment else typed
            if not moment:  # nobody can read it, but it is kept as it was meant
                query["tz"] = zone_name(self._typed_in)
        return query

    def _moments(self) -> dict[str, MomentField]:
        return {name: field for name, field in self.fields.items() if isinstance(field, MomentField)}

    def _asked(self) -> list[datetime]:
        """The moments that the boxes are going to show."""
        values = (
            self.data.get(name) if self.is_bound else self.get_initial_for_field(field, name)
            for name, field in self._moments().items()
        )
        return [
            moment
            for field, value in zip(self._moments().values(), values, strict=True)
            if (moment := _read(field, value))
        ]


def _read(field: MomentField, value: Any) -> datetime | None:
    try:
        return field.to_python(value)
    except ValidationError:
        return None


def _comes_again(moment: datetime, zone: tzinfo) -> bool:
    try:
        return bool(moment.astimezone(UTC).astimezone(zone).fold)
    except OverflowError:
        return False
