"""Agents for tests: a row with a real key pair, and the messages and evidence that such an agent signs.

Signing is done by ``ssh-keygen`` itself, so that what the server believes is what anybody's OpenSSH believes.

    agent = make_agent(machine)                       # or: row, key = make_agent(machine)
    client.post(address, agent.signed({"kind": "report", ...}), **agent.headers)
    agent.evidence(work, now=now)                     # the result of a wipe in which everything went well
    agent.evidence(work, now=now, account="rsm-else") # signed just as well, but about another account
"""

import hashlib
import json
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from bookings.models import Booking, WipeEvidence, WipeMethod
from bookings.services import erasure
from machines.models import AccessKind, Agent, AgentStatus, Listing, Machine, Node, Work, WorkKind, WorkState
from machines.services.work import ask_for, next_work
from tests.people import make_over

REPORT = "rsm-report"
ERASURE = "rsm-erasure"
LOGS = "# loginctl terminate-user\n# userdel\nuserdel: done\n"

SAID = {
    "session_termination": "2 sessions and 5 processes ended; none is left",
    "ssh_key_removal": "1 key removed; none is left",
    "home_directory_purge": "312 files in 2 folders removed; none is left",
    "user_deletion": "The account and its group are gone",
    "residue_verification": "123456 objects looked at; nothing is left",
}

_sequence = count(1)


def canonical(value: Any) -> str:
    """As the protocol says, written here once more: a mistake in the server's own would else go unseen."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key(NamedTuple):
    """An Ed25519 key pair in a folder."""

    path: Path
    public: str
    fingerprint: str

    def sign(self, text: str | bytes, namespace: str) -> str:
        """The armored SSHSIG of it."""
        data = text.encode() if isinstance(text, str) else text
        made = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.path), "-n", namespace],
            input=data,
            capture_output=True,
            check=True,
        )
        return made.stdout.decode()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="agents-")


def make_key() -> Key:
    path = Path(_folder().name) / f"key-{next(_sequence)}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "agent", "-f", str(path)], check=True, capture_output=True
    )
    public = " ".join(path.with_suffix(".pub").read_text().split()[:2])
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True).stdout
    return Key(path, public, shown.split()[1])


class SigningAgent(NamedTuple):
    """An enrolled agent as a test sees it from the machine's side."""

    row: Agent
    key: Key

    @property
    def token(self) -> str:
        return f"token-of-{self.row.pk}"

    @property
    def headers(self) -> dict[str, str]:
        """For ``client.post(..., headers=agent.headers)``."""
        return {"Authorization": f"Bearer {self.token}", "User-Agent": "rsm-agent/1.0.0"}

    def signed(self, message: dict[str, Any], *, now: datetime | None = None, key: Key | None = None) -> dict[str, str]:
        """The body of a signed message. What the protocol always asks for is filled in where ``message`` is silent."""
        whole = {
            "agent": str(self.row.pk),
            "sequence": next(_sequence),
            "sent_at": moment(now or timezone.now()),
            "nonce": "",
        } | message
        text = canonical(whole)
        return {"message": text, "signature": (key or self.key).sign(text, REPORT)}

    def report(
        self, work: Work, result: dict[str, Any], *, status: str = "done", error: str = "", **more: Any
    ) -> dict[str, str]:
        """The signed report of a piece of work."""
        now = more.pop("now", None)
        message = {
            "kind": "report",
            "work": str(work.pk),
            "work_kind": work.kind,
            "attempt": work.attempt,
            "nonce": work.nonce,
            "status": status,
            "error": error,
            "result": result,
        }
        return self.signed(message | more, now=now)

    def document(self, work: Work, *, now: datetime, logs: str = LOGS, **changes: Any) -> dict[str, Any]:
        """The evidence of a wipe in which everything went well and which is just over, with ``changes``."""
        start = now - timedelta(seconds=31)
        written = {
            "type": "rsm-erasure-evidence",
            "version": 1,
            "booking": work.payload["booking_id"],
            "reference": work.payload["booking"],
            "machine": work.payload["machine"],
            "agent": str(self.row.pk),
            "account": work.payload["account"],
            "nonce": work.nonce,
            "attempt": work.attempt,
            "started_at": moment(start),
            "finished_at": moment(now - timedelta(seconds=1)),
            "agent_version": "1.0.0",
            "standard": "NIST SP 800-88 Rev. 2",
            "sanitization": "Clear",
            "logs_sha256": hashlib.sha256(logs.encode()).hexdigest(),
            "host": {
                "hostname_sha256": hashlib.sha256(b"node-1").hexdigest(),
                "os": "Debian GNU/Linux 12 (bookworm)",
                "kernel": "6.1.0-25-amd64",
            },
            "steps": [
                step(method, at=start + timedelta(seconds=5 * place))
                for place, method in enumerate(WipeMethod.values, start=1)
            ],
            "checked": {"file_systems": ["/", "/home"], "objects_looked_at": 123456, "left": []},
        }
        return written | changes

    def evidence(
        self, work: Work, *, now: datetime, logs: str = LOGS, key: Key | None = None, **changes: Any
    ) -> dict[str, str]:
        """The result of a wipe: evidence, its signature, logs. ``key``: somebody else's, to sign it with."""
        text = canonical(self.document(work, now=now, logs=logs, **changes))
        return {"evidence": text, "evidence_signature": (key or self.key).sign(text, ERASURE), "logs": logs}

    def failing(
        self, work: Work, *methods: str, now: datetime, status: str = "failed", **changes: Any
    ) -> dict[str, str]:
        """The result of a wipe of which some steps did not succeed, so that something is left."""
        document = self.document(work, now=now)
        steps = [
            {**done, "status": status, "summary": "1 file is left"} if done["method"] in methods else done
            for done in document["steps"]
        ]
        checked = {**document["checked"], "left": [{"kind": "file", "count": 1, "where": "/tmp"}]}
        return self.evidence(work, now=now, **({"steps": steps, "checked": checked} | changes))


