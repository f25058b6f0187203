"""Having the agents of a machine let the buyer in, and what comes of it (``docs/agent-protocol.md``, provision)."""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from bookings import mails
from bookings.let_in import is_left_out
from bookings.lifecycle import RUNNING
from bookings.models import ACCESS_WORK, Access, Booking
from bookings.services import mismatch
from bookings.services.history import note
from bookings.services.late import make_up_for_delay
from bookings.services.locks import locked, locked_if_idle
from common.leases import growing_pause
from machines.models import Agent, Machine, Work, WorkKind, WorkState
from machines.services import work as agent_work
from machines.services.errors import Implausible
from machines.services.messages import MOMENT

DAY = timedelta(days=1)
#: What a buyer's account may use at once: enough for any job, too little to bring the server down by mistake.
LIMITS = {"processes": 4096, "open_files": 65536}
#: An agent that could not let the buyer in is asked again until the end, after pauses that grow. After the first failure
#: and after so many its people are told; later ones are noted once in a while.
TRIES = 5
NOTED_EVERY = 36
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=10)
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
#: The kind of host key that the command's reader is shown, if there is one.
PREFERRED = "ssh-ed25519"
#: How the line in a booking's history begins that tells of an attempt that failed.
COULD_NOT = "The agent could not let the buyer in"


def keys_of(booking: Booking) -> list[str]:
    """The public keys to let in, in the order in which :meth:`BookingQuerySet.due_to_provision` compares them."""
    return list(booking.keys_let_in().values_list("public_key", flat=True))


def agents_of(booking: Booking) -> list[Agent]:
    """The machine's agents: the head node of a cluster first."""
    agents = booking.machine.agents.enrolled().select_related("node", "machine")
    return sorted(agents, key=lambda agent: agent.node_name)


def ask(booking: Booking, *, now: datetime) -> bool:
    """Ask every agent of the machine for what the keys to let in and the booking's end are now.

    What an agent has been asked for already is not asked again. Returns whether anything was asked for. The caller
    holds the booking's lock.
    """
    keys, asked = keys_of(booking), False
    newest = _newest(booking)
    if not keys and not newest:
        (mails.nobody_let_in if is_left_out(booking) else mails.key_needed)(booking)
    for agent in agents_of(booking):
        before = newest.get(agent.pk)
        if _is_up_to_date(before, booking, keys):
            continue
        agent_work.cancel_waiting(agent=agent, booking_id=booking.pk, kinds=ACCESS_WORK, now=now)
        _ask_agent(agent, booking, keys, before, now=now)
        asked = True
    return asked


@transaction.atomic
def provision_booking(*, booking_id: UUID, now: datetime) -> bool:
    """Sweep: other keys are to be let in than the agents know, or an agent has not been asked. Returns whether it was due."""
    booking = locked_if_idle(booking_id)
    if booking is None or not Booking.objects.due_to_provision(now=now).filter(pk=booking_id).exists():
        return False
    return ask(booking, now=now)


def _newest(booking: Booking) -> dict[UUID, Work]:
    """What each agent was asked for last about who gets in."""
    found = Work.objects.filter(booking_id=booking.pk, kind__in=ACCESS_WORK).exclude(state=WorkState.CANCELED)
    return {work.agent_id: work for work in found.order_by("created_at", "pk")}


def _is_up_to_date(work: Work | None, booking: Booking, keys: Sequence[str]) -> bool:
    if work is None or work.kind == WorkKind.REVOKE:
        return not keys
    return bool(work.payload["keys"] == keys and work.payload["expires_at"] == _stamp(booking.end))


