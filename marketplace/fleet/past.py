"""What a simulated server would have left behind, had it been there before: outages, hours and the last day's samples."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from bookings.models import Booking
from machines.models import AccessKind, Agent
from machines.services.reliability import recompute
from marketplace.demo.past import outages_for

#: A slow wave over the day, another phase for each agent, and a little noise: the same as in ``servers.Server.health``.
WAVE = "(1 + sin(extract(epoch FROM at) / 86400 * 2 * pi() + %(phase)s)) / 2"
FIGURES = f"""
    round((100 * (0.05 + 0.5 * {WAVE} * used))::numeric, 1)::real AS cpu_percent,
    round((100 * least(1, 0.95 * used * (0.6 + 0.4 * {WAVE})))::numeric, 1)::real AS gpu_percent,
    round((8 + 50 * {WAVE} * (0.3 + 0.7 * used))::numeric, 1)::real AS memory_percent,
    round((70 * used * {WAVE})::numeric, 1)::real AS gpu_memory_percent,
    round((34 + 38 * used * {WAVE} + 2 * random())::numeric, 1)::real AS temperature_c,
    round((30 + 10 * {WAVE})::numeric, 1)::real AS disk_percent,
    round((20 + 400 * used * {WAVE})::numeric, 1)::real AS network_rx_mbps,
    round((10 + 150 * used * {WAVE})::numeric, 1)::real AS network_tx_mbps
"""
#: Each moment with whether somebody was on the machine; silent ones are left out.
MOMENTS = """
    SELECT at, CASE WHEN EXISTS (
        SELECT 1 FROM bookings b WHERE b.hardware_id = %(machine)s AND b.started_at IS NOT NULL
        AND b.start_timestamp <= at AND b.end_timestamp > at) THEN 1.0 ELSE 0.05 END AS used
    FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, %(step)s::interval) AS at
    WHERE NOT EXISTS (SELECT 1 FROM outages o WHERE o.agent_id = %(agent)s AND o.began_at <= at
        AND coalesce(o.ended_at, 'infinity') > at + %(step)s::interval)
"""
COLUMNS = (
    "cpu_percent, gpu_percent, memory_percent, gpu_memory_percent, temperature_c, disk_percent, network_rx_mbps, "
    "network_tx_mbps"
)
PAIRS = ", ".join(f"'{name}', {name}" for name in COLUMNS.split(", "))
SAMPLES = f"""
INSERT INTO health_samples (agent_id, at, {COLUMNS})
SELECT %(agent)s, at, {FIGURES} FROM ({MOMENTS}) AS moments ON CONFLICT DO NOTHING
"""  # noqa: S608 nothing of it is given from outside
HOURS = f"""
INSERT INTO health_hours (agent_id, hour, samples, means, peaks)
SELECT %(agent)s, at, 120, jsonb_build_object({PAIRS}), jsonb_build_object({PAIRS})
FROM (SELECT at, {FIGURES} FROM ({MOMENTS}) AS moments) AS figures ON CONFLICT DO NOTHING
"""  # noqa: S608
DAY, MONTH = timedelta(days=1), timedelta(days=30)
FIVE_MINUTES, HOUR = timedelta(minutes=5), timedelta(hours=1)


@transaction.atomic
def give_a_past(*, agent: Agent, now: datetime) -> None:
    """Make up the 30 days before, so that what is computed from them is the reliability that the file states."""
    machine = agent.machine
    # Who is on it now came in before there was an agent; it is the agent that will erase the machine after them.
    inside = Booking.objects.filter(
        machine=machine, access__isnull=False, started_at__isnull=False, wipe_opened_at=None
    )
    inside.filter(completed_at=None).update(access_kind=AccessKind.AGENT)
    if machine.reliability is not None:
        outages_for(machine, agent, machine.reliability, now)
        recompute(machine, now=now)
    hour = now.replace(minute=0, second=0, microsecond=0)
    given: dict[str, Any] = {"agent": agent.pk, "machine": machine.pk, "phase": agent.pk.bytes[-1] / 40}
    with connection.cursor() as cursor:
        cursor.execute(HOURS, given | {"first": hour - MONTH, "last": hour - HOUR, "step": HOUR})
        cursor.execute(SAMPLES, given | {"first": now - DAY, "last": now, "step": FIVE_MINUTES})