def step(method: str, *, at: datetime, status: str = "success") -> dict[str, Any]:
    return {"method": method, "status": status, "at": moment(at), "summary": SAID[method], "counts": {"processes": 5}}


def make_agent(machine: Machine, node: Node | None = None, **fields: Any) -> SigningAgent:
    """An agent that is enrolled and online, with a key pair and a token of its own."""
    key = make_key()
    now = timezone.now()
    values = {
        "public_key": key.public,
        "fingerprint": key.fingerprint,
        "token_hash": hashlib.sha256(key.public.encode()).hexdigest(),
        "version": "1.0.0",
        "hostname": node.name if node else "node-1",
        "status": AgentStatus.ONLINE,
        "last_heartbeat_at": now,
        "enrolled_by": machine.provider,
    }
    row = Agent.objects.create(machine=machine, node=node, **(values | fields))
    agent = SigningAgent(row, key)
    if "token_hash" not in fields:
        row.token_hash = hashlib.sha256(agent.token.encode()).hexdigest()
        row.save(update_fields=["token_hash"])
    return agent


# A booking that an agent is to erase ------------------------------------------------------------------------


def make_agent_over(listing: Listing, buyer: User, *agents: SigningAgent, end: datetime, hours: float = 4) -> Booking:
    """Ran on a machine with these agents, and ended at ``end``: each of them has been asked for the wipe."""
    Machine.objects.filter(pk=listing.machine_id).update(access_kind=AccessKind.MANUAL)  # until the wipe is asked for
    booking = make_over(listing, buyer, end=end, hours=hours)
    for agent in agents:
        let_in = ask_for(
            agent=agent.row, kind=WorkKind.PROVISION, key=f"provision:{booking.pk}:{agent.row.pk}:1", payload={},
            booking_id=booking.pk, now=booking.start,
        )  # fmt: skip
        Work.objects.filter(pk=let_in.pk).update(state=WorkState.DONE, finished_at=booking.start)
    Booking.objects.filter(pk=booking.pk).update(access_kind=AccessKind.AGENT)
    Machine.objects.filter(pk=booking.machine_id).update(access_kind=AccessKind.AGENT)
    booking.refresh_from_db()
    with transaction.atomic():
        erasure.ask_for_wipe(booking, now=booking.end)
    return booking


def wipe_of(agent: SigningAgent, *, now: datetime) -> Work:
    """The wipe that the agent is to do next, handed out to it."""
    work = next_work(agent=agent.row, have=(), now=now)
    assert work is not None
    assert work.kind == WorkKind.WIPE
    return Work.objects.select_related("agent__machine", "agent__node").get(pk=work.pk)


def take(
    work: Work, result: dict[str, Any], *, now: datetime, status: str = "done", error: str = ""
) -> WipeEvidence | None:
    """What the marketplace makes of the outcome, without the signed message around it."""
    with transaction.atomic():
        work.state, work.error, work.finished_at, work.lease_until = WorkState(status), error, now, None
        work.save(update_fields=["state", "error", "finished_at", "lease_until"])
        work.result = result
        return erasure.record_evidence(work=work, report=None, now=now)


def erase(agent: SigningAgent, *, now: datetime, **changes: Any) -> WipeEvidence:
    """The agent does its next wipe, and everything goes well."""
    work = wipe_of(agent, now=now)
    evidence = take(work, agent.evidence(work, now=now, **changes), now=now)
    assert evidence is not None
    return evidence
