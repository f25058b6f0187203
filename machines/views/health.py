"""How a machine is doing: now, over the last day, over the last month."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.requests import AuthenticatedRequest
from common import formats
from machines import health
from machines.loading import machine_watched_by
from machines.models import Machine
from machines.services.downtime import down_time

#: Above these a figure is marked: (share of the whole, tone), the first that fits.
LOADS = ((0.95, "bad"), (0.85, "warn"))
HEAT = ((90.0, "bad"), (80.0, "warn"))
SHARES = (
    ("CPU", "cpu_percent"),
    ("GPU", "gpu_percent"),
    (_("GPU memory"), "gpu_memory_percent"),
    (_("Memory"), "memory_percent"),
    (_("Disk"), "disk_percent"),
)
FLOWS = ((_("Network in"), "network_rx_mbps"), (_("Network out"), "network_tx_mbps"))
#: A busy machine is no trouble; a full one is.
FILLS = ("memory_percent", "gpu_memory_percent", "disk_percent")
OUTAGES = 20
#: Long, and on the agent's own page.
NOT_SHOWN = ("inventory", "self_test", "public_key")


@login_required
@require_GET
def machine_health(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Asks again by itself: the page, or for htmx what changes of it."""
    machine = machine_watched_by(request.user, pk)
    now = timezone.now()
    span = health.SPANS.get(request.GET.get("span", ""), health.SPANS["day"])
    nodes = [node.name for node in machine.nodes.all()] if machine.is_cluster else []
    node = request.GET.get("node", "") if request.GET.get("node", "") in nodes else ""
    start, end = span.window(now)
    stretches = health.stretches(machine, start, end, now=now, node=node)
    told = [one for one in stretches if one.kind != "before"]
    bands = health.bands(stretches, start, end)
    agents = list(machine.agents.enrolled().select_related("node").defer(*NOT_SHOWN).order_by("node__name"))
    context = {
        "machine": machine,
        "is_mine": machine.provider_id == request.user.pk,
        "agents": [(agent, _figures(machine, agent.health)) for agent in agents],
        "shown": _figures(machine, machine.health_indicators),
        "gpus": agents[0].health.get("gpus", []) if len(agents) == 1 else [],
        "last_heartbeat": min((a.last_heartbeat_at for a in agents if a.last_heartbeat_at), default=None),
        "online": sum(agent.is_online for agent in agents),
        "servers": len(nodes) or 1,
        "down": down_time(machine=machine, start=now - health.SPANS["month"].length, end=now, now=now),
        "spans": health.SPANS.values(),
        "span": span,
        "start": start,
        "end": end,
        "nodes": nodes,
        "node": node,
        "bands": bands,
        "charts": health.charts(machine, span, node=node, bands=bands, now=now) if agents or told else [],
        "stretches": [_step(one) for one in told[:OUTAGES]],
        "more": max(len(told) - OUTAGES, 0),
    }
    fragment = request.htmx  # type: ignore[attr-defined]
    return render(request, "machines/_health.html" if fragment else "machines/health.html", context)


def _figures(machine: Machine, said: dict[str, Any]) -> list[dict[str, Any]]:
    """What a server, or all of them, said last: words, and a share of one for the meter."""
    found = []
    for label, measure in SHARES:
        value = said.get(measure)
        if value is None or (measure.startswith("gpu_") and not machine.gpu_count):
            continue
        tone = _tone(value / 100, LOADS) if measure in FILLS else ""
        found.append({"label": label, "words": formats.percent(value / 100), "share": value / 100, "tone": tone})
    if (heat := said.get("temperature_c")) is not None:
        found.append({"label": gettext("Temperature"), "words": formats.number(heat, "°C"), "tone": _tone(heat, HEAT)})
    for label, measure in FLOWS:
        if (value := said.get(measure)) is not None:
            found.append({"label": label, "words": formats.number(round(value, 1), "Mbit/s")})
    return found


def _tone(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next((tone for least, tone in steps if value >= least), "")


def _step(one: health.Stretch) -> dict[str, Any]:
    """As the timeline takes it."""
    length = formats.duration(one.end - one.start)
    detail = gettext("for %(length)s until now") if one.is_going_on else gettext("until %(when)s, %(length)s")
    return {
        "at": one.start,
        "title": f"{one.words[:1].upper()}{one.words[1:]}",
        "detail": detail % {"length": length, "when": formats.when(one.end)},
        "state": "bad" if one.kind == "outage" else "done",
    }
