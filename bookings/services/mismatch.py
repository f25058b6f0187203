"""Whether the machine that is handed over is the one that was booked (rules: What)."""

from datetime import datetime
from typing import Any

from bookings import mails
from bookings.models import Booking
from bookings.services.history import note
from machines import hardware
from machines.models import Agent
from machines.services import inventories, passports
from machines.services.errors import AgentRefused, Implausible

Difference = dict[str, str]
#: The line in a booking's history that tells of it.
NOT_AS_BOOKED = "The machine is not as booked"


def compare(booking: Booking, agent: Agent, inventory: Any, *, now: datetime) -> bool:
    """At hand-over: what the agent read just now, beside the passport that was booked. Returns whether they differ.

    Raises:
        Implausible: this is no inventory.
    """
    if booking.passport is None:
        return False
    try:
        read = inventories.clean(inventory)
    except AgentRefused as error:
        raise Implausible(f"The hardware cannot be compared with what was booked: {error.message}") from error
    return _remember(booking, passports.differences(booking.passport, {agent.node_name: read}), now=now)


def compare_at_start(booking: Booking, *, now: datetime) -> bool:
    """At the start: the machine's newest passport beside the one that was booked. Returns whether they differ."""
    return _remember(booking, differences_by_now(booking), now=now)


def differences_by_now(booking: Booking) -> list[Difference]:
    """What has changed of the machine since it was booked, as far as its agents have read it. Changes nothing."""
    if booking.passport is None:
        return []
    newest = booking.machine.passports.first()
    if newest is None or newest.pk == booking.passport_id:
        return []
    return hardware.node_changes(booking.passport.facts["nodes"], newest.facts["nodes"])


def _remember(booking: Booking, found: list[Difference], *, now: datetime) -> bool:
    """Every difference is kept and told once. The caller holds the booking's lock."""
    new = [difference for difference in found if difference not in booking.mismatch]
    if not new:
        return False
    is_first = not booking.mismatch
    booking.mismatch = [*booking.mismatch, *new]
    booking.save(update_fields=["mismatch"])
    note(booking, NOT_AS_BOOKED, now=now, detail="; ".join(map(sentence, new)))
    if is_first:
        mails.mismatch(booking)
    return True


def sentence(difference: Difference) -> str:
    """``GPU 3: NVIDIA H100 80GB HBM3 was booked, it is none now``."""
    return f"{difference['what']}: {difference['before']} was booked, it is {difference['after']} now"
