"""A machine with an agent, and what such an agent reports about letting the buyer in: through the real services."""

from datetime import datetime, timedelta
from typing import Any

from accounts.models import SSHKey, User
from accounts.services.ssh_keys import add_key
from bookings.models import Booking
from bookings.services import run
from machines.models import AccessKind, AgentStatus, Machine, Node, Work
from machines.services import reporting, work
from tests.agents import SigningAgent, make_agent, moment
from tests.people import DAY, make_paid

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH7sKqEgfWyoqQYXdJ5Ma0dVZrC5lLeSyXpT8B6yPzRb"
RSA, ED25519 = f"SHA256:{'R' * 43}", f"SHA256:{'E' * 43}"


def inventory(**changes: Any) -> dict[str, Any]:
    """A server with two GPUs, as its agent reads it."""
    gpus = [
        {"index": index, "model": "NVIDIA H100 80GB HBM3", "memory_mb": 81559, "uuid": f"GPU-{index}"}
        for index in range(2)
    ]
    return {
        "version": 1,
        "os": {"name": "Debian GNU/Linux 12 (bookworm)", "architecture": "x86_64"},
        "cpu": {"model": "AMD EPYC 9654", "sockets": 2, "cores": 192, "threads": 384},
        "memory_mb": 1_547_000,
        "gpus": gpus,
        "disks": [{"name": "nvme0n1", "model": "PM9A3", "serial_sha256": "a" * 64, "size_gb": 3840, "kind": "NVMe"}],
    } | changes


def without_a_gpu() -> dict[str, Any]:
    """The same server after somebody has taken one out."""
    return inventory(gpus=inventory()["gpus"][:1])


def automatic(machine: Machine, *, kind: str = AccessKind.AGENT) -> Machine:
    """The machine is handed over by its agent from now on."""
    machine.access_kind, machine.provider_agent_status = kind, AgentStatus.ONLINE
    machine.save(update_fields=["access_kind", "provider_agent_status"])
    return machine


def with_agent(machine: Machine, node: Node | None = None, **fields: Any) -> SigningAgent:
    return make_agent(machine, node, **({"address": "203.0.113.7", "inventory": inventory()} | fields))


def give_key(user: User, *, now: datetime, text: str = KEY, ago: timedelta = 10 * DAY) -> SSHKey:
    """A key that the person has had for a while."""
    key = add_key(user=user, text=text, name="laptop")
    SSHKey.objects.filter(pk=key.pk).update(created_at=now - ago)
    return SSHKey.objects.get(pk=key.pk)


def begin(
    listing: Any, buyer: User, *, start: datetime, hours: float = 4, ahead: timedelta = timedelta(hours=1)
) -> Booking:
    """Asked for and paid ``ahead`` of its start, and started at it: the agents have been asked to let the buyer in."""
    booking = make_paid(listing, buyer, start=start, hours=hours, asked=start - ahead)
    assert run.start_booking(booking_id=booking.pk, now=booking.start)
    booking.refresh_from_db()
    return booking


def take(agent: SigningAgent, *, now: datetime) -> Work | None:
    """The agent asks for work and puts it into its journal."""
    piece = work.next_work(agent=agent.row, have=[], now=now)
    if piece is not None:
        work.acknowledge(agent=agent.row, work_id=piece.pk, attempt=piece.attempt, now=now)
    return piece


def result(piece: Work, *, now: datetime, port: int = 22, **changes: Any) -> dict[str, Any]:
    """What an agent reports that has made the account and logged in to it."""
    keys = [
        SSHKey.objects.filter(public_key=key).values_list("fingerprint", flat=True)[0] for key in piece.payload["keys"]
    ]
    return {
        "account": piece.payload["account"],
        "ssh": {"host": "", "port": port},
        "host_keys": [{"type": "ssh-rsa", "fingerprint": RSA}, {"type": "ssh-ed25519", "fingerprint": ED25519}],
        "keys": keys,
        "login_checked_at": moment(now),
        "inventory": inventory(),
        "log": "useradd: done",
    } | changes


def report(agent: SigningAgent, piece: Work, outcome: dict[str, Any], *, now: datetime, error: str = "") -> bool:
    envelope = agent.report(piece, outcome, status="failed" if error else "done", error=error, now=now)
    return reporting.report_work(agent=agent.row, work_id=piece.pk, envelope=envelope, now=now)


def hand_over(agent: SigningAgent, *, now: datetime, **changes: Any) -> Work:
    """The agent takes the next piece, does it and reports it."""
    piece = take(agent, now=now)
    assert piece is not None
    report(agent, piece, result(piece, now=now, **changes), now=now)
    return piece


def fail(agent: SigningAgent, *, now: datetime, error: str = "useradd is missing.") -> Work:
    piece = take(agent, now=now)
    assert piece is not None
    report(agent, piece, {}, now=now, error=error)
    return piece