def _ask_agent(
    agent: Agent,
    booking: Booking,
    keys: Sequence[str],
    before: Work | None,
    *,
    now: datetime,
    not_before: datetime | None = None,
) -> Work:
    kind = WorkKind.PROVISION if keys else WorkKind.REVOKE
    number = Work.objects.filter(agent=agent, booking_id=booking.pk, kind__in=ACCESS_WORK).count() + 1
    payload: dict[str, Any] = {"booking": booking.reference, "account": booking.account}
    if keys:
        # A container that runs keeps its image, whatever the machine's setting is by now.
        image = before.payload.get("image") if before else None
        payload |= {
            "access": booking.access_kind,
            "keys": list(keys),
            "expires_at": _stamp(booking.end),
            "locks_at": _stamp(_midnight_after(booking.end)),
            "limits": LIMITS,
            "image": image or booking.machine.container_image or settings.MARKETPLACE_CONTAINER_IMAGE,
        }
    return agent_work.ask_for(
        agent=agent,
        kind=kind,
        key=f"{kind}:{booking.pk}:{agent.pk}:{number}",
        payload=payload,
        booking_id=booking.pk,
        not_before=not_before,
        now=now,
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(MOMENT)


def _midnight_after(moment: datetime) -> datetime:
    """The first midnight UTC at or after the moment: for ``useradd -e``, which knows days only."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day == moment else day + DAY


# What agents report -----------------------------------------------------------------------------------


def record(work: Work, *, now: datetime) -> None:
    """An agent has finished a piece of work about who gets in. Called inside the report's transaction.

    Raises:
        Implausible: it says what cannot be.
    """
    booking = _booking_of(work)
    if work.state == WorkState.DONE and work.kind == WorkKind.PROVISION:
        _check(work, booking)
    is_over = booking.wipe_opened_at is not None or booking.completed_at is not None or booking.end <= now
    if is_over or booking.status not in RUNNING:
        return  # over meanwhile: whoever was let in too late is not in
    if work.state == WorkState.FAILED:
        _try_again(work, booking, now=now)
    elif work.kind == WorkKind.REVOKE:
        what, detail = _locked(booking)
        note(booking, what, now=now, detail=detail)
    else:
        mismatch.compare(booking, work.agent, work.result.get("inventory"), now=now)
        _hand_over(booking, now=now)


def _locked(booking: Booking) -> tuple[str, str]:
    if is_left_out(booking):
        return "Locked: nobody is let in", "A key of the organization is let in within a minute."
    return "Locked: the buyer has no keys", "A key that is added lets them in again."


def _booking_of(work: Work) -> Booking:
    if work.booking_id is None:
        raise Implausible("The work is about no booking.")
    booking = locked(work.booking_id)
    if booking.machine_id != work.agent.machine_id:
        raise Implausible("The booking is another machine's.")
    if (work.payload.get("booking"), work.payload.get("account")) != (booking.reference, booking.account):
        raise Implausible("The work is about another booking.")
    return booking


def _check(work: Work, booking: Booking) -> None:
    """
    Raises:
        Implausible: the result is about another account, other keys, or cannot be logged in with.
    """
    result = work.result
    if result.get("account") != booking.account:
        raise Implausible(f"The account is to be {booking.account}.")
    if _as_set(result.get("keys")) != {fingerprint(key) for key in work.payload["keys"]}:
        raise Implausible("These are not the keys that were to be let in.")
    if not result.get("login_checked_at"):
        raise Implausible("The log-in has not been checked.")
    if not _host_key(result):
        raise Implausible("The fingerprint of the host key is missing.")
    try:
        _place(work, is_head=True)
    except ValidationError as error:
        raise Implausible(f"Nobody can log in there: {' '.join(error.messages)}") from error


def _as_set(values: Any) -> set[Any] | None:
    return set(values) if isinstance(values, list) and all(isinstance(value, str) for value in values) else None


def fingerprint(key: str) -> str:
    """As ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _host_key(result: dict[str, Any]) -> str:
    """The fingerprint to expect: of the Ed25519 key where there is one."""
    keys = result.get("host_keys")
    found = {
        str(key.get("type")): key["fingerprint"]
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict)
        and isinstance(key.get("fingerprint"), str)
        and FINGERPRINT.fullmatch(key["fingerprint"])
    }
    return found.get(PREFERRED) or next(iter(found.values()), "")


