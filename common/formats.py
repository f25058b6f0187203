"""How numbers, money and times are written: one way, on every page, in every mail and in every file.

Plain functions; :mod:`common.templatetags.formats` makes filters of them. Each takes ``None`` and writes an en
dash for it. Names of days follow the active language (CLDR, through Babel), times the active time zone, and money
and numbers the reader's region, too: in English ``€1,236.00`` in the United States is ``1.236,00 €`` in Germany. A
number and its unit are held together by a no-break space.

A page writes hundreds of them, most of them as the page before did. So what was written is remembered, by
everything that it depends on: the value, the language, for numbers the region and, for moments, :class:`Here`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_currency, format_decimal
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header

NOTHING = "–"
NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
REMEMBERED = 8192

#: Units of time as CLDR calls them, and their seconds.
UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], int], ...] = (
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def language() -> str:
    return get_language() or "en"


_region: ContextVar[str] = ContextVar("region", default="")


def region() -> str:
    """The country whose way of writing numbers is used (ISO 3166, ``DE``); empty: the language's own."""
    return _region.get()


@contextmanager
def in_region(country: str) -> Iterator[None]:
    """Write numbers and money as in this country, until the block ends; empty: as the language does by itself."""
    token = _region.set(country.upper())
    try:
        yield
    finally:
        _region.reset(token)


def region_of(accept_language: str) -> str:
    """The first region in a browser's ``Accept-Language``: ``de-CH,de;q=0.9,en-US;q=0.8`` → ``CH``; else empty."""
    for name, _quality in parse_accept_lang_header(accept_language):
        last = name.split("-")[-1]
        if "-" in name and len(last) == 2 and last.isalpha():
            return last.upper()
    return ""


@lru_cache
def locale(language: str) -> Locale:
    """The language as Babel knows it; English where Babel does not."""
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache
def number_locale(language: str, region: str) -> Locale:
    """The language as it is written in that country; by itself where Babel knows nothing of the two together."""
    plain = locale(language)
    try:
        return Locale.parse(f"{plain.language}_{region}") if region else plain
    except (UnknownLocaleError, ValueError):
        return plain


def as_decimal(value: Any) -> Decimal | None:
    """``value`` as an exact number, or ``None`` if it is none (``None``, an empty string, a word, NaN)."""
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    return number if number.is_finite() else None


# Money and measures ---------------------------------------------------------------------------------


def money(amount: Any, currency: str) -> str:
    """``1236`` and ``EUR`` → ``€1,236.00``; a currency without minor units has no decimals: ``¥1,200``.

    What is taken off has a real minus sign, as the templates write it: ``−€36.00``.
    """
    number = as_decimal(amount)
    if number is None or not currency:
        return NOTHING
    return _currency(str(number), str(currency), language(), region())


def number(value: Any, unit: str = "") -> str:
    """``6910`` → ``6,910``; with a unit ``6,910 MB/s``. At most two decimals."""
    exact = as_decimal(value)
    if exact is None:
        return NOTHING
    return _with_unit(_decimal(str(exact), "#,##0.##", language(), region()), unit)


def amount(value: Any) -> str:
    """Money of no one currency: ``1250`` → ``1,250.00``."""
    exact = as_decimal(value)
    return NOTHING if exact is None else _decimal(str(exact), "#,##0.00", language(), region()).replace("-", MINUS)


def gb(value: Any) -> str:
    """Gigabytes, as memory is written: ``2063`` → ``2,063 GB``."""
    return number(value, "GB")


def tb(value: Any) -> str:
    """Gigabytes, as disks are written: ``960`` → ``960 GB``, ``2063`` → ``2.1 TB``."""
    return _stepped(value, 1000, "GB", "TB")


def size(value: Any) -> str:
    """How large a file is, from its bytes: ``36800`` → ``37 KB``, ``1240000`` → ``1.2 MB``."""
    exact = as_decimal(value)
    return NOTHING if exact is None else _stepped(max(exact / 1000, Decimal(1)), 1000, "KB", "MB")


