"""How a server becomes known: a one-time code on the provider's page, and a key pair that stays on the machine."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from common import sshsig
from machines.models import AccessKind, Agent, EnrollmentCode, Machine, Node
from machines.services import inventories, messages, passports
from machines.services.busy import is_busy
from machines.services.errors import AgentRefused, MachineError
from machines.services.silence import gone_for_good

#: No 0 and O, no 1 and I: codes are read off a screen.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
GROUPS, GROUP = 3, 4
#: Where sshd listens if nobody says otherwise: a machine's port before anyone has.
SSH_PORT = 22


@dataclass(frozen=True)
class Enrolled:
    """A new agent and the only sight of its token."""

    agent: Agent
    token: str


def digest(secret: str) -> str:
    """How codes and tokens are kept. They are long and random, so no salt and no stretching."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def make_code(*, machine: Machine, node: Node | None, by: User, now: datetime) -> str:
    """A code for one server, shown once. Codes of the same server that were not used yet are worthless from now on.

    Raises:
        MachineError: a cluster's code is for one of its nodes, a single server's for none.
    """
    if machine.is_cluster != (node is not None) or (node is not None and node.machine_id != machine.pk):
        raise MachineError(gettext("Say which node of the cluster this is for."), field="node")
    EnrollmentCode.objects.filter(machine=machine, node=node, used_at=None, expires_at__gt=now).update(expires_at=now)
    letters = "".join(secrets.choice(LETTERS) for _ in range(GROUPS * GROUP))
    code = "-".join(letters[at : at + GROUP] for at in range(0, len(letters), GROUP))
    EnrollmentCode.objects.create(
        machine=machine,
        node=node,
        code_hash=digest(code),
        made_at=now,
        made_by=by,
        expires_at=now + settings.MARKETPLACE_ENROLLMENT_CODE,
    )
    return code


@transaction.atomic
def enroll(*, envelope: Any, address: str | None, now: datetime) -> Enrolled:
    """Take a server in by its code. What it says is signed with the key that it brings.

    The same code and key again, while the code lasts, give a fresh token: the answer had got lost.

    Raises:
        AgentRefused: the message or the code is not to be believed.
    """
    signed = messages.opened(envelope, kind="enroll")
    message = signed.message
    key = _key_in(message)
    messages.check_signature(signed, key.text)
    messages.check_time(signed, now=now)
    code = _code_in(message, now=now)
    if message.get("simulated") and not settings.MARKETPLACE_ALLOW_SIMULATED:
        raise AgentRefused("malformed", "Simulated machines are not let in here.", status=400)
    if code.used_at is not None:
        return _again(code, key.text, signed, now=now)
    machine = Machine.objects.select_for_update(no_key=True).get(pk=code.machine_id)
    _replace(machine, code, now=now)
    _check_same_server(machine, code, message)
    token = secrets.token_urlsafe(32)
    agent = Agent.objects.create(
        machine=machine,
        node=code.node,
        public_key=key.text,
        fingerprint=key.fingerprint,
        token_hash=digest(token),
        token_made_at=now,
        sequence=message["sequence"],
        version=_text(message, "version", 40),
        hostname=_text(message, "hostname", 253),
        address=address,
        is_simulated=bool(message.get("simulated")),
        enrolled_at=now,
        enrolled_by=code.made_by,
    )
    code.used_at, code.agent = now, agent
    code.save(update_fields=["used_at", "agent"])
    _settle(machine, message, now=now)
    passports.take_inventory(agent=agent, inventory=message.get("inventory"), now=now)
    return Enrolled(agent, token)


def _key_in(message: dict[str, Any]) -> sshsig.PublicKey:
    try:
        return sshsig.read_public_key(_text(message, "public_key", 400))
    except ValueError as error:
        raise messages.malformed(str(error)) from error


def _code_in(message: dict[str, Any], *, now: datetime) -> EnrollmentCode:
    text = _text(message, "code", 40).upper().replace(" ", "")
    code = EnrollmentCode.objects.select_for_update(of=("self",)).filter(code_hash=digest(text)).first()
    if code is None:
        raise AgentRefused("bad_code", "There is no such code. Ask for a new one on the machine's page.", status=409)
    if now >= code.expires_at:
        raise AgentRefused("bad_code", "The code has expired. Ask for a new one on the machine's page.", status=409)
    return code


def _again(code: EnrollmentCode, key: str, signed: messages.Signed, *, now: datetime) -> Enrolled:
    agent = Agent.objects.select_for_update(of=("self",)).select_related("machine", "node").get(enrollment_codes=code)
    if agent.public_key != key or agent.revoked_at is not None:
        raise AgentRefused("bad_code", "The code has been used.", status=409)
    messages.check_sequence(signed, agent)
    token = secrets.token_urlsafe(32)
    agent.sequence, agent.token_hash, agent.next_token_hash = signed.message["sequence"], digest(token), None
    agent.token_made_at = now
    agent.save(update_fields=["sequence", "token_hash", "next_token_hash", "token_made_at"])
    return Enrolled(agent, token)


def _replace(machine: Machine, code: EnrollmentCode, *, now: datetime) -> None:
    """A server has one agent. A reinstalled one takes the place of the old, unless a buyer's data may be there."""
    before = Agent.objects.select_for_update().filter(machine=machine, node=code.node, revoked_at=None).first()
    if before is None:
        return
    if is_busy(machine):
        raise AgentRefused(
            "bad_code",
            "A booking runs on this machine, or its erasure is not shown. Only the agent that it has can show it.",
            status=409,
        )
    before.machine = machine
    gone_for_good(agent=before, because="Replaced by a new enrollment", by=code.made_by, now=now)


def _check_same_server(machine: Machine, code: EnrollmentCode, message: dict[str, Any]) -> None:
    """While a buyer's data may be on a machine whose agent is gone, only that very server may take its place.

    Another one would find nothing of the buyer, and sign that nothing is there.
    """
    passport = machine.passports.first()
    if passport is None or not is_busy(machine):
        return
    name = code.node.name if code.node else ""
    read = inventories.clean(message.get("inventory"))
    if found := passports.differences(passport, {name: read}):
        told = "; ".join(f"{change['what']}: {change['before']} → {change['after']}" for change in found)
        raise AgentRefused(
            "not_yours", f"A buyer's data may be on this machine, and this is another server. {told}"[:500], status=403
        )


def _settle(machine: Machine, message: dict[str, Any], *, now: datetime) -> None:
    """From now on the agent hands the machine over; where buyers log in is what it says, if the provider has not."""
    changed = []
    if machine.access_kind == AccessKind.MANUAL:
        machine.access_kind = AccessKind.AGENT
        changed.append("access_kind")
    ssh = message.get("ssh")
    if isinstance(ssh, dict) and not machine.is_cluster:
        host, port = ssh.get("host"), ssh.get("port")
        if isinstance(host, str) and host.strip() and not machine.ssh_host:
            machine.ssh_host = host.strip()[:253]
            changed.append("ssh_host")
        if type(port) is int and 0 < port < 65536 and machine.ssh_port == SSH_PORT != port:
            machine.ssh_port = port
            changed.append("ssh_port")
    if changed:
        machine.full_clean(exclude=[field.name for field in machine._meta.fields if field.name not in changed])
        machine.save(update_fields=[*changed, "updated_at"])


def _text(message: dict[str, Any], key: str, most: int) -> str:
    value = message.get(key)
    if not isinstance(value, str) or len(value) > most:
        raise messages.malformed(f"The message's {key} is no text of at most {most} signs.")
    return value.replace("\0", "").strip()
