"""When machines are free: blocks for the strip, windows to offer instead. All intervals are half-open."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
    Value,
)

from bookings.models import Booking, Charge, ChargeKind
from machines.models import MaintenanceWindow

MINUTE = timedelta(minutes=1)
#: A machine that its agent hands over is not promised for sooner than this while the agent is silent.
WHILE_SILENT = timedelta(minutes=15)


@dataclass(frozen=True)
class Block:
    """A part of the calendar that is not free.

    ``kind`` is *taken*, *held* (asked for, not paid), *wipe* or *upkeep* (announced maintenance).
    """

    start: datetime
    end: datetime
    kind: str


def blocks(bookings: Iterable[Booking], *, now: datetime) -> list[Block]:
    """What the given bookings take up, in order of time.

    A machine that still waits for its wipe is blocked until now at least, whatever the turnaround said.

    Args:
        bookings: those of :func:`with_extensions`.
    """
    result = []
    for booking in bookings:
        result.append(Block(booking.start, booking.end, "held" if booking.is_hold else "taken"))
        end = booking.end + (booking.extending or timedelta(0))  # type: ignore[attr-defined]
        if end > booking.end:
            result.append(Block(booking.end, end, "held"))
        until = max(booking.blocked_until, now) if booking.is_awaiting_wipe else booking.blocked_until
        if until > end:
            result.append(Block(end, until, "wipe"))
    return _in_order(result)


def with_extensions(bookings: QuerySet[Booking]) -> QuerySet[Booking]:
    """With ``extending``: for how much longer the machine is held while that is not paid; ``None`` for most."""
    length = ExpressionWrapper(F("covers_until") - F("covers_from"), output_field=DurationField())
    extensions = Charge.objects.open().filter(kind=ChargeKind.EXTENSION, booking=OuterRef("pk")).order_by()
    return bookings.annotate(extending=Subquery(extensions.values(length=length)[:1]))


def _in_order(result: list[Block]) -> list[Block]:
    return sorted(result, key=lambda block: block.start)


def in_the_way(
    machine_id: UUID, start: datetime, blocked_until: datetime, *, apart_from: UUID | None = None
) -> QuerySet[Any]:
    """What keeps anybody from booking the machine for ``[start, blocked_until)``, turnaround included, in order of time.

    Rows of (start, end, whose booking it is, whether it is announced maintenance), in one query.

    Args:
        apart_from: a booking that is not in its own way.
    """
    is_no, is_yes = (Value(answer, output_field=BooleanField()) for answer in (False, True))
    bookings = Booking.objects.holding().filter(machine=machine_id).overlapping(start, blocked_until)
    if apart_from is not None:
        bookings = bookings.exclude(pk=apart_from)
    windows = MaintenanceWindow.objects.announced().filter(machine=machine_id).overlapping(start, blocked_until)
    nobody = Value(None, output_field=UUIDField())
    return (
        bookings.order_by()
        .values_list("start", "blocked_until", "buyer", is_no)
        .union(windows.order_by().values_list("start", "end", nobody, is_yes), all=True)
        .order_by("start")
    )


def blocks_of(machine_ids: Sequence[UUID], start: datetime, end: datetime, *, now: datetime) -> dict[UUID, list[Block]]:
    """The blocks of many machines between ``start`` and ``end``, in two queries."""
    found: dict[UUID, list[Booking]] = defaultdict(list)
    holding = with_extensions(Booking.objects.holding().filter(machine__in=machine_ids))
    in_view = Q(start__lt=end, blocked_until__gt=start)
    for booking in holding.filter(in_view | Q(wipe_opened_at__isnull=False, wiped_at=None)).only(
        "machine", "start", "end", "blocked_until", "status", "paid_at", "wipe_opened_at", "wiped_at"
    ):
        found[booking.machine_id].append(booking)
    closed: dict[UUID, list[Block]] = defaultdict(list)
    windows = MaintenanceWindow.objects.announced().filter(machine__in=machine_ids).overlapping(start, end)
    for machine_id, since, until in windows.values_list("machine", "start", "end"):
        closed[machine_id].append(Block(since, until, "upkeep"))
    return {
        machine_id: _in_order(blocks(found[machine_id], now=now) + closed[machine_id]) for machine_id in machine_ids
    }


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
    windows: list[tuple[datetime, datetime]] = []
    candidate = whole_minute(after)
    for start, blocked_until, *_ in in_the_way(machine_id, after, until + turnaround):
        if candidate + length + turnaround <= start:
            windows.append((candidate, candidate + length))
        candidate = max(candidate, whole_minute(blocked_until))
    if candidate + length <= until:
        windows.append((candidate, candidate + length))
    return windows[:limit]
