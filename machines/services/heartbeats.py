"""Agents that say that they are alive, and how their servers are doing.

Thousands of them do so twice a minute. So the usual case, a beat that comes in time from an agent that is online, is one
statement. Whatever is out of the usual (a new token, a first beat, one after a silence) takes its time and the locks.
"""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from common.rates import TooManyRequests
from machines.models import MEASURES, Agent, AgentStatus, HealthSample, Machine, Work
from machines.services import pulse, silence
from machines.services.enrollment import digest
from machines.services.errors import AgentRefused

#: More often is too often.
LEAST_PAUSE = timedelta(seconds=5)
#: How often a web process that hears agents says that the marketplace is there.
PULSE_PAUSE = timedelta(seconds=15)
MOST_GPUS = 64
#: What a figure can be. Anything else is no figure.
BOUNDS = {
    "percent": (0.0, 100.0),
    "memory_percent": (0.0, 100.0),
    "temperature_c": (-60.0, 200.0),
    "load_1m": (0.0, 100_000.0),
    "uptime_seconds": (0.0, 1e10),
    "network_rx_mbps": (0.0, 10_000_000.0),
    "network_tx_mbps": (0.0, 10_000_000.0),
}
EVERYTHING = (*MEASURES, "load_1m")

# The row of a machine that somebody else has locked is left alone: the next beat writes it. A cluster's says something
# about all of its nodes and is written apart.
USUAL = f"""
WITH beat AS (
    UPDATE agents SET last_heartbeat_at = %(now)s, health = %(health)s, version = %(version)s, boot_id = %(boot_id)s,
        address = COALESCE(%(address)s, address)
    WHERE token_hash = %(digest)s AND revoked_at IS NULL AND status = 'online'
        AND last_heartbeat_at >= %(heard_since)s AND last_heartbeat_at <= %(rested)s
    RETURNING id, hardware_id, node_id, token_made_at
), sample AS (
    INSERT INTO health_samples (agent_id, at, {", ".join(MEASURES)})
    SELECT id, %(now)s, {", ".join(f"%({measure})s" for measure in MEASURES)} FROM beat ON CONFLICT DO NOTHING
), free AS (
    SELECT hardware_id FROM machines JOIN beat USING (hardware_id)
    WHERE beat.node_id IS NULL FOR NO KEY UPDATE OF machines SKIP LOCKED
), shown AS (
    UPDATE machines SET health_indicators = %(health)s FROM free WHERE machines.hardware_id = free.hardware_id
)
SELECT id, hardware_id, node_id, token_made_at, (
    SELECT count(*) FROM agent_work WHERE agent_id = beat.id
        AND (state = 'waiting' AND not_before <= %(now)s OR state = 'leased' AND lease_until <= %(now)s)
) FROM beat
"""  # noqa: S608 the names of columns are our own

_pulse_lock = threading.Lock()
_pulse_at: datetime | None = None


@dataclass(frozen=True)
class Beat:
    """What became of a heartbeat. ``work``: how many pieces wait for this agent. ``rotate``: its token is old."""

    agent_id: UUID
    machine_id: UUID
    work: int
    rotate: bool


def beat(*, token: str, body: Mapping[str, Any], address: str | None, now: datetime) -> Beat:
    """Take a heartbeat: the agent is online, its figures are kept. What cannot be a figure is kept as none.

    Args:
        address: where it came from.
        now: the marketplace's clock; what the agent says of the time is not asked.

    Raises:
        AgentRefused: there is no such token, or its agent was revoked.
        TooManyRequests: the last heartbeat is younger than five seconds.
    """
    _keep_pulse(now)
    said = _read(body, now=now)
    values = {
        "now": now,
        "health": json.dumps(said.health),
        "version": said.version,
        "boot_id": said.boot_id,
        "address": address,
        "digest": digest(token),
        "heard_since": now - settings.MARKETPLACE_AGENT_SILENCE,
        "rested": now - LEAST_PAUSE,
        **said.sample,
    }
    with connection.cursor() as cursor:
        cursor.execute(USUAL, values)
        row = cursor.fetchone()
    if row is None:
        return _unusual(digest(token), said, address, now=now)
    agent_id, machine_id, node_id, token_made_at, work = row
    if node_id is not None:
        _show_cluster(machine_id)
    return Beat(agent_id, machine_id, work, _is_old(token_made_at, now))


def _keep_pulse(now: datetime) -> None:
    global _pulse_at
    with _pulse_lock:
        if _pulse_at is not None and _pulse_at <= now < _pulse_at + PULSE_PAUSE:
            return
        _pulse_at = now
    pulse.note_alive(now=now)


