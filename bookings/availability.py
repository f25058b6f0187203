"""When machines are free: blocks for the strip, windows to offer instead. All intervals are half-open."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from bookings.models import Booking

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Block:
    """A part of the calendar that is not free: ``kind`` is *taken*, *held* (asked for, not paid) or *wipe*."""

    start: datetime
    end: datetime
    kind: str


def blocks(bookings: Iterable[Booking], *, now: datetime) -> list[Block]:
    """What the given bookings take up, in order of time.

    A machine that still waits for its wipe is blocked until now at least, whatever the turnaround said.
    """
    result = []
    for booking in bookings:
        result.append(Block(booking.start, booking.end, "held" if booking.is_hold else "taken"))
        until = max(booking.blocked_until, now) if booking.is_awaiting_wipe else booking.blocked_until
        if until > booking.end:
            result.append(Block(booking.end, until, "wipe"))
    return sorted(result, key=lambda block: block.start)


def blocks_of(machine_ids: Sequence[UUID], start: datetime, end: datetime, *, now: datetime) -> dict[UUID, list[Block]]:
    """The blocks of many machines between ``start`` and ``end``, in one query."""
    found: dict[UUID, list[Booking]] = defaultdict(list)
    holding = Booking.objects.holding().filter(machine__in=machine_ids)
    in_view = Q(start__lt=end, blocked_until__gt=start)
    for booking in holding.filter(in_view | Q(wipe_opened_at__isnull=False, wiped_at=None)).only(
        "machine", "start", "end", "blocked_until", "status", "paid_at", "wipe_opened_at", "wiped_at"
    ):
        found[booking.machine_id].append(booking)
    return {machine_id: blocks(found[machine_id], now=now) for machine_id in machine_ids}


def whole_minute(moment: datetime) -> datetime:
    """``moment``, or the next whole minute after it."""
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + MINUTE


def free_windows(
    machine_id: UUID,
    *,
    length: timedelta,
    turnaround: timedelta,
    after: datetime,
    until: datetime,
    limit: int = 3,
) -> list[tuple[datetime, datetime]]:
    """Windows of ``length`` in which the machine is free, one from the start of each gap, soonest first.

    The turnaround after the window has to fit before the next booking too.
    """
    taken = (
        Booking.objects.holding()
        .filter(machine=machine_id, blocked_until__gt=after, start__lt=until + turnaround)
        .order_by("start")
        .values_list("start", "blocked_until")
    )
    windows: list[tuple[datetime, datetime]] = []
    candidate = whole_minute(after)
    for start, blocked_until in taken:
        if candidate + length + turnaround <= start:
            windows.append((candidate, candidate + length))
        candidate = max(candidate, whole_minute(blocked_until))
    if candidate + length <= until:
        windows.append((candidate, candidate + length))
    return windows[:limit]
