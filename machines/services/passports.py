"""The hardware passport: what the agents read, kept version by version, so that a booking can name the one it booked."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from machines import hardware
from machines.models import Agent, HardwarePassport, Machine
from machines.services import claims, inventories
from machines.services.claims import adopt_inventory, claim_differences

__all__ = ["adopt_inventory", "claim_differences", "differences", "is_complete", "take_inventory"]


@transaction.atomic
def take_inventory(*, agent: Agent, inventory: Any, now: datetime) -> HardwarePassport:
    """Keep what an agent read, and give the machine a new passport if its hardware is not what the newest one says.

    A machine that was added with the agent gets its own columns filled by the first complete reading. Locks the
    machine.

    Raises:
        AgentRefused: it is no inventory (``malformed``).
    """
    agent.inventory, agent.inventory_at = _with_host_keys(agent, inventories.clean(inventory), now=now), now
    machine = Machine.objects.select_for_update(no_key=True).get(pk=agent.machine_id)
    agent.save(update_fields=["inventory", "inventory_at"])
    passport = _renewed(machine, now=now)
    if machine.awaits_inventory and is_complete(passport, machine):
        claims.fill(machine, passport, now=now)
    return passport


def _with_host_keys(agent: Agent, inventory: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """The inventory, with the moment at which the host keys became others: no hardware, but buyers' ssh warns of it."""
    before, after = agent.inventory.get("host_keys"), inventory.get("host_keys")
    changed_at = agent.inventory.get("host_keys_changed_at")
    if before and before != after:
        changed_at = now.isoformat()
    return inventory | {"host_keys_changed_at": changed_at} if changed_at else inventory


def differences(passport: HardwarePassport, inventories: Mapping[str, Mapping[str, Any]]) -> list[hardware.Change]:
    """What is not as the passport says, by the inventories of the moment: by name of node, or ``""``.

    Servers of which there is no inventory now are left out.
    """
    read = {name: hardware.facts_of(inventory) for name, inventory in inventories.items()}
    before = {name: facts for name, facts in passport.facts["nodes"].items() if name in read}
    return hardware.node_changes(before, read)


def is_complete(passport: HardwarePassport, machine: Machine) -> bool:
    """Whether every server of the machine has been read."""
    return _names(machine) <= set(passport.facts["nodes"])


def _names(machine: Machine) -> set[str]:
    return {node.name for node in machine.nodes.all()} if machine.is_cluster else {""}


def _renewed(machine: Machine, *, now: datetime) -> HardwarePassport:
    """The newest passport, which is a new one where the hardware has changed."""
    newest = machine.passports.first()
    agents = list(machine.agents.enrolled().exclude(inventory={}).select_related("node"))
    # A node whose agent is gone is still there, as far as anybody knows.
    known = dict(newest.facts["nodes"]) if newest else {}
    read = {agent.node_name: hardware.facts_of(agent.inventory) for agent in agents}
    names = _names(machine)
    nodes = {name: facts for name, facts in (known | read).items() if name in names}
    changes = hardware.node_changes(newest.facts["nodes"], nodes) if newest else []
    if newest and not changes:
        return newest
    facts = {"nodes": nodes}
    return HardwarePassport.objects.create(
        machine=machine,
        version=newest.version + 1 if newest else 1,
        facts=facts,
        sha256=hardware.digest(facts),
        changes=changes,
        made_at=now,
        is_simulated=any(agent.is_simulated for agent in agents),
    )
