"""Machines whose figure is computed: with an agent, and a past in which they were on offer and silent at times."""

from datetime import datetime, timedelta
from itertools import count

from machines.models import AccessKind, Agent, AgentStatus, ListedPeriod, Machine, MaintenanceWindow, Node, Outage

_NUMBERS = count()


def give_agent(machine: Machine, *, since: datetime, node: Node | None = None) -> Agent:
    """An agent that has been there ``since``, and with it access without a person."""
    machine.access_kind = AccessKind.AGENT
    machine.provider_agent_status = AgentStatus.ONLINE
    machine.save(update_fields=["access_kind", "provider_agent_status"])
    number = next(_NUMBERS)
    return Agent.objects.create(
        machine=machine,
        node=node,
        public_key=f"ssh-ed25519 {number}",
        fingerprint=f"SHA256:{number}",
        token_hash=f"{number:064x}",
        status=AgentStatus.ONLINE,
        enrolled_at=since,
        enrolled_by=machine.provider,
    )


def listed(machine: Machine, start: datetime, end: datetime | None = None) -> ListedPeriod:
    return ListedPeriod.objects.create(machine=machine, began_at=start, ended_at=end)


def silent(agent: Agent, start: datetime, minutes: float | None) -> Outage:
    """Not heard of from ``start`` for so long; ``None``: still not."""
    ended = None if minutes is None else start + timedelta(minutes=minutes)
    return Outage.objects.create(machine_id=agent.machine_id, agent=agent, began_at=start, ended_at=ended)


def closed(machine: Machine, start: datetime, minutes: float, **fields: object) -> MaintenanceWindow:
    return MaintenanceWindow.objects.create(
        machine=machine,
        kind="power",
        start=start,
        end=start + timedelta(minutes=minutes),
        announced_by=machine.provider,
        **fields,
    )
