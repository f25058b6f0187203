"""The servers that a booking ran on, and how far the erasure of each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from bookings.models import Booking, DataWipe, WipeEvidence, WipeMethod
from bookings.services.evidence import holds
from machines.models import Agent, Work, WorkKind


@dataclass(frozen=True)
class Server:
    """One server that a booking ran on: the machine itself, or a node of a cluster.

    ``agents``: every agent it has had since; one that was enrolled anew takes over from the one before. ``agent``: the
    one that is there now, if any.
    """

    name: str
    agents: tuple[Agent, ...]
    agent: Agent | None

    def newest_evidence(self, booking: Booking) -> WipeEvidence | None:
        ids = {agent.pk for agent in self.agents}
        found = [row for row in booking.evidence.all() if row.agent_id in ids]
        return max(found, key=lambda row: (row.received_at, row.pk), default=None)

    def is_clean(self, booking: Booking) -> bool:
        newest = self.newest_evidence(booking)
        return newest is not None and newest.is_complete


def servers_of(booking: Booking) -> list[Server]:
    """Every server whose agent was ever asked to let this buyer in; where none was, all that the machine has."""
    agents = Agent.objects.filter(machine=booking.machine_id).select_related("machine", "node").order_by("enrolled_at")
    asked = {
        _place(agent)
        for agent in agents.filter(work__kind=WorkKind.PROVISION, work__booking_id=booking.pk)
        if agent.machine_id == booking.machine_id
    }
    at: dict[UUID | None, list[Agent]] = {}
    for agent in agents:
        if _place(agent) in asked or (not asked and agent.revoked_at is None):
            at.setdefault(_place(agent), []).append(agent)
    servers = [
        Server(there[-1].node_name, tuple(there), next((a for a in there if a.revoked_at is None), None))
        for there in at.values()
    ]
    return sorted(servers, key=lambda server: server.name)


def _place(agent: Agent) -> UUID | None:
    """What stays the same when a server is enrolled anew. A node that was deleted is nobody else's place."""
    return (agent.node_id or agent.pk) if agent.machine.is_cluster else None


def wipes_asked_of(server: Server, booking: Booking) -> list[Work]:
    """Every wipe after this booking that the server was asked for, the newest first."""
    wipes = Work.objects.filter(kind=WorkKind.WIPE, booking_id=booking.pk, agent__in=server.agents)
    return list(wipes.order_by("-created_at", "-pk"))


@dataclass(frozen=True)
class Progress:
    """How far one server is: its newest evidence, the steps as they stand in it, and what goes on now."""

    server: Server
    evidence: WipeEvidence | None
    steps: list[tuple[WipeMethod, DataWipe | None]]
    work: Work | None

    #: Whether the evidence is still what the machine signed; ``None`` where there is none or it cannot be read now.
    holds: bool | None = None

    @property
    def name(self) -> str:
        return self.server.name


def progress(booking: Booking) -> list[Progress]:
    """Every server of a booking whose machine erases itself. Wants ``evidence`` and ``wipes`` of it prefetched."""
    wipes = Work.objects.filter(kind=WorkKind.WIPE, booking_id=booking.pk).order_by("created_at", "pk")
    newest = {work.agent_id: work for work in wipes}
    return [_progress(booking, server, newest) for server in servers_of(booking)]


def _progress(booking: Booking, server: Server, works: Mapping[UUID, Work]) -> Progress:
    newest = server.newest_evidence(booking)
    steps = {wipe.method: wipe for wipe in booking.wipes.all() if newest and wipe.signed_id == newest.pk}
    return Progress(
        server,
        newest,
        [(method, steps.get(method.value)) for method in WipeMethod],
        # Agents are in the order in which they were enrolled: the last one that was asked has the last word.
        next((works[agent.pk] for agent in reversed(server.agents) if agent.pk in works), None),
        holds(newest) if newest else None,
    )
