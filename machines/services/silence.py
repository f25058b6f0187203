"""Servers that are not heard any more, and those that are heard again: outages, and telling the provider."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.telling import tell
from common.formats import duration, when
from machines.models import (
    Agent,
    AgentStatus,
    Machine,
    MaintenanceWindow,
    Outage,
    PlatformOutage,
    Work,
    WorkState,
)
from machines.services import pulse

log = logging.getLogger(__name__)

# The outages of a machine that overlap, and reach until now: since when is it away? Those that only touch are apart: it
# was heard once between them.
AWAY_SINCE = """
SELECT min(lower(away)) FROM (
    SELECT unnest(range_agg(tstzrange(began_at, COALESCE(ended_at, %(now)s), '()'))) AS away
    FROM outages WHERE hardware_id = %(machine)s
) AS stretches WHERE upper(away) >= %(now)s
"""


def sweep(*, now: datetime) -> int:
    """Call offline what is silent for too long, tell the providers. Returns how many machines have gone offline.

    Not while the marketplace was away itself: then everybody gets the time to come back first.
    """
    pulse.note_alive(now=now)
    if pulse.was_away_lately(now=now):
        return 0
    silent = Agent.objects.gone_silent(now=now)
    gone = 0
    if silent.exists() and not pulse.note_deafness(now=now):
        gone = sum(_each(call_offline, silent.values_list("machine", flat=True).distinct(), now=now))
    _each(tell_of_silence, _untold(now=now).values_list("machine", flat=True).distinct(), now=now)
    return gone


def _each(service: Callable[..., bool], machines: Iterable[UUID], *, now: datetime) -> list[bool]:
    """Each machine in a transaction of its own; what fails for one is logged and keeps no other from its turn."""
    done = []
    for pk in sorted(machines):
        try:
            done.append(service(machine_id=pk, now=now))
        except Exception:
            log.exception("%s failed for machine %s", service.__name__, pk)
    return done


@transaction.atomic
def call_offline(*, machine_id: UUID, now: datetime) -> bool:
    """Open the outages of the machine's servers that are silent. Returns whether the machine has gone offline."""
    machine = Machine.objects.select_for_update(no_key=True).get(pk=machine_id)
    silent = Agent.objects.gone_silent(now=now).filter(machine=machine).select_for_update(of=("self",), no_key=True)
    for agent in silent:
        agent.status = AgentStatus.OFFLINE
        agent.save(update_fields=["status"])
        assert agent.last_heartbeat_at is not None
        Outage.objects.bulk_create(
            [Outage(machine=machine, agent=agent, began_at=agent.last_heartbeat_at)], ignore_conflicts=True
        )
    return _follow(machine)


def gone_for_good(*, agent: Agent, because: str, by: User | None, now: datetime) -> None:
    """Believe nothing more that an agent says, and ask it for nothing more: its server is away until another speaks for it.

    The caller holds the locks of both rows. Nobody is told: whoever revoked it knows.
    """
    agent.revoked_at, agent.revoked_by, agent.revoked_because = now, by, because
    agent.status = AgentStatus.OFFLINE
    agent.save(update_fields=["revoked_at", "revoked_by", "revoked_because", "status"])
    Work.objects.open().filter(agent=agent).update(state=WorkState.CANCELED, finished_at=now, lease_until=None)
    Outage.objects.bulk_create(
        [Outage(machine=agent.machine, agent=agent, began_at=agent.last_heartbeat_at or now, told_at=now)],
        ignore_conflicts=True,
    )
    _follow(agent.machine)


def no_longer_watched(*, machine: Machine, now: datetime) -> None:
    """From now on a person hands the machine over: nobody waits for its heartbeats."""
    Outage.objects.filter(machine=machine, ended_at=None).update(ended_at=now)


def _follow(machine: Machine) -> bool:
    """Let the machine's status follow its servers'. The caller holds its lock. Returns whether it changed."""
    status = AgentStatus.ONLINE if is_whole(machine) else AgentStatus.OFFLINE
    if machine.provider_agent_status == status:
        return False
    machine.provider_agent_status = status
    machine.save(update_fields=["provider_agent_status", "updated_at"])
    return True


def is_whole(machine: Machine) -> bool:
    """All of its servers are online: the one, or every node of a cluster."""
    online = machine.agents.enrolled().filter(status=AgentStatus.ONLINE)
    if not machine.is_cluster:
        return online.filter(node=None).exists()
    nodes = set(machine.nodes.values_list("pk", flat=True))
    return bool(nodes) and nodes <= set(online.filter(node__isnull=False).values_list("node", flat=True))