def _place(work: Work, *, is_head: bool) -> tuple[str, int]:
    """Where to log in: what the provider entered, else what the agent says, else where it calls from.

    Raises:
        ValidationError: that is no host, or no port.
    """
    machine, ssh = work.agent.machine, work.result.get("ssh")
    said = ssh if isinstance(ssh, dict) else {}
    entered = machine.ssh_host if is_head else ""
    host = entered or said.get("host") or work.agent.address or ""
    port = machine.ssh_port if is_head and machine.ssh_port != 22 else said.get("port") or 22
    fields = Access._meta.get_field("host"), Access._meta.get_field("port")
    if not isinstance(host, str) or type(port) is not int:
        raise ValidationError("This is no address.")
    return fields[0].clean(host.strip(), None), fields[1].clean(port, None)


def _hand_over(booking: Booking, *, now: datetime) -> None:
    """Show the buyer how to get in, once every server of the machine has let them in."""
    ready = _ready_work(booking)
    if ready is None:
        return
    values = _values(ready, booking)
    access = Access.objects.filter(booking=booking).first()
    if access is None:
        access = Access.objects.create(booking=booking, ready_at=now, **values)
        note(booking, "Handed over: log-in checked by the agent", now=now)
        if make_up_for_delay(booking, now=now):
            ask(booking, now=now)
        mails.access_ready(booking, access)
        return
    changed = [field for field, value in values.items() if getattr(access, field) != value]
    for field in changed:
        setattr(access, field, values[field])
    if changed:
        access.save(update_fields=changed)
        mails.access_ready(booking, access, occasion=f"{now.timestamp():.0f}")
    note(booking, "Access brought up to date by the agent", now=now)


def _ready_work(booking: Booking) -> list[Work] | None:
    """The newest hand-over of each server, the head first; ``None`` while one has not reported any."""
    agents = agents_of(booking)
    if not agents or len(agents) < _servers(booking.machine):
        return None
    done = {
        work.agent_id: work
        for work in Work.objects.filter(booking_id=booking.pk, kind=WorkKind.PROVISION, state=WorkState.DONE)
        .select_related("agent__machine", "agent__node")
        .order_by("finished_at", "pk")
    }
    return [done[agent.pk] for agent in agents] if all(agent.pk in done for agent in agents) else None


def _servers(machine: Machine) -> int:
    return max(machine.nodes.count(), 1) if machine.is_cluster else 1


def _values(ready: Sequence[Work], booking: Booking) -> dict[str, Any]:
    (host, port), nodes = _place(ready[0], is_head=True), []
    for work in ready[1:]:
        place = _place(work, is_head=False)
        nodes.append(
            {
                "node": work.agent.node_name,
                "host": place[0],
                "port": place[1],
                "host_key_fingerprint": _host_key(work.result),
            }
        )
    return {
        "host": host,
        "port": port,
        "username": booking.account,
        "host_key_fingerprint": _host_key(ready[0].result),
        "nodes": nodes,
    }


def _try_again(work: Work, booking: Booking, *, now: datetime) -> None:
    """Ask anew after a pause that grows: as long as the booking runs, its buyer may still be let in."""
    newest = _newest(booking).get(work.agent_id)
    if newest is None or newest.pk != work.pk:
        return  # something newer is asked for already
    failures = _failures_in_a_row(work, booking)
    pause = growing_pause(failures, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    _ask_agent(work.agent, booking, keys_of(booking), work, now=now, not_before=now + pause)
    if failures <= TRIES or failures % NOTED_EVERY == 0:
        what_next = f"It tries again in {int(pause.total_seconds())} seconds."
        note(booking, f"{COULD_NOT} (attempt {failures})", now=now, detail=f"{work.error} {what_next}".strip())
    if failures in (1, TRIES):
        mails.access_failed(booking, work.error, is_stubborn=failures == TRIES)


def _failures_in_a_row(work: Work, booking: Booking) -> int:
    states = (
        Work.objects.filter(agent=work.agent_id, booking_id=booking.pk, kind__in=ACCESS_WORK)
        .exclude(state=WorkState.CANCELED)
        .order_by("-created_at", "-pk")
        .values_list("state", flat=True)
    )
    count = 0
    for state in states:
        if state != WorkState.FAILED:
            break
        count += 1
    return count
