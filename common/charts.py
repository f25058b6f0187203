"""Charts of figures over time, as geometry and in words. A stretch of silence is a gap, never a line across it.

Nothing here knows about HTML; :mod:`common.templatetags.drawings` draws it. Figures come in buckets of equal length; a
bucket without a figure has none. Coordinates are text, in a box of ``WIDTH`` by ``HEIGHT``, so that no template localizes
them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from common import formats
from common.strips import Tick, make_ticks

WIDTH, HEIGHT = 1000, 100
#: What lies between the lines of the scale: so many times a power of ten.
STEPS = (1, 2, 2.5, 5, 10)
MOST_LINES = 4

Figures = Sequence[float | None]
Write = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """One line: what it is called, and a figure for each bucket."""

    name: str
    figures: Figures

    @property
    def known(self) -> list[float]:
        return [figure for figure in self.figures if figure is not None]


@dataclass(frozen=True)
class Line:
    """``path``: of an SVG path. ``newest``, ``mean``, ``most``: as they are written; a dash where nothing is known."""

    name: str
    kind: str
    path: str
    newest: str
    mean: str
    most: str


@dataclass(frozen=True)
class Grid:
    """A line of the scale: how far from the top, in hundredths, and what it says."""

    top: str
    label: str


@dataclass(frozen=True)
class Band:
    """A stretch of time behind the lines: where it begins and how wide it is in hundredths, and what it says."""

    kind: str
    left: str
    width: str
    words: str


@dataclass(frozen=True)
class Chart:
    title: str
    unit: str
    words: str
    lines: tuple[Line, ...]
    grid: tuple[Grid, ...]
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Bar:
    """One figure as a bar: where it stands and how high, in hundredths, and what it says."""

    left: str
    width: str
    top: str
    height: str
    label: str
    words: str


@dataclass(frozen=True)
class BarChart:
    title: str
    words: str
    bars: tuple[Bar, ...]
    grid: tuple[Grid, ...]
    ticks: tuple[Tick, ...]
    rows: tuple[tuple[str, str], ...]


def make_bars(title: str, figures: Sequence[tuple[str, Any]], *, write: Callable[[Any], str]) -> BarChart:
    """Figures beside each other, as of twelve months: a label and a figure each. What is below zero has no bar.

    Args:
        write: how a figure is written, as with its currency.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not figures:
        raise ValueError("a chart has at least one bar")
    most = _round_above(max(float(figure) for _, figure in figures))
    room = 100 / len(figures)
    bars = []
    for place, (label, figure) in enumerate(figures):
        height = max(float(figure), 0.0) / most * 100
        bars.append(
            Bar(
                left=f"{(place + 0.15) * room:.3f}",
                width=f"{0.7 * room:.3f}",
                top=f"{100 - height:.2f}",
                height=f"{height:.2f}",
                label=label,
                words=f"{label}: {write(figure)}",
            )
        )
    return BarChart(
        title=title,
        words="; ".join(bar.words for bar in bars),
        bars=tuple(bars),
        grid=_grid(most),
        ticks=tuple(Tick(f"{(place + 0.5) * room:.3f}", label) for place, (label, _) in enumerate(figures)),
        rows=tuple((label, write(figure)) for label, figure in figures),
    )


def make_chart(
    title: str,
    series: Iterable[Series],
    start: datetime,
    end: datetime,
    *,
    unit: str = "",
    top: float | None = None,
    bands: Sequence[Band] = (),
    rows: int = 24,
) -> Chart:
    """The chart of ``[start, end)``, cut into as many buckets as the first series has figures.

    Args:
        top: where the scale ends; without it, a round figure above the largest.
        rows: how many the table beside it has: figures are means over so many stretches of time.

    Raises:
        ValueError: the end is not after the start, or there is nothing to draw a line of.
    """
    series = list(series)
    if end <= start or not series or not series[0].figures:
        raise ValueError("a chart has a length and at least one bucket")
    most = top or _round_above(max((max(one.known, default=0.0) for one in series), default=0.0))
    write = partial(_written, unit=unit)
    lines = tuple(_line(one, place, most, write) for place, one in enumerate(series, 1))
    return Chart(
        title=title,
        unit=unit,
        words=_words(lines, start, end),
        lines=lines,
        grid=_grid(most),
        bands=tuple(bands),
        ticks=make_ticks(start, end),
        columns=tuple(one.name for one in series),
        rows=tuple(_rows(series, start, end, rows, write)),
    )