def heard_again(*, machine: Machine, agent: Agent, before: datetime | None, now: datetime) -> None:
    """A server is heard after a pause, or for the first time: its outage ends, and the machine may be online again.

    The caller holds the locks of both rows. A pause that no sweep has seen is an outage too, unless it was the
    marketplace that was away for the most of it.
    """
    of_server = Outage.objects.filter(machine=machine, agent__node=agent.node_id, ended_at=None)
    # The agent of a server that was set up anew is another one; what it ends is the silence of the same server.
    if not of_server.update(ended_at=now) and before is not None and _was_silent(before, now):
        Outage.objects.create(machine=machine, agent=agent, began_at=before, ended_at=now)
    if _follow(machine) and machine.provider_agent_status == AgentStatus.ONLINE:
        _tell_of_return(machine, now=now)


def _was_silent(since: datetime, until: datetime) -> bool:
    """Whether it could have been heard for too long a time at a stretch, what the marketplace was away left out."""
    away = PlatformOutage.objects.filter(began_at__lt=until, ended_at__gt=since).order_by("began_at")
    for began_at, ended_at in away.values_list("began_at", "ended_at"):
        if began_at - since > settings.MARKETPLACE_AGENT_SILENCE:
            return True
        since = max(since, ended_at)
    return until - since > settings.MARKETPLACE_AGENT_SILENCE


# Telling the provider -----------------------------------------------------------------------------------


def _untold(*, now: datetime) -> QuerySet[Outage]:
    """Going on, of servers whose agent still counts, not told; where maintenance was announced, not before its end."""
    upkeep = MaintenanceWindow.objects.filter(canceled_at=None, start__lte=now, end__gt=now).values("machine")
    return Outage.objects.filter(ended_at=None, told_at=None, agent__revoked_at=None).exclude(machine__in=upkeep)


@transaction.atomic
def tell_of_silence(*, machine_id: UUID, now: datetime) -> bool:
    """Tell the provider that the machine is offline: once, however many of its servers are. Returns whether it did."""
    machine = Machine.objects.select_for_update(of=("self",), no_key=True).select_related("provider").get(pk=machine_id)
    untold = _untold(now=now).filter(machine=machine)
    outages = list(untold.select_related("agent__node").order_by("began_at"))
    is_told = Outage.objects.filter(machine=machine, ended_at=None, told_at__isnull=False).exists()
    untold.update(told_at=now)
    if not outages or is_told:
        return False
    first = outages[0]
    nodes = ", ".join(outage.agent.node_name for outage in outages if outage.agent.node_name)
    with written_for(machine.provider):
        _tell(
            machine,
            f"machine-silent:{first.pk}",
            _("Offline: %(machine)s") % {"machine": machine.name},
            " ".join(
                filter(
                    None,
                    (
                        _("The agent of %(machine)s does not answer any more.") % {"machine": machine.name},
                        _("No sign of node %(nodes)s.") % {"nodes": nodes} if nodes else "",
                        _("Last heard of %(when)s.") % {"when": when(first.began_at)},
                    ),
                )
            ),
            _(
                "While it is offline nobody new is let in, and buyers who are in get their time back. Look whether the "
                "server is up, has a network, and runs the agent: systemctl status rsm-agent."
            ),
            tone=Notification.Tone.BAD,
            now=now,
        )
    return True


def _tell_of_return(machine: Machine, *, now: datetime) -> None:
    since = _away_since(machine, now=now)
    if since is None:
        return
    told = (
        Outage.objects.filter(machine=machine, began_at__gte=since, told_at__isnull=False).order_by("began_at").first()
    )
    if told is None:
        return
    with written_for(machine.provider):
        away = {"machine": machine.name, "length": duration(now - since)}
        _tell(
            machine,
            f"machine-heard:{told.pk}",
            _("Online again: %(machine)s") % away,
            _("%(machine)s is online again. It was away for %(length)s.") % away,
            tone=Notification.Tone.GOOD,
            now=now,
        )


def _away_since(machine: Machine, *, now: datetime) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(AWAY_SINCE, {"machine": machine.pk, "now": now})
        since: datetime | None = cursor.fetchone()[0]
    return since


def _tell(machine: Machine, key: str, subject: str, *paragraphs: str, tone: str, now: datetime) -> None:
    page = f"/machines/{machine.pk}/health/"
    tell(
        user=machine.provider,
        event=EventKind.SILENT,
        key=key,
        subject=subject,
        paragraphs=paragraphs,
        action=(_("See how it is doing"), page),
        tone=tone,
        organization=machine.organization,
        about={"machine": str(machine.pk)},
        now=now,
    )
