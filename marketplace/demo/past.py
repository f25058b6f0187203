"""The past of a demo machine's agent: outages in the last 30 days that add up to the reliability of the file."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from bookings.models import Booking
from machines.models import Agent, Machine, Outage
from machines.services.reliability import GIVEN, MINUTE, reliability_of, window

#: How long an outage is on average, in minutes, and the most of them.
USUAL = 40
MOST = 12

Window = tuple[datetime, datetime]


def outages_for(machine: Machine, agent: Agent, share: float, now: datetime) -> list[Outage]:
    """Write outages of this agent after which :func:`machines.services.reliability.reliability_of` says ``share``.

    They lie in the time in which the machine was on offer, outside its bookings as long as there is room, and are the
    same each time for the same machine. The agent counts as one that came before. What the machine is charged for
    already (a booking that its provider canceled) is not taken from it twice: less down time is made up then, and if
    the charge alone is more, the figure is lower than ``share``, as it would be.
    """
    since, _ = window(now)
    if agent.enrolled_at > since:
        agent.enrolled_at = since
        agent.save(update_fields=["enrolled_at"])
    before = reliability_of(machine, now=now)
    wanted = round(before.counted_minutes * (1 - share)) + GIVEN if share < 1 else 0
    down = min(wanted - before.charged_minutes - before.down_minutes, before.counted_minutes - before.down_minutes)
    if down <= 0:
        return []
    blocked = [(stretch.start, stretch.end) for stretch in (*before.outages, *before.upkeep)]
    on_offer = [(stretch.start, stretch.end) for stretch in before.listed]
    room = _minutes(_without(on_offer, blocked + _booked(machine, since, now)))
    if len(room) < down:
        room = _minutes(_without(on_offer, blocked))
    chosen = _chosen(room, down, random.Random(f"outages {machine.name}"))  # noqa: S311 no secret
    return Outage.objects.bulk_create(
        Outage(machine=machine, agent=agent, began_at=start, ended_at=end) for start, end in chosen
    )


def _booked(machine: Machine, since: datetime, now: datetime) -> list[Window]:
    bookings = Booking.objects.filter(machine=machine, started_at__isnull=False, start__lt=now, end__gt=since)
    return list(bookings.values_list("start", "end"))


def _without(windows: Sequence[Window], blocked: Sequence[Window]) -> Iterator[Window]:
    for start, end in windows:
        at = start
        for first, last in sorted(blocked):
            if last <= at or first >= end:
                continue
            if first > at:
                yield at, first
            at = max(at, last)
        if at < end:
            yield at, end


def _minutes(windows: Iterator[Window]) -> list[datetime]:
    """The whole minutes in the windows, by their beginnings."""
    found = []
    for start, end in windows:
        at = start.replace(second=0, microsecond=0)
        at += MINUTE if at < start else timedelta(0)
        while at + MINUTE <= end:
            found.append(at)
            at += MINUTE
    return found


def _chosen(room: Sequence[datetime], down: int, draw: random.Random) -> list[Window]:
    """So many of the minutes, in a few pieces at random places; what is not in one piece there becomes two."""
    down = min(down, len(room))
    pieces = min(MOST, max(1, down // USUAL))
    cuts = [0, *sorted(draw.sample(range(1, down), pieces - 1)), down]
    gaps = sorted(draw.randint(0, len(room) - down) for _ in range(pieces))
    windows: list[Window] = []
    for gap, (first, last) in zip(gaps, pairwise(cuts), strict=True):
        for minute in room[gap + first : gap + last]:
            if windows and windows[-1][1] == minute:
                windows[-1] = (windows[-1][0], minute + MINUTE)
            else:
                windows.append((minute, minute + MINUTE))
    return windows