def make_band(kind: str, since: datetime, until: datetime, start: datetime, end: datetime, words: str) -> Band | None:
    """A stretch of time within ``[start, end)``; none where it lies outside. Never too narrow to be seen."""
    left, right = max(since, start), min(until, end)
    if right <= left:
        return None
    share = max((right - left) / (end - start) * 100, 0.2)
    return Band(kind, f"{min((left - start) / (end - start) * 100, 100 - share):.3f}", f"{share:.3f}", words)


def _round_above(figure: float) -> float:
    """The next end of a scale: 4.1 → 5, 130 → 150."""
    step = _step(max(figure, 1.0))
    return step * -(-max(figure, 1.0) // step)


def _step(most: float) -> float:
    """The smallest round distance at which no more than ``MOST_LINES`` lines fit."""
    power = 10.0 ** (len(str(int(most))) - 2)
    return next(power * step for step in (*STEPS, 20, 25, 50) if most / (power * step) <= MOST_LINES)


def _grid(most: float) -> tuple[Grid, ...]:
    step = _step(most)
    count = int(most / step + 1e-9)
    return tuple(
        Grid(f"{100 - step * turn / most * 100:.2f}", formats.number(step * turn)) for turn in range(count + 1)
    )


def _line(one: Series, place: int, most: float, write: Write) -> Line:
    known = one.known
    newest = one.figures[-1] if one.figures[-1] is not None else next(reversed(known), None)
    return Line(
        one.name,
        kind=f"series-{place}",
        path=_path(one.figures, most),
        newest=formats.NOTHING if newest is None else write(newest),
        mean=write(sum(known) / len(known)) if known else formats.NOTHING,
        most=write(max(known)) if known else formats.NOTHING,
    )


def _path(figures: Figures, most: float) -> str:
    """A move to the first bucket of each stretch, lines through the others. One that stands alone becomes a dot."""
    width, height = WIDTH / len(figures), HEIGHT / most
    said: list[str] = []
    step = "M{:.1f} {:.1f}h0"
    for place, figure in enumerate(figures):
        if figure is None:
            step = "M{:.1f} {:.1f}h0"
            continue
        y = HEIGHT - figure * height
        said.append(step.format((place + 0.5) * width, 0.0 if y < 0 else HEIGHT if y > HEIGHT else y))
        step = "L{:.1f} {:.1f}"
    return "".join(said)


def _rows(
    series: Sequence[Series], start: datetime, end: datetime, rows: int, write: Write
) -> Iterable[tuple[str, ...]]:
    """Newest first."""
    count = len(series[0].figures)
    rows = min(rows, count)
    length: timedelta = (end - start) / rows
    for row in reversed(range(rows)):
        first, last = row * count // rows, (row + 1) * count // rows
        means = []
        for one in series:
            known = [figure for figure in one.figures[first:last] if figure is not None]
            means.append(write(sum(known) / len(known)) if known else formats.NOTHING)
        yield (formats.when(start + row * length), *means)


def _words(lines: Iterable[Line], start: datetime, end: datetime) -> str:
    head = formats.window(start, end)
    said = [_("%s: %s on average, %s at most") % (line.name, line.mean, line.most) for line in lines]
    return f"{head}. {'; '.join(said)}."


def _written(figure: float, unit: str) -> str:
    return formats.number(round(figure, 0 if abs(figure) >= 100 else 1), unit)
