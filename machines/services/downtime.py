"""When a machine was down: one of its servers was not heard, and nobody had said so beforehand."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from machines.models import Machine

DOWN = """
WITH span AS (SELECT tstzrange(%(start)s, LEAST(%(end)s, %(now)s)) AS whole),
silent AS (
    SELECT range_agg(tstzrange(began_at, COALESCE(ended_at, GREATEST(%(now)s, began_at))) * whole) AS times
    FROM outages, span
    WHERE hardware_id = %(machine)s AND began_at < %(end)s AND (ended_at IS NULL OR ended_at > %(start)s)
), platform AS (
    SELECT range_agg(tstzrange(began_at, ended_at)) AS times
    FROM platform_outages WHERE began_at < %(end)s AND ended_at > %(start)s
), upkeep AS (
    SELECT range_agg(tstzrange(start, "end")) AS times FROM maintenance_windows
    WHERE %(without_maintenance)s AND hardware_id = %(machine)s AND canceled_at IS NULL
        AND start < %(end)s AND "end" > %(start)s
)
SELECT lower(down), upper(down) FROM silent, platform, upkeep,
    unnest(silent.times - COALESCE(platform.times, '{}') - COALESCE(upkeep.times, '{}')) AS down
ORDER BY 1
"""


def down_intervals(
    *, machine: Machine, start: datetime, end: datetime, now: datetime, without_maintenance: bool = True
) -> list[tuple[datetime, datetime]]:
    """The times within ``[start, end)``, and until now, in which the machine was down; apart, and in order.

    A cluster is down while one of its nodes is. Outages that go on count until now. When the marketplace itself was
    away does not count, nor does announced maintenance, unless it is asked for (rules: What, reliability).
    """
    if min(end, now) <= start:
        return []
    values: dict[str, Any] = {
        "machine": machine.pk,
        "start": start,
        "end": end,
        "now": now,
        "without_maintenance": without_maintenance,
    }
    with connection.cursor() as cursor:
        cursor.execute(DOWN, values)
        return [(began_at, ended_at) for began_at, ended_at in cursor.fetchall()]


def down_time(
    *, machine: Machine, start: datetime, end: datetime, now: datetime, without_maintenance: bool = True
) -> timedelta:
    """How long it was down in all. See :func:`down_intervals`."""
    found = down_intervals(machine=machine, start=start, end=end, now=now, without_maintenance=without_maintenance)
    return sum((ended_at - began_at for began_at, ended_at in found), timedelta(0))
