"""Evidence of an erasure: what an agent signed, read and checked before anything of it is kept.

The form is ``docs/agent-protocol.md``, Kinds of work, ``wipe``. This module writes nothing.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from bookings.certificates import ERASURE_NAMESPACE as NAMESPACE
from bookings.models import Booking, WipeEvidence, WipeMethod, WipeStatus
from common import files, sshsig
from machines.models import Agent, Work, WorkState
from machines.services.errors import Implausible

TYPE = "rsm-erasure-evidence"
VERSION = 1
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
MOST_EVIDENCE_BYTES = 256 * 1024
#: An agent leaves the middle of longer logs out, and says so there.
MOST_LOG_BYTES = 2 * 1024 * 1024
MOST_SIGNS = 500
MOST_SUMMARY = 2000
MOST_VERSION = 40
MOST_LEFT = 1000

TOP = frozenset({
    "type", "version", "booking", "reference", "machine", "agent", "account", "nonce", "attempt", "started_at",
    "finished_at", "agent_version", "standard", "sanitization", "logs_sha256", "host", "steps", "checked",
})  # fmt: skip
TEXTS = ("agent_version", "standard", "sanitization")
HOST = frozenset({"hostname_sha256", "os", "kernel"})
STEP = frozenset({"method", "status", "at", "summary", "counts"})
CHECKED = frozenset({"file_systems", "objects_looked_at", "left"})
LEFT = frozenset({"kind", "count", "where"})


def holds(evidence: WipeEvidence) -> bool | None:
    """Whether what is stored now is still what the machine signed. ``None``: it cannot be read at the moment."""
    try:
        data = files.read(evidence.document.name)
    except files.FileMissing:
        return False
    except files.StorageAway:
        return None
    return hashlib.sha256(data).hexdigest() == evidence.sha256 and is_signed(
        data, evidence.signature, evidence.agent.public_key
    )


def is_signed(data: bytes, signature: str, public_key: str, namespace: str = NAMESPACE) -> bool:
    try:
        sshsig.verify(public_key=public_key, namespace=namespace, data=data, signature=signature)
    except (sshsig.BadSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Step:
    method: WipeMethod
    status: WipeStatus
    at: datetime
    summary: str


@dataclass(frozen=True)
class Evidence:
    """Evidence that is as the protocol says, about this very work, and signed by its agent."""

    document: bytes
    signature: str
    logs: bytes
    started_at: datetime
    finished_at: datetime
    agent_version: str
    steps: tuple[Step, ...]
    left: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.document).hexdigest()

    @property
    def logs_sha256(self) -> str:
        return hashlib.sha256(self.logs).hexdigest()

    @property
    def is_complete(self) -> bool:
        """Every step is a success and the look afterwards found nothing."""
        return not self.left and all(step.status == WipeStatus.SUCCESS for step in self.steps)


def checked(*, work: Work, agent: Agent, booking: Booking, now: datetime) -> Evidence:
    """The evidence in the result of a wipe.

    Raises:
        Implausible: it is not of the protocol's form, not this agent's, not about this work, or says what cannot be.
    """
    data, signature, logs = _parts(work.result)
    _require(len(data) <= MOST_EVIDENCE_BYTES, f"The evidence is larger than {MOST_EVIDENCE_BYTES // 1024} kB.")
    _require(len(logs) <= MOST_LOG_BYTES, f"The logs are larger than {MOST_LOG_BYTES // 1024 // 1024} MB.")
    try:
        document = sshsig.parse_canonical(data.decode())
    except ValueError as error:
        raise Implausible(f"The evidence is not canonical JSON: {error}") from error
    _check_signature(agent, data, signature)
    _check_form(document)
    _check_subject(document, work=work, agent=agent, booking=booking)
    started_at, finished_at = _moment(document["started_at"]), _moment(document["finished_at"])
    steps = _steps(document["steps"])
    _check_times(booking, started_at, [step.at for step in steps], finished_at, now=now)
    _require(document["logs_sha256"] == hashlib.sha256(logs).hexdigest(), "The logs are not those of the evidence.")
    evidence = Evidence(
        document=data,
        signature=signature,
        logs=logs,
        started_at=started_at,
        finished_at=finished_at,
        agent_version=document["agent_version"],
        steps=steps,
        left=sum(left["count"] for left in document["checked"]["left"]),
    )
    if (work.state == WorkState.DONE) != evidence.is_complete:
        says = "done" if work.state == WorkState.DONE else "failed"
        raise Implausible(f"The report says {says}, and its evidence says otherwise.")
    return evidence


def _parts(result: dict[str, Any]) -> tuple[bytes, str, bytes]:
    evidence, signature, logs = (result.get(key) for key in ("evidence", "evidence_signature", "logs"))
    if not (isinstance(evidence, str) and isinstance(signature, str) and isinstance(logs, str)):
        raise Implausible("A wipe is reported with evidence, its signature and logs.")
    try:
        return evidence.encode(), signature, logs.encode()
    except UnicodeEncodeError as error:
        raise Implausible("The evidence is not text in UTF-8.") from error


def _check_signature(agent: Agent, data: bytes, signature: str) -> None:
    _require(is_signed(data, signature, agent.public_key), "The evidence is not signed by this machine's key.")


def _check_form(document: Any) -> None:
    _require(_is_object(document, TOP), "The evidence does not have the parts that the protocol names.")
    _require(document["type"] == TYPE and document["version"] == VERSION, "This is no evidence of version 1.")
    _require(all(_is_text(document[key]) for key in TEXTS), "The evidence does not say by what standard it was made.")
    _require(len(document["agent_version"]) <= MOST_VERSION, "The agent's version is none.")
    host, looked = document["host"], document["checked"]
    _require(_is_object(host, HOST) and all(map(_is_text, host.values())), "The evidence does not describe its host.")
    _require(
        _is_object(looked, CHECKED)
        and _is_list_of(looked["file_systems"], _is_text)
        and _is_count(looked["objects_looked_at"])
        and _is_list_of(looked["left"], _is_left),
        "The evidence does not say what was looked at.",
    )


def _check_subject(document: dict[str, Any], *, work: Work, agent: Agent, booking: Booking) -> None:
    """That it is about this booking, on this machine, in answer to this order."""
    expected = {
        "booking": str(booking.pk),
        "reference": booking.reference,
        "machine": str(booking.machine_id),
        "agent": str(agent.pk),
        "account": work.payload.get("account"),
        "nonce": work.nonce,
    }
    for key, value in expected.items():
        _require(document[key] == value, f"The evidence is about another {key}.")
    _require(agent.machine_id == booking.machine_id, "The evidence is about another machine.")
    # What was done on an earlier lease of the same order, whose report got lost, still counts.
    attempt = document["attempt"]
    _require(type(attempt) is int and 1 <= attempt <= work.attempt, "The evidence is about another attempt.")


def _steps(steps: Any) -> tuple[Step, ...]:
    _require(_is_list_of(steps, _is_step), "The evidence does not say what was done.")
    _require(
        [step["method"] for step in steps] == WipeMethod.values,
        "The evidence does not have each step of a wipe once, in their order.",
    )
    return steps_in({"steps": steps})


def steps_in(document: dict[str, Any]) -> tuple[Step, ...]:
    """The steps in evidence that has been checked."""
    return tuple(
        Step(WipeMethod(step["method"]), WipeStatus(step["status"]), _moment(step["at"]), step["summary"])
        for step in document["steps"]
    )


def _check_times(
    booking: Booking, started_at: datetime, steps: list[datetime], finished_at: datetime, *, now: datetime
) -> None:
    clocks = settings.MARKETPLACE_AGENT_MESSAGE_AGE  # as far as the clocks of machines may be off
    moments = [started_at, *steps, finished_at]
    _require(moments == sorted(moments), "The times in the evidence are not in order.")
    _require(started_at >= booking.end - clocks, "The erasure began before the booking was over.")
    _require(finished_at <= now + clocks, "The erasure ends in the future.")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Implausible(otherwise)


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise Implausible("A moment is written like 2026-11-21T14:00:00Z.") from error
    _require(moment.strftime(MOMENT) == text, "A moment is written like 2026-11-21T14:00:00Z.")
    return moment


def _is_object(value: Any, keys: frozenset[str]) -> bool:
    return isinstance(value, dict) and value.keys() == keys


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_SIGNS


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_list_of(value: Any, is_one: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST_LEFT and all(map(is_one, value))


def _is_left(value: Any) -> bool:
    return (
        _is_object(value, LEFT)
        and _is_text(value["kind"])
        and _is_text(value["where"])
        and _is_count(value["count"])
        and value["count"] > 0
    )


def _is_step(value: Any) -> bool:
    return (
        _is_object(value, STEP)
        and value["status"] in WipeStatus.values
        and isinstance(value["summary"], str)
        and len(value["summary"]) <= MOST_SUMMARY
        and isinstance(value["counts"], dict)
        and all(map(_is_text, value["counts"]))
        and all(map(_is_count, value["counts"].values()))
    )
