"""The strip: when a machine is free, taken and being erased, as geometry and in words.

Nothing here knows about HTML; :mod:`common.templatetags.drawings` draws it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from common import formats

KINDS = ("taken", "held", "wipe", "upkeep", "up", "down", "late")
MOST_LABELS = 5
MOST_WORDS = 12
# A label begins at its tick; beyond this share of the strip it would be cut off.
ROOM_FOR_LABEL = 0.9
# Beyond this a day's number alone does not say which month it is of, and its weekday says little.
MONTHS_ARE_NAMED = timedelta(weeks=4)


def spoken(kind: str) -> str:
    """What a kind of block is called."""
    return _spoken(kind, formats.language())


@lru_cache
def _spoken(kind: str, language: str) -> str:
    return {
        "taken": _("taken"),
        "held": _("held for someone"),
        "wipe": _("being erased and checked, never billed"),
        "upkeep": _("closed for upkeep"),
        "yours": _("your window"),
        "up": _("in use"),
        "down": _("no heartbeat"),
        "late": _("not handed over yet"),
    }[kind]


@dataclass(frozen=True)
class Bar:
    """A block, clipped: where it begins and how wide it is in hundredths of the strip, and what it says."""

    kind: str
    left: str
    width: str
    words: str


@dataclass(frozen=True)
class Tick:
    """A mark on the scale. ``label`` is empty where there is room for a line only."""

    left: str
    label: str


@dataclass(frozen=True)
class Strip:
    bars: tuple[Bar, ...]
    yours: Bar | None
    ticks: tuple[Tick, ...]
    words: str


def make_strip(
    blocks: Iterable[Any],
    start: datetime,
    end: datetime,
    yours_start: datetime | None = None,
    yours_end: datetime | None = None,
    label: str = "",
) -> Strip:
    """The strip of ``[start, end)``.

    ``blocks`` have ``start``, ``end`` and ``kind``; what lies outside is cut off, what is empty is left out.

    Raises:
        ValueError: the end is not after the start.
    """
    if end <= start:
        raise ValueError("a strip ends after it starts")
    here = formats.here()
    bars = tuple(
        bar
        for block in sorted(blocks, key=lambda block: block.start)
        if (bar := _bar(block.kind, block.start, block.end, start, end, here))
    )
    yours = _bar("yours", yours_start, yours_end, start, end, here) if yours_start and yours_end else None
    return Strip(bars, yours, _ticks(start, end, here), _words(bars, yours, start, end, label))


def _bar(kind: str, since: datetime, until: datetime, start: datetime, end: datetime, here: formats.Here) -> Bar | None:
    left, right = max(since, start), min(until, end)
    if right <= left:
        return None
    whole = end - start
    kind = kind if kind in {*KINDS, "yours"} else "taken"
    return Bar(
        kind,
        left=_hundredths(left - start, whole),
        width=_hundredths(right - left, whole),
        words=f"{_spoken(kind, here.language)}, {formats.window_from(since, until, here)}",
    )


def _hundredths(part: timedelta, whole: timedelta) -> str:
    """A coordinate for SVG, which knows no decimal comma: text, so that no template localizes it."""
    return f"{part / whole * 100:.3f}"


def make_ticks(start: datetime, end: datetime) -> tuple[Tick, ...]:
    """The scale of ``[start, end)`` in the active time zone, for whatever is drawn over time."""
    return _ticks(start, end, formats.here())


@lru_cache(256)
def _ticks(start: datetime, end: datetime, here: formats.Here) -> tuple[Tick, ...]:
    """The scale, which all the strips of a page have in common."""
    return tuple(_each_tick(start, end, here.zone))


def _each_tick(start: datetime, end: datetime, zone: tzinfo) -> Iterator[Tick]:
    """Midnights of the active time zone, or six-hour steps where the strip shows less than two days."""
    short = end - start < timedelta(days=2)
    step = timedelta(hours=6) if short else timedelta(days=1)
    first = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    # Counted on the wall clock and made aware one by one, so that the days on which clocks change come out right.
    moments = []
    wall = first
    while (moment := wall.replace(tzinfo=zone)) < end:
        if moment >= start:
            moments.append(moment)
        wall += step
    day = formats.day_of_month if end - start > MONTHS_ARE_NAMED else formats.weekday
    every = max(1, -(-len(moments) // MOST_LABELS))
    for index, moment in enumerate(moments):
        label = formats.clock(moment) if short and moment.hour else day(moment)
        fits = index % every == 0 and (moment - start) / (end - start) < ROOM_FOR_LABEL
        yield Tick(_hundredths(moment - start, end - start), label if fits else "")


def _words(bars: tuple[Bar, ...], yours: Bar | None, start: datetime, end: datetime, label: str) -> str:
    head = f"{label or _('Availability')}, {formats.window(start, end)}"
    said = [bar.words for bar in bars[:MOST_WORDS]]
    if len(bars) > MOST_WORDS:
        said.append(_("and %d more") % (len(bars) - MOST_WORDS))
    if not bars:
        said.append(_("free all the time"))
    if yours:
        said.append(yours.words)
    return f"{head}: {'; '.join(said)}"
