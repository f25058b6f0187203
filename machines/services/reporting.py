"""What agents report: work that is finished, self-tests, new tokens, leaving."""

import secrets
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from common.files import kept_with_rows
from machines import events
from machines.models import Agent, Machine, Report, Work, WorkKind, WorkState
from machines.services import measuring, messages, passports
from machines.services.busy import is_busy
from machines.services.enrollment import digest
from machines.services.errors import AgentRefused, Implausible, MachineError
from machines.services.silence import gone_for_good
from machines.services.work import own

#: Bytes of reports that hold no long logs; a provider can ask for an inventory again and again.
MOST_BYTES = {WorkKind.INVENTORY: 256 * 1024, WorkKind.REVOKE: 256 * 1024}
#: Kept once, in the report itself, and not beside the work too.
LONG = ("evidence", "evidence_signature", "logs", "log", "raw", "inventory")
CHECKS = ("id", "title", "actual", "required", "status", "why", "remedy")
VERDICTS = ("pass", "warn", "fail")
MOST_CHECKS = 100
MOST_SIGNS = 1000


def report_work(*, agent: Agent, work_id: UUID, envelope: Any, now: datetime) -> bool:
    """Take the outcome of a piece of work. Returns whether it was known already: a report may come twice.

    What the rooms above make of it stands or falls with it. A report that says what cannot be is refused, and the
    work has failed: the agent that said so is not asked again for the same piece.

    Raises:
        AgentRefused: see ``docs/agent-protocol.md``.
    """
    try:
        with kept_with_rows():  # what an observer stores is gone again if the report is not taken
            return _report_work(agent=agent, work_id=work_id, envelope=envelope, now=now)
    except Implausible as error:
        _fail(work_id, error.message, now=now)
        raise


@transaction.atomic
def _report_work(*, agent: Agent, work_id: UUID, envelope: Any, now: datetime) -> bool:
    work = own(agent, work_id)
    _lock_booking(work)
    _check_size(envelope, work)
    agent, signed, report = messages.believe(agent_id=agent.pk, envelope=envelope, kind="report", now=now, work=work)
    work = own(agent, work_id, lock=True)
    message = signed.message
    if message.get("work") != str(work.pk) or message.get("work_kind") != work.kind:
        raise AgentRefused("bad_nonce", "The report is about another piece of work.")
    if message.get("status") not in ("done", "failed") or not isinstance(message.get("result"), dict):
        raise messages.malformed("A report has a status, done or failed, and a result.")
    if work.state == WorkState.CANCELED:
        raise AgentRefused("too_late", "This work is no longer wanted: undo it.", status=409, kept=False)
    if not work.is_open:
        return True
    work.state = WorkState.DONE if message["status"] == "done" else WorkState.FAILED
    work.result = message["result"]
    work.error = str(message.get("error") or "")[:1000].replace("\0", "")
    _finish(work, agent, report, now=now)
    return False


def _check_size(envelope: Any, work: Work) -> None:
    most = MOST_BYTES.get(WorkKind(work.kind))
    if most and isinstance(envelope, dict) and len(str(envelope.get("message")).encode(errors="replace")) > most:
        raise AgentRefused("too_large", f"A report of this kind has at most {most} bytes.", status=413, kept=False)


def _lock_booking(work: Work) -> None:
    """Whoever locks more than one row locks the booking first (``bookings.services.locks``); observers will want it."""
    if work.booking_id:
        machine = Machine.objects.get(agents=work.agent_id)
        machine.bookings.select_for_update(of=("self",), no_key=True).filter(pk=work.booking_id).first()


@transaction.atomic
def _fail(work_id: UUID, why: str, *, now: datetime) -> None:
    _lock_booking(Work.objects.get(pk=work_id))
    work = Work.objects.select_for_update(of=("self",)).select_related("agent__machine").get(pk=work_id)
    if work.is_open:
        work.state, work.error, work.result = WorkState.FAILED, why[:1000], {}
        _finish(work, work.agent, None, now=now)


def _finish(work: Work, agent: Agent, report: Report | None, *, now: datetime) -> None:
    work.agent = agent
    work.finished_at, work.lease_until = now, None
    if work.kind == WorkKind.INVENTORY and work.state == WorkState.DONE:
        passports.take_inventory(agent=agent, inventory=work.result.get("inventory"), now=now)
    if work.kind == WorkKind.BENCHMARK:
        measuring.take_run(work=work, report=report, now=now)
    # Written before it is announced: observers ask the database what is still open.
    full = work.result
    work.result = {key: value for key, value in full.items() if key not in LONG}
    work.save(update_fields=["state", "result", "error", "finished_at", "lease_until"])
    work.result = full
    events.work_reported.send(Work, work=work, report=report, now=now)


@transaction.atomic
def take_self_test(*, agent: Agent, envelope: Any, now: datetime) -> None:
    """Keep what the machine found about itself.

    Raises:
        AgentRefused: the message is not to be believed or not of this form.
    """
    agent, signed, _ = messages.believe(agent_id=agent.pk, envelope=envelope, kind="self_test", now=now)
    checks = signed.message.get("checks")
    if not isinstance(checks, list) or len(checks) > MOST_CHECKS or not all(_is_check(check) for check in checks):
        raise messages.malformed("A self-test is a list of checks.")
    agent.self_test = [{key: check.get(key, "") for key in CHECKS} for check in checks]
    agent.self_test_at = now
    agent.save(update_fields=["self_test", "self_test_at"])
    if not any(check["status"] == "fail" for check in checks):
        _measure_first(agent, now=now)


def _measure_first(agent: Agent, *, now: datetime) -> None:
    """A machine that is new and in order is measured without being asked: it cannot be offered before."""
    if agent.machine.benchmarks.exists():
        return
    with suppress(MachineError):  # a cluster whose other nodes are still to come
        measuring.ask_for_benchmark(machine=agent.machine, by=None, now=now)


def _is_check(check: Any) -> bool:
    return (
        isinstance(check, dict)
        and all(isinstance(check.get(key, ""), str) and len(check.get(key, "")) <= MOST_SIGNS for key in CHECKS)
        and check.get("status") in VERDICTS
        and bool(check.get("id"))
    )


@transaction.atomic
def rotate_token(*, agent: Agent, envelope: Any, now: datetime) -> str:
    """A new token. The old one works until the new one has been used once.

    Raises:
        AgentRefused: the message is not to be believed.
    """
    agent, _, _ = messages.believe(agent_id=agent.pk, envelope=envelope, kind="rotate", now=now)
    token = secrets.token_urlsafe(32)
    agent.next_token_hash = digest(token)
    agent.save(update_fields=["next_token_hash"])
    return token


@transaction.atomic
def unenroll(*, agent: Agent, envelope: Any, now: datetime) -> None:
    """The machine leaves.

    Raises:
        AgentRefused: the message is not to be believed, or a buyer's data may be on the machine.
    """
    agent, _, _ = messages.believe(agent_id=agent.pk, envelope=envelope, kind="unenroll", now=now)
    if is_busy(agent.machine):
        raise AgentRefused(
            "too_late", "A booking runs on this machine, or its erasure is not shown yet.", status=409, kept=False
        )
    gone_for_good(agent=agent, because="Left by itself", by=None, now=now)
