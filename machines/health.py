"""How a machine has been doing, read for whoever looks at it: figures over time, and when it was not heard."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Min, Q
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from common.charts import Band, Chart, Series, make_band, make_chart
from common.formats import duration, lowered
from common.formats import window as window_words
from machines.models import MEASURES, Agent, Machine, MaintenanceWindow, Outage, PlatformOutage

DAY = timedelta(days=1)
#: Of these the highest counts, of all others the mean.
HIGHEST = ("temperature_c",)
#: What is drawn together: title, unit, the end of the scale, (name, measure) of each line.
DRAWN = (
    ("CPU", "%", 100.0, ((_("Load"), "cpu_percent"),)),
    ("GPU", "%", 100.0, ((_("Load"), "gpu_percent"), (_("Memory"), "gpu_memory_percent"))),
    (_("Memory"), "%", 100.0, ((pgettext_lazy("share", "Used"), "memory_percent"),)),
    (_("Temperature"), "°C", None, ((_("Highest"), "temperature_c"),)),
    (_("Disk"), "%", 100.0, ((pgettext_lazy("share", "Used"), "disk_percent"),)),
    (
        _("Network"),
        "Mbit/s",
        None,
        ((pgettext_lazy("network", "In"), "network_rx_mbps"), (pgettext_lazy("network", "Out"), "network_tx_mbps")),
    ),
)
OF_GPUS = ("GPU",)

_SAMPLED = ", ".join(f"{'max' if measure in HIGHEST else 'avg'}({measure})" for measure in MEASURES)
_ROLLED = ", ".join(
    f"max((peaks->>'{measure}')::real)" if measure in HIGHEST else f"avg((means->>'{measure}')::real)"
    for measure in MEASURES
)
SAMPLES = f"""
SELECT (floor(extract(epoch FROM at - %(start)s) / %(seconds)s))::int, {_SAMPLED} FROM health_samples
WHERE agent_id = ANY(%(agents)s) AND at >= %(start)s AND at < %(end)s GROUP BY 1
"""  # noqa: S608 the names of columns are our own
HOURS = f"""
SELECT (floor(extract(epoch FROM hour - %(start)s) / %(seconds)s))::int, {_ROLLED} FROM health_hours
WHERE agent_id = ANY(%(agents)s) AND hour >= %(start)s AND hour < %(end)s GROUP BY 1
"""  # noqa: S608


@dataclass(frozen=True)
class Span:
    """A length of time that is looked at: in buckets, read from the samples or from the hours."""

    key: str
    words: str | Promise
    length: timedelta
    bucket: timedelta
    statement: str
    rows: int

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Until the end of the bucket that is going on."""
        seconds = self.bucket.total_seconds()
        end = datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, tz=now.tzinfo)
        return end - self.length, end


SPANS = {
    span.key: span
    for span in (
        Span("day", _("Last 24 hours"), DAY, timedelta(minutes=5), SAMPLES, rows=24),
        Span("month", _("Last 30 days"), 30 * DAY, timedelta(hours=2), HOURS, rows=30),
    )
}


@dataclass(frozen=True)
class Stretch:
    """A time in which something was not as usual."""

    kind: str
    start: datetime
    end: datetime
    is_going_on: bool
    words: str


def server_ids(machine: Machine, node: str = "") -> list[UUID]:
    """The agents of a machine, or of one of its nodes, those of former installations too: its history goes on."""
    agents = Agent.objects.filter(machine=machine)
    return list((agents.filter(node__name=node) if node else agents).values_list("pk", flat=True))


def figures(agents: Sequence[UUID], span: Span, start: datetime, end: datetime) -> dict[str, list[float | None]]:
    """Of each measure a figure for every bucket, none where nothing was heard. Of several servers: the mean of them."""
    count = round((end - start) / span.bucket)
    found: dict[str, list[float | None]] = {measure: [None] * count for measure in MEASURES}
    values: dict[str, Any] = {
        "agents": list(agents),
        "start": start,
        "end": end,
        "seconds": span.bucket.total_seconds(),
    }
    with connection.cursor() as cursor:
        cursor.execute(span.statement, values)
        for place, *row in cursor.fetchall():
            for measure, figure in zip(MEASURES, row, strict=True):
                found[measure][place] = figure
    return found


def charts(machine: Machine, span: Span, *, node: str, bands: Sequence[Band], now: datetime) -> list[Chart]:
    """All that is drawn of a span of time."""
    start, end = span.window(now)
    read = figures(server_ids(machine, node), span, start, end)
    return [
        make_chart(
            str(title),
            [Series(str(name), read[measure]) for name, measure in lines],
            start,
            end,
            unit=unit,
            top=top,
            bands=bands,
            rows=span.rows,
        )
        for title, unit, top, lines in DRAWN
        if machine.gpu_count or title not in OF_GPUS
    ]


def stretches(machine: Machine, start: datetime, end: datetime, *, now: datetime, node: str = "") -> list[Stretch]:
    """What was not as usual, newest first: outages of the machine's servers, announced maintenance, absences of the
    marketplace, and the time before anybody could say anything."""
    within = Q(ended_at=None) | Q(ended_at__gt=start)
    outages = (
        Outage.objects.filter(within, machine=machine, began_at__lt=end)
        .select_related("agent__node")
        .defer("agent__inventory", "agent__self_test", "agent__health")
    )
    upkeep = MaintenanceWindow.objects.filter(machine=machine, canceled_at=None, end__gt=start, start__lt=min(end, now))
    platform = PlatformOutage.objects.filter(began_at__lt=end, ended_at__gt=start)
    found = [_outage(outage, now=now) for outage in (outages.filter(agent__node__name=node) if node else outages)]
    found += [Stretch("upkeep", one.start, min(one.end, now), one.end > now, _upkeep(one)) for one in upkeep]
    found += [
        Stretch(
            "platform", one.began_at, one.ended_at, False, gettext("the marketplace was away, counted against nobody")
        )
        for one in platform
    ]
    first = Agent.objects.filter(machine=machine).aggregate(first=Min("enrolled_at"))["first"] or end
    if first > start:
        found.append(Stretch("before", start, min(first, end), False, gettext("nothing known: no agent yet")))
    return sorted(found, key=lambda one: one.start, reverse=True)


def _outage(outage: Outage, *, now: datetime) -> Stretch:
    words = gettext("no sign of life")
    if outage.agent.node_name:
        words = gettext("no sign of life on %(node)s") % {"node": outage.agent.node_name}
    return Stretch("outage", outage.began_at, outage.ended_at or now, outage.ended_at is None, words)


def _upkeep(window: MaintenanceWindow) -> str:
    return gettext("maintenance: %(kind)s") % {"kind": lowered(window.get_kind_display())}


def bands(stretches: Iterable[Stretch], start: datetime, end: datetime) -> list[Band]:
    """As they are drawn, the outages last, so that nothing hides them."""
    ordered = sorted(stretches, key=lambda one: (one.kind == "outage", one.start))
    drawn = (
        make_band(
            one.kind,
            one.start,
            one.end,
            start,
            end,
            f"{one.words}, {window_words(one.start, one.end)} ({duration(one.end - one.start)})",
        )
        for one in ordered
    )
    return [band for band in drawn if band]