def tflops(value: Any) -> str:
    """``741.3`` → ``741 TFLOPS``, ``61.24`` → ``61.2 TFLOPS``: three figures are all that a measurement is worth."""
    return _three_figures(value, "TFLOPS")


def mbps(value: Any) -> str:
    """Megabits a second: ``940`` → ``940 Mbit/s``, ``1200`` → ``1.2 Gbit/s``."""
    return _stepped(value, 1000, "Mbit/s", "Gbit/s")


def gbps(value: Any) -> str:
    """Gigabits a second: ``9.44`` → ``9.4 Gbit/s``."""
    exact = as_decimal(value)
    return NOTHING if exact is None else mbps(exact * 1000)


def percent(share: Any) -> str:
    """A share of one: ``0.9994`` → ``99.94 %``. Cut, not rounded, so that only the whole is ever called 100 %."""
    exact = as_decimal(share)
    if exact is None:
        return NOTHING
    cut = (exact * 100).quantize(Decimal("0.01"), rounding=ROUND_DOWN)
    return _with_unit(_decimal(str(cut), "#,##0.##", language(), region()), "%")


# Remembered by its digits, not by its value: 0 and -0 are equal, and written differently.


@lru_cache(REMEMBERED)
def _decimal(digits: str, pattern: str, language: str, region: str) -> str:
    return format_decimal(Decimal(digits), pattern, locale=number_locale(language, region))


@lru_cache(REMEMBERED)
def _currency(digits: str, currency: str, language: str, region: str) -> str:
    return format_currency(Decimal(digits), currency, locale=number_locale(language, region)).replace("-", MINUS)


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{NBSP}{unit}" if unit else text


def _three_figures(value: Any, unit: str) -> str:
    exact = as_decimal(value)
    if exact is None:
        return NOTHING
    pattern = "#,##0" if abs(exact) >= 100 else "#,##0.#" if abs(exact) >= 10 else "#,##0.##"
    return _with_unit(_decimal(str(exact), pattern, language(), region()), unit)


def _stepped(value: Any, step: int, small: str, large: str) -> str:
    exact = as_decimal(value)
    if exact is None:
        return NOTHING
    if abs(exact) < step:
        return _with_unit(_decimal(str(exact), "#,##0", language(), region()), small)
    return _with_unit(_decimal(str(exact / step), "#,##0.#", language(), region()), large)


# Moments --------------------------------------------------------------------------------------------


class Here(NamedTuple):
    """Where and when something is read: what its writing depends on beside what is written.

    No moment depends on the region, but whole parts of a page, which hold numbers as well, are remembered by this.
    """

    zone: tzinfo
    year: int
    language: str
    region: str


def here(now: datetime | None = None) -> Here:
    """The active time zone, the current year in it, the active language and the reader's region."""
    zone = timezone.get_current_timezone()
    return Here(zone, timezone.localtime(now, zone).year, language(), region())


def zone_label(at: datetime) -> str:
    """The zone's short name at that moment, ``CET``; where a zone has none, its distance: ``UTC+3``."""
    name = at.tzname() or ""
    if name[:1] not in {"+", "-"}:
        return name
    hours, minutes = divmod(int(abs((at.utcoffset() or timedelta()) / MINUTE)), 60)
    return f"UTC{name[0]}{hours}" + (f":{minutes:02}" if minutes else "")


def day(value: date | datetime | None, *, now: datetime | None = None) -> str:
    """``Fri 27 Nov 2026``; the current year goes without saying."""
    if value is None:
        return NOTHING
    at = here(now)
    return _day(timezone.localtime(value, at.zone).date() if isinstance(value, datetime) else value, at)


def month(value: date | datetime | None) -> str:
    """``November 2026``, in the person's own time zone if it is a moment."""
    if value is None:
        return NOTHING
    named = timezone.localtime(value).date() if isinstance(value, datetime) else value
    return format_date(named, "LLLL y", locale=locale(language()))


def weekday(value: datetime) -> str:
    """As short as a day can be said: ``Fri 27``."""
    return _date(timezone.localtime(value).date(), "weekday", language())


def day_of_month(value: datetime) -> str:
    """As short as a day can be said among those of several months: ``27 Nov``."""
    return _date(timezone.localtime(value).date(), "day of a month", language())


