"""Agents as rows, for tests of what is made of what they say; the protocol is tested with real keys elsewhere."""

from datetime import datetime
from typing import Any

from common.ids import uuid7
from machines.models import AccessKind, Agent, Machine, MachineKind, Node
from tests.people import make_machine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def make_agent(machine: Machine, *, now: datetime, node: Node | None = None, **fields: Any) -> Agent:
    values: dict[str, Any] = {
        "public_key": KEY,
        "fingerprint": "SHA256:" + "k" * 43,
        "token_hash": uuid7().hex,
        "version": "1.0.0",
        "hostname": node.name if node else "node-1",
        "address": "192.0.2.7",
        "enrolled_at": now,
        "enrolled_by": machine.provider,
    }
    return Agent.objects.create(machine=machine, node=node, **(values | fields))


def make_unread(provider: Any, *nodes: str, **fields: Any) -> Machine:
    """As the form "Add a machine" makes it: nothing is known of its hardware."""
    nothing = {
        "gpu_model": "", "gpu_count": 0, "gpu_memory_gb": 0, "cpu_model": "not read yet", "cpu_cores": 0, "ram_gb": 0,
        "disk_type": "not read yet", "disk_size_gb": 0, "os": "not read yet", "access_kind": AccessKind.AGENT,
    }  # fmt: skip
    kind = MachineKind.CLUSTER if nodes else MachineKind.SINGLE
    machine = make_machine(provider, **({"name": "new-1", "kind": kind} | nothing | fields))
    for name in nodes:
        Node.objects.create(machine=machine, name=name, gpu_count=0, cpu_cores=0, ram_gb=0, disk_size_gb=0)
    return machine
