"""Time of a booking that its buyer could not use, and what comes back for it: read by code and pages alike.

Rules: When. A late hand-over that has not been made up by moving the end, and the minutes without a heartbeat after the
first few, are refunded pro rata when the booking ends: of its price, or where it was ended early, of what the time until
then was charged at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from bookings.let_in import lacked_a_key
from bookings.models import Booking
from bookings.terms import charged_for_used
from common.money import rounded
from machines.services.downtime import down_intervals

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Stretch:
    """A part of a booking's time: ``kind`` is *up*, *down* (no heartbeat) or *late* (not handed over yet)."""

    start: datetime
    end: datetime
    kind: str

    @property
    def minutes(self) -> int:
        """A begun minute counts as one."""
        return -(-(self.end - self.start) // MINUTE)

    @property
    def label(self) -> str:
        return {"up": _("In use"), "down": _("No heartbeat"), "late": _("Not handed over yet")}[self.kind]


@dataclass(frozen=True)
class LostTime:
    """What was lost of ``[since, until)``. Minutes; ``amount`` in the booking's currency.

    ``late`` minutes are those of the hand-over, ``is_made_up`` says that the end has moved for them; ``down`` are those
    of silence, of which the first ``free`` are not refunded; ``lost`` are the ones that are.
    """

    since: datetime
    until: datetime
    stretches: list[Stretch]
    late: int
    is_made_up: bool
    down: int
    free: int
    lost: int
    amount: Decimal

    @property
    def gaps(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if stretch.kind != "up"]

    @property
    def has_been_late(self) -> bool:
        return any(stretch.kind == "late" for stretch in self.stretches)

    @property
    def goes_on(self) -> bool:
        """Whether there is time of the booking still to come."""
        return not self.stretches or self.stretches[-1].end < self.until

    @property
    def reason(self) -> str:
        """As :data:`bookings.events.booking_time_lost` names it."""
        late, down = self.late and not self.is_made_up, self.down > self.free
        return "late_and_down" if late and down else "late" if late else "down"


def lost_time(booking: Booking, *, now: datetime) -> LostTime:
    """What has been lost of a booking until now, or until its end. Changes nothing.

    Only machines with an agent have heartbeats to miss; of the others a late hand-over counts.
    """
    until = max(min(booking.end, now), booking.start)
    ready = _ready(booking, until)
    stretches = [Stretch(booking.start, ready, "late")] if _is_late(booking, ready, now=now) else []
    begin = stretches[-1].end if stretches else booking.start
    stretches += _by_heartbeats(booking, max(begin, ready), until, now=now)
    counted = sum(stretch.minutes for stretch in stretches if stretch.kind == "down")
    down = counted if booking.down_minutes is None else booking.down_minutes
    free = int(settings.MARKETPLACE_DOWNTIME_FREE / MINUTE)
    late = 0 if booking.booked_end else booking.late_minutes
    booked = booking.booked_duration // MINUTE
    # What was given back for the time that was left is not lost once more.
    lost = min(late + max(0, down - free), booked, (booking.booked_until - booking.start) // MINUTE)
    return LostTime(
        since=booking.start,
        until=booking.end,
        stretches=stretches,
        late=booking.late_minutes,
        is_made_up=booking.booked_end is not None,
        down=down,
        free=min(free, down),
        lost=lost,
        amount=booking.lost_amount if booking.settled_at else min(_worth(booking, lost), booking.kept_so_far),
    )


def _worth(booking: Booking, lost: int) -> Decimal:
    """What so many minutes of a booking were charged at."""
    price, minutes = booking.price_total, booking.booked_duration // MINUTE
    if booking.ended_early_at is not None:
        price, minutes = charged_for_used(booking), (booking.booked_until - booking.start) // MINUTE
    return rounded(price * lost / minutes, booking.currency) if lost else Decimal(0)


def _ready(booking: Booking, until: datetime) -> datetime:
    """When the buyer could get in; ``until`` if that has not been yet. One who brings no key could from the start."""
    access = getattr(booking, "access", None)
    if access is None and lacked_a_key(booking):
        return booking.start
    return min(max(booking.start, access.ready_at, booking.started_at or booking.start), until) if access else until


def _is_late(booking: Booking, ready: datetime, *, now: datetime) -> bool:
    if ready <= booking.start:
        return False
    if getattr(booking, "access", None) is None:
        return ready - booking.start > settings.MARKETPLACE_LATE_HANDOVER
    return booking.late_minutes > 0


def _by_heartbeats(booking: Booking, start: datetime, end: datetime, *, now: datetime) -> Iterator[Stretch]:
    """The time in which the buyer could get in, cut where the machine was silent."""
    if end <= start:
        return
    silent = down_intervals(machine=booking.machine, start=start, end=end, now=now) if booking.is_automatic else []
    at = start
    for begin, finish in silent:
        if begin > at:
            yield Stretch(at, begin, "up")
        yield Stretch(begin, finish, "down")
        at = finish
    if end > at:
        yield Stretch(at, end, "up")