def _unusual(token_hash: str, said: "_Said", address: str | None, *, now: datetime) -> Beat:
    """A beat that changes more than figures: under locks, the machine's first."""
    known = Agent.objects.filter(Q(token_hash=token_hash) | Q(next_token_hash=token_hash)).first()
    if known is None:
        raise AgentRefused("unauthorized", "There is no such token.", status=401)
    if known.revoked_at is not None:
        raise AgentRefused("revoked", "This agent is revoked.", status=401)
    pulse.note_alive(now=now)  # an absence of the marketplace is known before anybody's silence is judged
    with transaction.atomic():
        machine = Machine.objects.select_for_update(no_key=True).get(pk=known.machine_id)
        agent = Agent.objects.select_for_update(of=("self",), no_key=True).select_related("node").get(pk=known.pk)
        if agent.revoked_at is not None or token_hash not in (agent.token_hash, agent.next_token_hash):
            raise AgentRefused("unauthorized", "This token is no longer valid.", status=401)
        before = agent.last_heartbeat_at
        if before is not None and before > now - LEAST_PAUSE:
            raise TooManyRequests("One heartbeat in five seconds is enough.")
        changed = _take_token(agent, token_hash, now=now)
        agent.last_heartbeat_at, agent.status, agent.health = now, AgentStatus.ONLINE, said.health
        agent.version, agent.boot_id, agent.address = said.version, said.boot_id, address or agent.address
        changed += ["last_heartbeat_at", "status", "health", "version", "boot_id", "address"]
        agent.save(update_fields=changed)
        HealthSample.objects.bulk_create([HealthSample(agent=agent, at=now, **said.sample)], ignore_conflicts=True)
        if not machine.is_cluster:
            machine.health_indicators = said.health
            machine.save(update_fields=["health_indicators"])
        silence.heard_again(machine=machine, agent=agent, before=before, now=now)
    if machine.is_cluster:
        _show_cluster(machine.pk)
    work = Work.objects.filter(agent=agent).due(now=now).count()
    return Beat(agent.pk, machine.pk, work, _is_old(agent.token_made_at, now))


def _take_token(agent: Agent, token_hash: str, *, now: datetime) -> list[str]:
    """A new token that is used becomes the only one."""
    if token_hash != agent.next_token_hash:
        return []
    agent.token_hash, agent.next_token_hash, agent.token_made_at = token_hash, None, now
    return ["token_hash", "next_token_hash", "token_made_at"]


def _is_old(token_made_at: datetime, now: datetime) -> bool:
    return now - token_made_at > settings.MARKETPLACE_AGENT_TOKEN_AGE


def _show_cluster(machine_id: UUID) -> None:
    """What the nodes say, together: the mean of loads, the sum of the network, the worst of what can run out or burn."""
    nodes = dict(
        Agent.objects.enrolled()
        .filter(machine=machine_id, node__isnull=False, last_heartbeat_at__isnull=False)
        .order_by("node__name")
        .values_list("node__name", "health")
    )
    together = {
        measure: _together(measure, (health.get(measure) for health in nodes.values())) for measure in EVERYTHING
    }
    at = max((health.get("at", "") for health in nodes.values()), default="")
    Machine.objects.filter(pk=machine_id).update(health_indicators={"at": at, **together, "nodes": nodes})


def _together(measure: str, values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    if measure in ("temperature_c", "disk_percent"):
        return max(known)
    return round(sum(known) if measure.startswith("network") else fmean(known), 2)


# What the agent says ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Said:
    version: str
    boot_id: str
    health: dict[str, Any]
    sample: dict[str, float | None]


def _read(body: Mapping[str, Any], *, now: datetime) -> _Said:
    """What is known of the protocol, within its bounds. Everything else is dropped."""
    said = body.get("health")
    health = said if isinstance(said, Mapping) else {}
    figures = {key: _figure(key, health.get(key)) for key in EVERYTHING}
    gpus = health.get("gpus")
    return _Said(
        version=_word(body.get("version"), 40),
        boot_id=_word(body.get("boot_id"), 64),
        health={
            "at": now.isoformat(timespec="seconds"),
            **figures,
            "uptime_seconds": _figure("uptime_seconds", body.get("uptime_seconds")),
            "gpus": [_gpu(place, gpu) for place, gpu in enumerate(gpus[:MOST_GPUS]) if isinstance(gpu, Mapping)]
            if isinstance(gpus, list)
            else [],
        },
        sample={measure: figures[measure] for measure in MEASURES},
    )


def _gpu(place: int, gpu: Mapping[str, Any]) -> dict[str, Any]:
    index = gpu.get("index")
    figures = {key: _figure(key, gpu.get(key)) for key in ("percent", "memory_percent", "temperature_c")}
    return {"index": index if type(index) is int and 0 <= index < 1000 else place, **figures}


def _figure(key: str, value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    least, most = BOUNDS.get(key, BOUNDS["percent"])
    return round(float(value), 2) if least <= value <= most else None  # what is not a number lies nowhere between


def _word(value: Any, most: int) -> str:
    return value.replace("\0", "")[:most] if isinstance(value, str) else ""
