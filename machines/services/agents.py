"""What a provider does with the agents of a machine: asking them to look again, and no longer believing one."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from common.rates import spend
from machines.models import Agent, Machine, Work, WorkKind
from machines.services.busy import is_busy
from machines.services.errors import MachineError
from machines.services.silence import gone_for_good
from machines.services.work import ask_for

MOST_REASON = 200
#: Readings of one machine's hardware that are asked for by hand: what the agents answer is kept for good.
INVENTORY_RATE = "30/hour"


@transaction.atomic
def revoke_agent(*, agent: Agent, by: User, now: datetime, reason: str) -> Agent:
    """Believe nothing more that it says, and ask it for nothing more. The machine is offline. Twice is quiet.

    Only an administrator may do so while a buyer's data may be on the machine: nobody else could erase it then.

    Raises:
        MachineError: a booking runs on the machine, or the erasure after one is not shown yet.
    """
    machine = Machine.objects.select_for_update(no_key=True).get(pk=agent.machine_id)
    row = Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
    if row.revoked_at is not None:
        return row
    if is_busy(machine) and not by.is_platform_administrator:
        raise MachineError(
            _(
                "A booking runs on this machine, or the erasure after one is not shown yet. "
                "Only the agent can show it, so it stays until then."
            )
        )
    row.machine = machine
    gone_for_good(agent=row, because=reason.strip()[:MOST_REASON], by=by, now=now)
    return row


@transaction.atomic
def ask_for_inventory(*, machine: Machine, by: User, now: datetime) -> list[Work]:
    """Have every agent of a machine look at its hardware again. Asking while one is at it changes nothing.

    Raises:
        MachineError: the machine has no agent.
        TooManyRequests: that was asked too often.
    """
    spend(INVENTORY_RATE, "inventory", str(machine.pk))
    machine = Machine.objects.select_for_update(no_key=True).get(pk=machine.pk)
    agents = list(Agent.objects.enrolled().filter(machine=machine))
    if not agents:
        raise MachineError(_("This machine has no agent yet."))
    asked = Work.objects.open().filter(agent__in=agents, kind=WorkKind.INVENTORY).values_list("agent_id", flat=True)
    return [
        ask_for(
            agent=agent,
            kind=WorkKind.INVENTORY,
            key=f"inventory:{agent.pk}:{now:%Y%m%dT%H%M%S%f}",
            payload={},
            now=now,
            by=by,
        )
        for agent in agents
        if agent.pk not in set(asked)
    ]