def clock(value: datetime | None) -> str:
    """The time of day: ``09:00``."""
    return NOTHING if value is None else _clock(timezone.localtime(value), language())


def when(value: datetime | None, *, now: datetime | None = None) -> str:
    """A moment in the person's own time zone: ``Fri 27 Nov 2026, 09:00``; the current year goes without saying."""
    return NOTHING if value is None else _when(value, here(now))


def when_both(value: datetime | None, *, now: datetime | None = None) -> str:
    """In the person's own zone and in UTC: ``Fri 27 Nov, 09:00 CET (08:00 UTC)``."""
    if value is None:
        return NOTHING
    # In UTC, where no time of day comes twice: what is remembered would be one for both.
    return _when_both(value.astimezone(UTC), here(now))


def window(start: datetime | None, end: datetime | None, *, now: datetime | None = None) -> str:
    """``Fri 27 Nov, 09:00 – Mon 30 Nov, 09:00``; within one day ``Fri 27 Nov, 09:00 – 13:00``."""
    if start is None or end is None:
        return NOTHING
    return window_from(start, end, here(now))


def window_both(start: datetime | None, end: datetime | None, *, now: datetime | None = None) -> str:
    """In the person's own zone and in UTC: ``Fri 27 Nov, 09:00 – Mon 30 Nov, 09:00 CET (08:00 – 08:00 UTC)``."""
    if start is None or end is None:
        return NOTHING
    own = timezone.localtime(start), timezone.localtime(end)
    if own[0].utcoffset() == own[1].utcoffset() == timedelta():
        return f"{window(start, end, now=now)} UTC"
    utc = start.astimezone(UTC), end.astimezone(UTC)
    if all(here.date() == there.date() for here, there in zip(own, utc, strict=True)):
        there = f"{_clock(utc[0], language())} – {_clock(utc[1], language())}"
    else:
        with timezone.override(UTC):
            there = window(start, end, now=now)
    # Where clocks change within the window, each end has a zone of its own.
    if own[0].utcoffset() != own[1].utcoffset():
        return f"{when(start, now=now)} {zone_label(own[0])} – {when(end, now=now)} {zone_label(own[1])} ({there} UTC)"
    return f"{window(start, end, now=now)} {zone_label(own[0])} ({there} UTC)"


def ago(value: datetime | None, *, now: datetime | None = None) -> str:
    """How far away a moment is: ``3 hours ago``, ``in 2 days``, ``just now``."""
    if value is None:
        return NOTHING
    distance = value - (now or timezone.now())
    if abs(distance) < MINUTE:
        return _("just now")
    return _distance(int(distance.total_seconds()), language())


