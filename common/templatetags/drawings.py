"""Drawings as template tags: strips, meters, lines, charts. Available in every template without loading."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from common import formats
from common.charts import Band, BarChart, Chart
from common.drawing import draw, draw_words
from common.strips import Strip, make_strip, make_ticks

register = template.Library()


@register.simple_tag
def strip(
    blocks: Iterable[Any],
    start: datetime,
    end: datetime,
    yours_start: datetime | None = None,
    yours_end: datetime | None = None,
    label: str = "",
) -> SafeString:
    """When a machine is free, taken and being erased, with the reader's window outlined.

    ``blocks``: objects with ``start``, ``end`` (aware) and ``kind``: taken, held, wipe or upkeep.
    """
    fixed = tuple(_Block(block.start, block.end, block.kind) for block in blocks)
    return _strip(fixed, start, end, yours_start or None, yours_end or None, label, formats.here())


class _Block(NamedTuple):
    start: datetime
    end: datetime
    kind: str


@lru_cache(2048)
def _strip(
    blocks: tuple[_Block, ...],
    start: datetime,
    end: datetime,
    yours_start: datetime | None,
    yours_end: datetime | None,
    label: str,
    here: formats.Here,
) -> SafeString:
    """Remembered: a machine's calendar looks the same to everyone until somebody books it."""
    drawn = make_strip(blocks, start, end, yours_start, yours_end, label)
    # The hatch needs an id. Strips that look alike share one, which is harmless.
    hatch = f"hatch-{zlib.crc32(repr(drawn).encode()):08x}"
    return draw("strip", strip=drawn, hatch=hatch, bars=_rects(drawn, hatch))


def _rects(drawn: Strip, hatch: str) -> SafeString:
    """The blocks: a template would take most of a page's time for them."""
    hatched = format_html(' fill="url(#{})"', hatch)
    return format_html_join(
        "",
        '<rect class="{}" x="{}%" width="{}%" height="100%"{}><title>{}</title></rect>',
        (
            (bar.kind, bar.left, bar.width, hatched if bar.kind in ("wipe", "upkeep") else "", capfirst(bar.words))
            for bar in drawn.bars
        ),
    )


@register.simple_tag
def strip_legend(held: bool = False, upkeep: bool = False, yours: bool = True) -> SafeString:
    """What the colours of a strip mean; once a page."""
    return draw("strip_legend", held=held, upkeep=upkeep, yours=yours)


@register.simple_tag
def meter(value: Any, label: str = "", tone: str = "") -> SafeString:
    """A share of one as a thin bar. With a ``label`` it speaks; without one the number beside it does."""
    share = formats.as_decimal(value)
    if share is None:
        return SafeString("")
    width = min(max(share, Decimal(0)), Decimal(1)) * 100
    return draw_words(
        "meter", ("width", f"{width:.1f}"), ("label", label), ("tone", tone), ("words", formats.percent(share))
    )


@register.simple_tag
def sparkline(values: Iterable[Any], label: str = "") -> SafeString:
    """A small line of numbers over time, scaled between nothing and their largest."""
    numbers = [float(n) for value in values if (n := formats.as_decimal(value)) is not None]
    if len(numbers) < 2:
        return SafeString("")
    top = max(numbers) or 1.0
    points = " ".join(
        f"{index / (len(numbers) - 1) * 100:.2f},{30 - max(value, 0) / top * 28:.2f}"
        for index, value in enumerate(numbers)
    )
    return draw("sparkline", points=points, label=label)


@register.simple_tag
def chart(drawn: Chart, id: str) -> SafeString:
    """Figures over time: a :class:`common.charts.Chart`, with a table of what it shows. ``id``: no other has it."""
    return draw("chart", chart=drawn, id=id, bands=_bands(drawn.bands), rows=_chart_rows(drawn))


@register.simple_tag
def bars(drawn: BarChart, id: str, column: str) -> SafeString:
    """Figures beside each other: a :class:`common.charts.BarChart`, with a table. ``column``: what the labels are."""
    return draw("bars", chart=drawn, id=id, column=column)


@register.simple_tag
def band(bands: Iterable[Band], start: datetime, end: datetime, label: str) -> SafeString:
    """A stretch of time as one bar: what was well, and the :class:`common.charts.Band` in which something was not."""
    bands = tuple(bands)
    words = f"{label}, {formats.window(start, end)}: {'; '.join(one.words for one in bands) or _('nothing')}"
    return draw("band", bands=_bands(bands), ticks=make_ticks(start, end), words=words)


def _chart_rows(drawn: Chart) -> SafeString:
    """The body of the table: hundreds of cells, for which a template would take most of the page's time."""
    cells = "".join(f'<td class="num" data-label="{escape(name)}">{{}}</td>' for name in drawn.columns)
    row = f'<tr><td data-label="{escape(_("From"))}">{{}}</td>{cells}</tr>'
    return format_html_join("", row, drawn.rows)


def _bands(bands: Iterable[Band]) -> SafeString:
    return format_html_join(
        "",
        '<rect class="{}" x="{}%" width="{}%" height="100%"><title>{}</title></rect>',
        ((one.kind, one.left, one.width, capfirst(one.words)) for one in bands),
    )
