"""Work for agents: asked for once, handed out on a lease until it is reported, finished once."""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from machines.models import OPEN, Agent, Work, WorkState
from machines.services import waking
from machines.services.errors import AgentRefused


def ask_for(
    *,
    agent: Agent,
    kind: str,
    key: str,
    payload: dict[str, Any],
    now: datetime,
    booking_id: UUID | None = None,
    by: User | None = None,
    not_before: datetime | None = None,
) -> Work:
    """Have an agent do something. Asking again with the same ``key`` changes nothing and gives what was asked first.

    The agent hears of it when the transaction has committed, or with its next question.
    """
    work = Work(
        agent=agent,
        kind=kind,
        key=key,
        payload=payload,
        nonce=secrets.token_hex(16),
        booking_id=booking_id,
        created_at=now,
        created_by=by,
        not_before=not_before or now,
    )
    Work.objects.bulk_create([work], ignore_conflicts=True)
    transaction.on_commit(lambda: waking.wake(agent.pk))
    return Work.objects.get(key=key)


def cancel_open(*, booking_id: UUID, kinds: Collection[str], now: datetime) -> int:
    """What is not finished of this booking's work is no longer wanted. Returns how many pieces that were."""
    return Work.objects.filter(booking_id=booking_id, kind__in=kinds, state__in=OPEN).update(
        state=WorkState.CANCELED, finished_at=now, lease_until=None
    )


def cancel_waiting(*, agent: Agent, booking_id: UUID, kinds: Collection[str], now: datetime) -> int:
    """What this agent has not been handed yet of this booking's work is no longer wanted; what it is at, it finishes."""
    return Work.objects.filter(agent=agent, booking_id=booking_id, kind__in=kinds, state=WorkState.WAITING).update(
        state=WorkState.CANCELED, finished_at=now
    )


@transaction.atomic
def next_work(*, agent: Agent, have: Collection[UUID], now: datetime) -> Work | None:
    """Lease the next piece to the agent: first what it has begun already, then the oldest that is due.

    What the agent has in its journal is handed out again even while its lease runs: the agent has restarted.
    """
    mine = Work.objects.select_for_update(skip_locked=True, of=("self",)).filter(agent=agent)
    work = mine.open().filter(pk__in=have).order_by("created_at").first() if have else None
    work = work or mine.due(now=now).order_by("not_before", "pk").first()
    if work is None:
        return None
    work.state = WorkState.LEASED
    work.attempt += 1
    work.leased_at = work.leased_at or now
    work.lease_until = now + settings.MARKETPLACE_AGENT_LEASE
    work.save(update_fields=["state", "attempt", "leased_at", "lease_until"])
    return work


@transaction.atomic
def acknowledge(*, agent: Agent, work_id: UUID, attempt: int, now: datetime) -> Work:
    """The agent has it in its journal, or is still at it: its lease begins anew.

    Raises:
        AgentRefused: it is not this agent's, no longer wanted, or has been handed out again since.
    """
    work = own(agent, work_id, lock=True)
    if not work.is_open or work.attempt != attempt:
        raise AgentRefused("too_late", "This work is finished or has been handed out again.", status=409, kept=False)
    work.state = WorkState.LEASED
    work.acknowledged_at = work.acknowledged_at or now
    work.lease_until = now + 2 * settings.MARKETPLACE_AGENT_LEASE
    work.save(update_fields=["state", "acknowledged_at", "lease_until"])
    return work


def own(agent: Agent, work_id: UUID, *, lock: bool = False) -> Work:
    """
    Raises:
        AgentRefused: there is none, or it is another agent's, which is kept for the administrator to see.
    """
    found = Work.objects.select_for_update(of=("self",)) if lock else Work.objects
    work = found.filter(pk=work_id).first()
    if work is None:
        raise AgentRefused("unknown", "There is no such work.", status=404, kept=False)
    if work.agent_id != agent.pk:
        raise AgentRefused("not_yours", f"Work {work.pk} is another machine's.", status=404)
    return work
