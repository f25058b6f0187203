"""Erasing machines that have an agent: asking for it, believing what was signed, trying again, and who is told."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext, gettext_lazy
from django_stubs_ext import StrOrPromise

from accounts.models import User
from accounts.services.roles import administrators
from bookings import mails
from bookings.errors import BookingError, NotYours
from bookings.models import AUTOMATIC, Booking, BookingQuerySet, DataWipe, WipeEvidence, WipeMethod, WipeStatus
from bookings.services import certificates
from bookings.services.completion import complete
from bookings.services.evidence import Evidence, checked
from bookings.services.history import note
from bookings.services.locks import locked, locked_if_idle
from bookings.services.servers import Server, servers_of, wipes_asked_of
from bookings.services.turnaround import learn_turnaround
from common import files
from common.formats import duration
from common.ids import uuid7
from common.languages import said_later
from common.leases import growing_pause
from machines.models import Agent, Report, Work, WorkKind, WorkState
from machines.services.errors import Implausible
from machines.services.work import ask_for

LONGEST_PAUSE = timedelta(hours=1)
#: How the lines in a booking's history begin that tell of an erasure which did not succeed.
NOT_ERASED = "Not erased"
SEE_TO_IT = f"{NOT_ERASED}: somebody has to see to the machine"


# Asking ------------------------------------------------------------------------------------------------


def ask_for_wipe(booking: Booking, *, now: datetime) -> list[Work]:
    """Have every server of the booking erase itself. Asking twice changes nothing.

    In the caller's transaction. A server that has no agent any more is told of: nobody is there to erase it.
    """
    servers = servers_of(booking)
    if not servers:
        _give_up(booking, "", gettext_lazy("No agent is enrolled on it."), occasion="nobody", now=now)
    asked = []
    for server in servers:
        earlier = wipes_asked_of(server, booking)
        if earlier:
            asked += earlier
        elif server.agent is None:
            why = gettext_lazy("Its agent was revoked, and no other is enrolled.")
            _give_up(booking, server.name, why, occasion=f"nobody:{server.name}", now=now)
        else:
            asked.append(_ask(booking, server.agent, go=1, now=now))
    return asked


def _ask(
    booking: Booking,
    agent: Agent,
    *,
    go: int,
    now: datetime,
    by: User | None = None,
    not_before: datetime | None = None,
) -> Work:
    return ask_for(
        agent=agent,
        kind=WorkKind.WIPE,
        key=f"wipe:{booking.pk}:{agent.pk}:{go}",
        payload={
            "booking": booking.reference,
            "booking_id": str(booking.pk),
            "account": booking.account,
            "access": booking.access_kind,
            "machine": str(booking.machine_id),
            "scratch": [],
        },
        booking_id=booking.pk,
        by=by,
        not_before=not_before,
        now=now,
    )


# What came of it ---------------------------------------------------------------------------------------


def record_evidence(*, work: Work, report: Report | None, now: datetime) -> WipeEvidence | None:
    """Keep what an agent reported of a wipe, and complete the booking once every server is shown to be clean.

    Called inside the transaction of the report, with the work locked and its outcome set. A wipe that failed without
    evidence has none to keep: it is tried again. ``report`` is ``None`` for one that was refused.

    Raises:
        Implausible: the evidence is not to be believed; nothing of it is kept.
        common.files.StorageAway: the evidence cannot be stored at the moment: the agent sends the report again.
    """
    if work.booking_id is None:
        raise Implausible("This wipe belongs to no booking.")
    booking = locked(work.booking_id)
    if work.state == WorkState.FAILED and not work.result.get("evidence"):
        _try_again(booking, work, work.error or gettext_lazy("The agent does not say why."), now=now)
        return None
    if booking.wipe_opened_at is None:
        raise Implausible("This booking has nothing to erase.")
    evidence = checked(work=work, agent=work.agent, booking=booking, now=now)
    with files.kept_with_rows():
        row = _keep(booking, work, evidence, now=now)
        _tell_of_steps(booking, row, evidence, now=now)
        if not evidence.is_complete:
            _try_again(booking, work, work.error or said_later(lambda: _undone(evidence)), now=now)
        elif booking.is_awaiting_wipe:
            _complete_if_clean(booking, now=now)
    return row


def _undone(evidence: Evidence) -> str:
    undone = [str(step.method.label) for step in evidence.steps if step.status != WipeStatus.SUCCESS]
    return gettext("Not done: %(steps)s.") % {"steps": ", ".join(undone)}


def _keep(booking: Booking, work: Work, evidence: Evidence, *, now: datetime) -> WipeEvidence:
    pk = uuid7()
    folder = f"wipes/{booking.machine_id}"
    document = files.store(f"{folder}/{pk}.json", evidence.document)
    logs = files.store(f"{folder}/{pk}.log", evidence.logs)
    row = WipeEvidence.objects.create(
        id=pk,
        booking=booking,
        machine=booking.machine,
        agent=work.agent,
        work=work,
        document=document,
        sha256=evidence.sha256,
        signature=evidence.signature,
        logs=logs,
        logs_sha256=evidence.logs_sha256,
        started_at=evidence.started_at,
        finished_at=evidence.finished_at,
        agent_version=evidence.agent_version,
        is_complete=evidence.is_complete,
        is_simulated=work.agent.is_simulated,
        received_at=now,
    )
    node = work.agent.node_name
    DataWipe.objects.bulk_create(
        DataWipe(
            machine=booking.machine,
            booking=booking,
            timestamp=step.at,
            method=step.method,
            status=step.status,
            evidence=document,
            evidence_sha256=evidence.sha256,
            evidence_name=f"evidence-{node}.json"[:200] if node else "evidence.json",
            note=step.summary,
            signed=row,
            recorded_at=now,
        )
        for step in evidence.steps
    )
    return row


def _tell_of_steps(booking: Booking, row: WipeEvidence, evidence: Evidence, *, now: datetime) -> None:
    """One line for what went well, one for each step that did not."""
    where = f"{row.agent.node_name}: " if row.agent.node_name else ""
    done = [step for step in evidence.steps if step.status == WipeStatus.SUCCESS]
    for step in evidence.steps:
        if step not in done:
            what = said_later(lambda step=step: f"{step.method.label}: {step.status.label.lower()}")  # type: ignore[misc]
            note(booking, what, now=now, detail=where + step.summary)
    took = evidence.finished_at - evidence.started_at
    detail = said_later(
        lambda: (
            f"{where}{len(done)} of {len(WipeMethod)} steps done, in {duration(took)}."
            f" SHA-256 of the evidence {evidence.sha256}."
        )
    )
    note(booking, "The machine signed evidence of its erasure", now=now, detail=detail)


def _complete_if_clean(booking: Booking, *, now: datetime) -> None:
    newest = [server.newest_evidence(booking) for server in servers_of(booking)]
    evidence = [row for row in newest if row is not None and row.is_complete]
    if not evidence or len(evidence) < len(newest):
        return
    certificate = certificates.issue(booking, evidence, now=now)
    complete(booking, now=now, certificate=certificate)
    # Afterwards, and not with it: it wants the machine's row, which others lock before those that are locked here.
    transaction.on_commit(lambda: learn_turnaround(machine_id=booking.machine_id), robust=True)


# Trying again ------------------------------------------------------------------------------------------


def _try_again(booking: Booking, work: Work, why: StrOrPromise, *, now: datetime) -> None:
    """After a pause that grows; after the last try people are told."""
    if not booking.is_awaiting_wipe:
        return
    node = work.agent.node_name
    goes = _goes_since_a_person_asked(work)
    if goes >= settings.MARKETPLACE_WIPE_ATTEMPTS:
        _give_up(booking, node, why, occasion=str(work.pk), now=now)
        return
    pause = growing_pause(goes, first=settings.MARKETPLACE_WIPE_FIRST_PAUSE, longest=LONGEST_PAUSE)
    _ask(booking, work.agent, go=_go(work) + 1, not_before=now + pause, now=now)
    note(
        booking,
        f"{NOT_ERASED} yet: it is tried again by itself",
        now=now,
        detail=said_later(lambda: f"{f'{node}: ' if node else ''}{why} Next try in {duration(pause)}."),
    )


def _go(work: Work) -> int:
    return int(work.key.rsplit(":", 1)[1])


def _goes_since_a_person_asked(work: Work) -> int:
    earlier = Work.objects.filter(kind=WorkKind.WIPE, booking_id=work.booking_id, agent=work.agent)
    by_a_person = earlier.filter(created_by__isnull=False).order_by("-created_at", "-pk").first()
    if by_a_person:
        earlier = earlier.filter(created_at__gte=by_a_person.created_at)
    return earlier.count()


def _give_up(booking: Booking, node: str, why: StrOrPromise, *, occasion: str, now: datetime) -> None:
    """Tell those who can do something about it. The machine stays in quarantine."""
    where = f"{node}: " if node else ""
    note(booking, SEE_TO_IT, now=now, detail=said_later(lambda: f"{where}{why}"))
    provider = booking.machine.provider
    people = [provider, *administrators().exclude(pk=provider.pk)]
    mails.wipe_gave_up(booking, people, where=node, why=why, occasion=occasion)


def overdue(*, now: datetime) -> BookingQuerySet:
    """The turnaround is over, the erasure is not shown, and nobody was told: an agent that is away, or never answers."""
    waiting = Booking.objects.awaiting_wipe().filter(access_kind__in=AUTOMATIC, blocked_until__lte=now)
    return waiting.exclude(events__what=SEE_TO_IT)


@transaction.atomic
def tell_of_overdue(*, booking_id: UUID, now: datetime) -> bool:
    """Tell those who can do something about it, once. It is tried on meanwhile. Returns whether it was due."""
    booking = locked_if_idle(booking_id)
    if booking is None or not overdue(now=now).filter(pk=booking_id).exists():
        return False
    why = gettext_lazy(
        "Its time for that is over, and its agent has not shown the erasure. Look whether the agent runs."
    )
    _give_up(booking, "", why, occasion="overdue", now=now)
    return True


@transaction.atomic
def retry_wipe(*, booking_id: UUID, by: User, now: datetime) -> None:
    """Have every server that is not shown to be clean try again, at once. Goes on by itself from there as at first.

    Raises:
        NotYours: the person is neither the machine's provider nor a platform administrator.
        BookingError: nothing is to be erased, an agent is at it, or nobody is there to do it.
    """
    booking = locked(booking_id)
    if booking.machine.provider_id != by.pk and not by.is_platform_administrator:
        raise NotYours(gettext("This machine is not yours."))
    if not booking.is_awaiting_wipe or not booking.is_automatic:
        raise BookingError(gettext("There is no erasure to try again."))
    unclean = [server for server in servers_of(booking) if not server.is_clean(booking)]
    ready = [server for server in unclean if server.agent is not None]
    if not ready:
        raise BookingError(gettext("No agent is enrolled on this machine. Enroll it again, then try again."))
    if not sum(_retry(booking, server, by=by, now=now) for server in ready):
        raise BookingError(gettext("The machine has been asked already. It begins as soon as its agent is online."))
    note(booking, "The erasure is tried again", now=now, by=by)


def _retry(booking: Booking, server: Server, *, by: User, now: datetime) -> bool:
    """Whether there was anything to ask for: what waits for its pause is asked for at once, what is open stays."""
    assert server.agent is not None
    mine = Work.objects.filter(kind=WorkKind.WIPE, booking_id=booking.pk, agent=server.agent)
    if mine.open().exists():
        paused = Q(state=WorkState.WAITING, not_before__gt=now)
        return bool(mine.filter(paused).update(not_before=now, created_by=by))
    newest = mine.order_by("-created_at", "-pk").first()
    _ask(booking, server.agent, go=_go(newest) + 1 if newest else 1, by=by, now=now)
    return True


def can_retry(booking: Booking, *, now: datetime) -> bool:
    """Whether :func:`retry_wipe` would have an agent to ask: for the button on the page."""
    if not booking.is_awaiting_wipe or not booking.is_automatic:
        return False
    busy = Work.objects.filter(kind=WorkKind.WIPE, booking_id=booking.pk).open().exclude(not_before__gt=now)
    at_it = set(busy.values_list("agent_id", flat=True))
    return any(
        server.agent is not None and server.agent.pk not in at_it and not server.is_clean(booking)
        for server in servers_of(booking)
    )
