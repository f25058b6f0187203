"""Having machines measured by their agents, and taking what they found: pending, or rejected at once if it cannot be."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from accounts.services.roles import require_administrator
from common import benchmark_check
from common.ids import uuid7
from machines.models import (
    Agent,
    Benchmark,
    BenchmarkStatus,
    Challenge,
    Machine,
    Report,
    Work,
    WorkKind,
    WorkState,
)
from machines.models.benchmark import LEAST, MOST, VALUES
from machines.services import benchmarks, messages
from machines.services.busy import is_busy
from machines.services.errors import Implausible, MachineError
from machines.services.work import ask_for

#: What the nodes of a cluster reach together, and what is only as good as the worst of them.
SUMMED = ("gpu_throughput_fp16", "gpu_throughput_fp32", "cpu_score")
#: How long a run may take, in seconds; nothing is measured on a machine that is due to be handed over within it.
SECONDS = 120
CLEAR_AHEAD = timedelta(minutes=15)
SPEED_PATH = "/agent/v1/speed/"
MOST_REASON = 300
#: GPUs whose answers are computed again here, a tenth of a second each; of more, these are drawn by lot.
MOST_PRODUCTS = 16


@transaction.atomic
def ask_for_benchmark(
    *, machine: Machine, by: User | None, now: datetime, challenge: Challenge | None = None
) -> list[Work]:
    """Have every server of a machine measured, each with a seed of its own. Asking while one runs changes nothing.

    Raises:
        MachineError: it has no agent, a buyer is on it or about to be, or not all of its nodes have an agent.
    """
    machine = Machine.objects.select_for_update(no_key=True).get(pk=machine.pk)
    agents = list(Agent.objects.enrolled().filter(machine=machine).select_related("node"))
    if not agents or (machine.is_cluster and len(agents) < machine.nodes.count()):
        raise MachineError(gettext("Not every server of this machine has an agent yet."))
    if is_busy(machine) or _is_due(machine, now=now):
        raise MachineError(
            gettext("A booking runs on this machine or is about to. It is measured when nobody is on it.")
        )
    underway = list(Work.objects.open().filter(agent__in=agents, kind=WorkKind.BENCHMARK))
    if underway:
        return underway
    run = uuid7()
    return [
        ask_for(
            agent=agent,
            kind=WorkKind.BENCHMARK,
            key=f"benchmark:{run}:{agent.pk}",
            payload=_payload(run, machine, agent, challenge),
            now=now,
            by=by,
        )
        for agent in agents
    ]


def _is_due(machine: Machine, *, now: datetime) -> bool:
    coming = machine.bookings.filter(paid_at__isnull=False, started_at=None, canceled_at=None)
    return bool(coming.filter(start__lt=now + CLEAR_AHEAD, end__gt=now).exists())


def _payload(run: UUID, machine: Machine, agent: Agent, challenge: Challenge | None) -> dict[str, Any]:
    host, _, port = settings.MARKETPLACE_IPERF3.rpartition(":")
    return {
        "benchmark": str(run),
        "challenge": str(challenge.pk) if challenge else "",
        "seed": secrets.token_hex(32),
        "gpu_count": agent.node.gpu_count if agent.node else machine.gpu_count,
        "gpu_memory_gb": machine.gpu_memory_gb,
        "values": list(VALUES),
        "download_url": SPEED_PATH,
        "upload_url": SPEED_PATH,
        "iperf3": {"host": host, "port": int(port)} if host else None,
        "seconds": SECONDS,
    }


@transaction.atomic
def challenge_provider(*, provider: User, by: User, now: datetime, reason: str = "") -> tuple[Challenge, list[Machine]]:
    """Measure all machines of a provider at the same moment. Returns the challenge and the machines it has to leave out.

    Raises:
        MachineError: none of them can be measured now.
        NotAnAdministrator: ``by`` may not.
    """
    require_administrator(by)
    challenge = Challenge.objects.create(provider=provider, made_at=now, made_by=by, reason=reason[:300])
    left_out, asked = [], 0
    for machine in Machine.objects.of(provider).filter(agents__revoked_at=None, agents__isnull=False).distinct():
        try:
            asked += len(ask_for_benchmark(machine=machine, by=by, now=now, challenge=challenge))
        except MachineError:
            left_out.append(machine)
    if not asked:
        raise MachineError("None of this provider's machines can be measured now: no agent, or a buyer is on it.")
    return challenge, left_out


def take_run(*, work: Work, report: Report | None, now: datetime) -> Benchmark | None:
    """Take one server's run. The benchmark is made once every server of the machine has answered.

    Raises:
        Implausible: it answers another seed, or its figures are no figures.
    """
    if report is None or work.state != WorkState.DONE:
        return None
    _check(work, now=now)
    # Two nodes that answer at once: the second sees the first.
    Machine.objects.select_for_update(no_key=True).get(pk=work.agent.machine_id)
    mine = Work.objects.filter(kind=WorkKind.BENCHMARK, payload__benchmark=work.payload["benchmark"])
    works = list(mine.select_related("agent__machine", "agent__node").order_by("agent__node__name"))
    if any(other.state != WorkState.DONE for other in works if other.pk != work.pk):
        return None
    return _make([work if other.pk == work.pk else other for other in works], now=now)


def _check(work: Work, *, now: datetime) -> None:
    result = work.result
    values = result.get("values")
    if result.get("seed") != work.payload["seed"]:
        raise Implausible("The run was not drawn from the seed that it was given.")
    if not isinstance(values, dict) or any(not _is_figure(values.get(name)) for name in VALUES):
        raise Implausible(f"A measured value is a number between {LEAST:g} and {MOST:g}, or missing.")
    if not isinstance(result.get("reasons", {}), dict) or not isinstance(result.get("details", {}), dict):
        raise Implausible("Reasons and details are kept by the names of the values.")
    began = work.leased_at or work.created_at
    age = settings.MARKETPLACE_AGENT_MESSAGE_AGE
    if not began - age <= messages.moment(result.get("collected_at")) <= now + age:
        raise Implausible("The run was not made when it was asked for.")
    _check_product(work, values)


def _is_figure(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and LEAST <= value <= MOST)


def _check_product(work: Work, values: Mapping[str, Any]) -> None:
    """GPUs that have a figure have multiplied what the seed gave them: the server does the same and compares."""
    if values.get("gpu_throughput_fp16") is None and values.get("gpu_throughput_fp32") is None:
        return
    gpu = work.result.get("details", {}).get("gpu")
    found = gpu.get("check") if isinstance(gpu, dict) else None
    if not isinstance(found, list) or len(found) != work.payload["gpu_count"]:
        raise Implausible(f"Not every one of the {work.payload['gpu_count']} GPUs has shown what it computed.")
    for index in sorted(SystemRandom().sample(range(len(found)), min(len(found), MOST_PRODUCTS))):
        if found[index] != benchmark_check.expected(work.payload["seed"], index):
            raise Implausible(f"GPU {index} did not compute what the seed asks for.")


def _make(works: Sequence[Work], *, now: datetime) -> Benchmark:
    machine = works[0].agent.machine
    values = {name: _together(name, [work.result["values"].get(name) for work in works]) for name in VALUES}
    run = Benchmark(
        id=UUID(works[0].payload["benchmark"]),
        machine=machine,
        collected_at=max(messages.moment(work.result["collected_at"]) for work in works),
        source=f"rsm-agent {works[0].agent.version}",
        agent_version=works[0].agent.version,
        is_simulated=any(work.agent.is_simulated for work in works),
        seed=works[0].payload["seed"],
        reasons=_reasons(works, values),
        details={work.agent.node_name: work.result.get("details", {}) for work in works},
        requested_by=works[0].created_by,
        challenge=_challenge(works[0]),
        **values,
    )
    run.collected_at = min(run.collected_at, now)
    try:
        benchmarks.check_plausible(machine, values)
    except MachineError as error:
        run.status, run.decided_at, run.reason = BenchmarkStatus.REJECTED, now, error.message
    run.save(force_insert=True)
    run.reports.set(Report.objects.filter(work__in=works))
    if run.is_rejected:
        benchmarks.tell_rejected(run)
    return run


def _challenge(work: Work) -> Challenge | None:
    named = work.payload["challenge"]
    return Challenge.objects.get(pk=named) if named else None


def _together(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return sum(known) if name in SUMMED else min(known)


def _reasons(works: Sequence[Work], values: Mapping[str, float | None]) -> dict[str, str]:
    """Why a value is missing, of the first server that has not measured it."""
    reasons = {}
    for name in VALUES:
        if values[name] is None:
            silent = next(work for work in works if work.result["values"].get(name) is None)
            why = str(silent.result.get("reasons", {}).get(name) or "The agent gave no reason.")[:MOST_REASON]
            reasons[name] = f"{silent.agent.node_name}: {why}" if silent.agent.node_name else why
    return reasons