@lru_cache(REMEMBERED)
def _distance(seconds: int, language: str) -> str:
    """Cut to the largest unit, as :func:`duration` does it; the language puts the words around it."""
    unit, size = next((unit for unit in UNITS if abs(seconds) >= unit[1]), UNITS[-1])
    whole = timedelta(seconds=abs(seconds) // size * size) * (1 if seconds > 0 else -1)
    # Without a threshold that would make weeks or months of many days.
    return format_timedelta(
        whole, granularity=unit, threshold=float("inf"), add_direction=True, locale=locale(language)
    )


@lru_cache(REMEMBERED)
def window_from(start: datetime, end: datetime, at: Here) -> str:
    """As :func:`window`, for whoever writes many of them and asks once for :func:`here`."""
    first, last = timezone.localtime(start, at.zone), timezone.localtime(end, at.zone)
    until = _clock(last, at.language) if first.date() == last.date() else _when(end, at)
    return f"{_when(start, at)} – {until}"


@lru_cache(REMEMBERED)
def _when(value: datetime, at: Here) -> str:
    local = timezone.localtime(value, at.zone)
    return f"{_day(local.date(), at)}, {_clock(local, at.language)}"


@lru_cache(REMEMBERED)
def _when_both(value: datetime, at: Here) -> str:
    own, utc = timezone.localtime(value, at.zone), value.astimezone(UTC)
    if own.utcoffset() == timedelta():
        return f"{_when(value, at)} UTC"
    there = _clock(utc, at.language)
    if own.date() != utc.date():
        there = f"{_day(utc.date(), at)}, {there}"
    return f"{_when(value, at)} {zone_label(own)} ({there} UTC)"


def _day(value: date, at: Here) -> str:
    return _date(value, "day" if value.year == at.year else "day of a year", at.language)


def _clock(local: datetime, language: str) -> str:
    return _time(local.hour, local.minute, language)


#: How a language writes a day, shortly: CLDR's own short forms are longer, or put commas into what stands in lists.
DAYS = {
    "en": {"weekday": "EEE d", "day of a month": "d MMM", "day": "EEE d MMM", "day of a year": "EEE d MMM y"},
    # Held together: a lone “Nov” at the beginning of a line reads as if it began a sentence.
    "de": {
        "weekday": f"ccc{NBSP}d.",
        "day of a month": f"d.{NBSP}LLL",
        "day": f"ccc{NBSP}d.{NBSP}LLL",
        "day of a year": f"ccc{NBSP}d.{NBSP}LLL{NBSP}y",
    },
}


@lru_cache(REMEMBERED)
def _date(value: date, kind: str, language: str) -> str:
    spoken = locale(language)
    return format_date(value, DAYS.get(spoken.language, DAYS["en"])[kind], locale=spoken)


@lru_cache(REMEMBERED)
def _time(hour: int, minute: int, language: str) -> str:
    return format_time(time(hour, minute), "HH:mm", locale=locale(language))


# Lengths of time --------------------------------------------------------------------------------------


def duration(value: timedelta | None, parts: int = 2) -> str:
    """``3 days 4 hours``: the largest unit, and the next one if there is any of it."""
    return NOTHING if value is None else _duration(int(abs(value).total_seconds()), parts, language())


@lru_cache(REMEMBERED)
def _duration(seconds: int, parts: int, language: str) -> str:
    days, rest = divmod(seconds, 86_400)
    hours_, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    counted = [
        (days, ngettext("%d day", "%d days", days)),
        (hours_, ngettext("%d hour", "%d hours", hours_)),
        (minutes, ngettext("%d minute", "%d minutes", minutes)),
        (seconds, ngettext("%d second", "%d seconds", seconds)),
    ]
    first = next((i for i, (count, _words) in enumerate(counted) if count), len(counted) - 1)
    said = [words % count for count, words in counted[first : first + parts] if count or first == len(counted) - 1]
    return " ".join(said)


def hours(value: timedelta | Any) -> str:
    """A number of hours, or a timedelta in hours: ``72 hours``, ``1 hour``, ``1.5 hours``."""
    exact = as_decimal(value / HOUR if isinstance(value, timedelta) else value)
    if exact is None:
        return NOTHING
    text = _decimal(str(exact), "#,##0.##", language(), region())
    return ngettext("%s hour", "%s hours", 1 if exact == 1 else 2) % text


# Words ------------------------------------------------------------------------------------------------


def lowered(words: Any) -> str:
    """A label as it stands within a sentence: in small letters, but not in German, whose nouns keep their large ones."""
    return str(words) if language() == "de" else str(words).lower()


def counted(unit: str, quantity: int, rate: str) -> str:
    """A line of a quote: ``3 days × €20.00``; what is taken off begins with ``less``. ``unit``: hour, day, week, …"""
    count = abs(quantity)
    words = {
        "hour": ngettext("%(count)s hour × %(rate)s", "%(count)s hours × %(rate)s", count),
        "day": ngettext("%(count)s day × %(rate)s", "%(count)s days × %(rate)s", count),
        "week": ngettext("%(count)s week × %(rate)s", "%(count)s weeks × %(rate)s", count),
        "month": ngettext("%(count)s month × %(rate)s", "%(count)s months × %(rate)s", count),
        "item": ngettext("%(count)s item × %(rate)s", "%(count)s items × %(rate)s", count),
    }[unit]
    line = words % {"count": number(count), "rate": rate}
    return _("less %(line)s") % {"line": line} if quantity < 0 else line
