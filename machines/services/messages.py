"""Signed messages of agents: believed, or refused for a reason that the administrator sees.

The checks, their order and their codes are ``docs/agent-protocol.md``, Signed messages.
"""

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from django.conf import settings

from common import sshsig
from common.rates import TooManyRequests, spend
from machines.models import Agent, Machine, Refusal, Report, Work
from machines.services.errors import AgentRefused

log = logging.getLogger(__name__)

NAMESPACE = "rsm-report"
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
#: No counter gets there: at one message a second it would take an age of the universe.
MOST_SEQUENCE = 2**62
#: Bytes of a message that answers no work, and so may come at any time: each is kept for good.
MOST_BYTES = {"enroll": 256 * 1024, "self_test": 128 * 1024, "rotate": 4096, "unenroll": 4096}
#: Refusals kept of one agent, or from one network; and of all that nobody known sent. A flood shall not fill the table.
KEPT_RATES = ("30/minute", "300/day")
KEPT_OF_STRANGERS = "3000/day"
#: What one household or server is given of the IPv6 addresses.
IPV6_NETWORK = 64
EXCERPT = 500


@dataclass(frozen=True)
class Signed:
    """A message with the very text that is signed."""

    message: dict[str, Any]
    text: str
    signature: str

    @property
    def sent_at(self) -> datetime:
        return moment(self.message["sent_at"])


def malformed(detail: str) -> AgentRefused:
    return AgentRefused("malformed", detail, status=400)


def moment(text: Any) -> datetime:
    """
    Raises:
        AgentRefused: it is no moment as the protocol writes them.
    """
    try:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise malformed("A moment is written like 2026-11-21T14:00:00Z.") from error


def opened(envelope: Any, *, kind: str) -> Signed:
    """The message in its envelope, its form checked and nothing believed yet.

    Raises:
        AgentRefused: it is not of this form or of another kind.
    """
    if not isinstance(envelope, dict) or not all(
        isinstance(envelope.get(key), str) for key in ("message", "signature")
    ):
        raise malformed("A signed message has a message and a signature, both texts.")
    text, signature = envelope["message"], envelope["signature"]
    most = MOST_BYTES.get(kind)
    if most and len(text.encode(errors="replace")) > most:
        raise AgentRefused("too_large", f"A message of this kind has at most {most} bytes.", status=413, kept=False)
    try:
        message = _storable(sshsig.parse_canonical(text))
    except (ValueError, RecursionError) as error:
        raise malformed(f"The message is not canonical JSON: {error}") from error
    if message.get("kind") != kind:
        raise malformed(f"The message's kind is not {kind}.")
    sequence = message.get("sequence")
    if type(sequence) is not int or not 0 < sequence < MOST_SEQUENCE:
        raise malformed("The message has no sequence.")
    if not isinstance(message.get("nonce"), str):
        raise malformed("The message has no nonce.")
    moment(message.get("sent_at"))
    return Signed(message, text, signature)


def _storable(value: Any) -> Any:
    """Without the sign that PostgreSQL keeps in no text: programs print it now and then."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def check_signature(signed: Signed, public_key: str) -> None:
    """
    Raises:
        AgentRefused: it was not signed with this key, or was changed afterwards.
    """
    try:
        sshsig.verify(public_key=public_key, namespace=NAMESPACE, data=signed.text.encode(), signature=signed.signature)
    except sshsig.BadSignature as error:
        raise AgentRefused("bad_signature", "The signature is not this machine's over this message.") from error


def check_time(signed: Signed, *, now: datetime) -> None:
    """
    Raises:
        AgentRefused: it was signed too long ago, or in the future.
    """
    age = now - signed.sent_at
    if abs(age) > settings.MARKETPLACE_AGENT_MESSAGE_AGE:
        late = "ago" if age > timedelta(0) else "ahead"
        raise AgentRefused("bad_time", f"Signed {abs(age).total_seconds():.0f} s {late}, by the marketplace's clock.")


def check_sequence(signed: Signed, agent: Agent) -> None:
    """
    Raises:
        AgentRefused: this message, or a later one, has been here before.
    """
    sequence = signed.message["sequence"]
    if sequence <= agent.sequence:
        raise AgentRefused(
            "bad_sequence", f"Sequence {sequence} comes after {agent.sequence}.", sequence=agent.sequence
        )


def believe(
    *, agent_id: UUID, envelope: Any, kind: str, now: datetime, work: Work | None = None
) -> tuple[Agent, Signed, Report | None]:
    """Check a signed message and write it down, in the caller's transaction: it counts if the rest does.

    What is said again of work that is finished is not written down again. Returns the agent, its row and its machine's
    locked, so that no two messages pass with one sequence. (Not against being referred to: who gives it work meanwhile
    holds the booking's row, which a report of that booking waits for.)

    Raises:
        AgentRefused: see ``docs/agent-protocol.md``.
    """
    signed = opened(envelope, kind=kind)
    # The machine's row first: what is made of a message may want it, and heartbeats and sweeps take it before its agents'.
    Machine.objects.select_for_update(of=("self",), no_key=True).get(agents=agent_id)
    agent = (
        Agent.objects.select_for_update(of=("self",), no_key=True).select_related("machine", "node").get(pk=agent_id)
    )
    if agent.revoked_at is not None:
        raise AgentRefused("revoked", "This agent is revoked.", status=401)
    if signed.message.get("agent") != str(agent.pk):
        raise AgentRefused("not_yours", "The message speaks for another agent.")
    check_signature(signed, agent.public_key)
    check_time(signed, now=now)
    check_sequence(signed, agent)
    if signed.message["nonce"] != (work.nonce if work else ""):
        raise AgentRefused("bad_nonce", "The nonce is not the one that was given.")
    agent.sequence = signed.message["sequence"]
    agent.save(update_fields=["sequence"])
    if work is not None and not work.is_open:
        return agent, signed, None
    report = Report.objects.create(
        agent=agent,
        work=work,
        kind=kind,
        sequence=agent.sequence,
        sent_at=signed.sent_at,
        received_at=now,
        message=signed.text,
        signature=signed.signature,
    )
    return agent, signed, report


def keep_refusal(
    error: AgentRefused, *, agent: Agent | None, path: str, address: str | None, body: bytes, now: datetime
) -> None:
    """Write a refusal down, outside the transaction that it undid. Of a flood only the first ones are kept."""
    if not error.kept or error.code not in Refusal.Code.values:
        return
    log.warning("refused %s from %s %s: %s", error.code, agent or "nobody known", address, error.message)
    try:
        for rate in KEPT_RATES:
            spend(rate, "agent-refusals", str(agent.pk) if agent else _network(address))
        if agent is None:
            spend(KEPT_OF_STRANGERS, "agent-refusals", "strangers")
    except TooManyRequests:
        return
    Refusal.objects.create(
        agent=agent,
        at=now,
        code=error.code,
        detail=error.message[:500],
        path=path[:200],
        address=address,
        excerpt=_excerpt(body),
    )


def _network(address: str | None) -> str:
    """Whoever has one IPv6 address has very many."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ip_network((int(found), IPV6_NETWORK), strict=False))


def _excerpt(body: bytes) -> str:
    """How a body began, without what must not be kept: enrollment codes."""
    text = body[: 4 * EXCERPT].decode(errors="replace").replace("\0", "")
    try:
        message = json.loads(json.loads(body)["message"])
        text = json.dumps({key: value for key, value in message.items() if key != "code"})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return text[:EXCERPT].replace("\0", "")
