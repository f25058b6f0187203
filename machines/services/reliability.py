"""How reliable a machine is: computed from heartbeats, never typed, and shown with its sum (rules: What).

Of the last 30 days count the minutes in which the machine was on offer and, as nobody can say anything about the time
before, since its first agent came; announced maintenance is left out. Down is a machine of which one server was not
heard, unless it was the marketplace that was away. Each stretch of time counts its whole minutes, so that what a page
lists adds up to what it says.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from machines.models import Machine, ReliabilityDebit

MINUTE = timedelta(minutes=1)
#: Minutes that are given to everybody, so that a short outage of a machine that is new does not ruin it.
GIVEN = 10
#: Digits of a share that are kept: a hundredth of a minute in 30 days.
DIGITS = 7
BATCH = 1000

# One place says what counts, for one machine and for all of them: in sets of ranges, which know how to be cut.
SPANS = """
WITH machine AS (
    SELECT m.hardware_id, tstzrange(GREATEST(%(since)s, min(a.enrolled_at)), %(now)s) AS span
    FROM machines m JOIN agents a ON a.hardware_id = m.hardware_id
    WHERE m.hardware_id = ANY(%(ids)s) AND m.access_kind <> 'manual'
    GROUP BY m.hardware_id HAVING min(a.enrolled_at) < %(now)s
), platform AS (
    SELECT COALESCE(range_agg(tstzrange(began_at, ended_at)), '{}') AS away
    FROM platform_outages WHERE ended_at > %(since)s AND began_at < %(now)s
), listed AS (
    SELECT hardware_id, range_agg(tstzrange(began_at, ended_at) * span) AS times
    FROM machine JOIN listed_periods USING (hardware_id)
    WHERE ended_at IS NULL OR ended_at > %(since)s GROUP BY hardware_id
), upkeep AS (
    SELECT hardware_id, range_agg(tstzrange(start, "end") * span) AS times
    FROM machine JOIN maintenance_windows USING (hardware_id)
    WHERE canceled_at IS NULL AND "end" > %(since)s AND start < %(now)s GROUP BY hardware_id
), silent AS (
    SELECT hardware_id, range_agg(tstzrange(began_at, ended_at) * span) AS times
    FROM machine JOIN outages USING (hardware_id)
    WHERE began_at < %(now)s AND (ended_at IS NULL OR ended_at > %(since)s) GROUP BY hardware_id
), spans AS (
    SELECT hardware_id, listed.times AS listed, listed.times * COALESCE(upkeep.times, '{}') AS upkeep,
        (listed.times - COALESCE(upkeep.times, '{}')) * COALESCE(silent.times, '{}') - platform.away AS down
    FROM machine JOIN listed USING (hardware_id) CROSS JOIN platform
    LEFT JOIN upkeep USING (hardware_id) LEFT JOIN silent USING (hardware_id)
)
"""
STRETCHES = f"""
{SPANS}
SELECT 'listed', lower(r), upper(r) FROM spans, unnest(listed) r
UNION ALL SELECT 'upkeep', lower(r), upper(r) FROM spans, unnest(upkeep) r
UNION ALL SELECT 'down', lower(r), upper(r) FROM spans, unnest(down) r
ORDER BY 2
"""  # noqa: S608 nothing of it comes from outside
MINUTES = "(SELECT COALESCE(sum(div(extract(epoch FROM upper(r) - lower(r)), 60)), 0)::bigint FROM unnest({}) r)"
SUMS = f"""
{SPANS}
SELECT hardware_id, {MINUTES.format("listed")}, {MINUTES.format("upkeep")}, {MINUTES.format("down")},
    (SELECT COALESCE(sum(minutes), 0) FROM reliability_debits d
     WHERE d.hardware_id = spans.hardware_id AND at > %(since)s AND at <= %(now)s)
FROM spans
"""  # noqa: S608 nothing of it comes from outside
# Rows that somebody else holds are left to the next sweep; the order keeps two sweeps from waiting for each other.
STORE = """
WITH mine AS (
    SELECT m.hardware_id, new.share
    FROM machines m JOIN unnest(%(ids)s::uuid[], %(shares)s::float8[]) AS new (id, share) ON new.id = m.hardware_id
    WHERE m.reliability IS DISTINCT FROM new.share
    ORDER BY m.hardware_id FOR NO KEY UPDATE OF m SKIP LOCKED
)
UPDATE machines m SET reliability = mine.share FROM mine WHERE m.hardware_id = mine.hardware_id
"""


@dataclass(frozen=True)
class Stretch:
    """A time, half-open, of which the whole minutes count."""

    start: datetime
    end: datetime

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // MINUTE


@dataclass(frozen=True)
class Debit:
    """Minutes that count as down for something other than silence."""

    reason: str
    at: datetime
    minutes: int


@dataclass(frozen=True)
class Reliability:
    """The sum, term by term. ``share`` is the result, ``None`` where there is nothing to measure yet."""

    since: datetime
    until: datetime
    listed: tuple[Stretch, ...]
    upkeep: tuple[Stretch, ...]
    outages: tuple[Stretch, ...]
    debits: tuple[Debit, ...]

    @property
    def listed_minutes(self) -> int:
        return _minutes(self.listed)

    @property
    def upkeep_minutes(self) -> int:
        return _minutes(self.upkeep)

    @property
    def counted_minutes(self) -> int:
        """What the machine is measured over: on offer, announced maintenance left out."""
        return self.listed_minutes - self.upkeep_minutes

    @property
    def down_minutes(self) -> int:
        return _minutes(self.outages)

    @property
    def charged_minutes(self) -> int:
        return sum(debit.minutes for debit in self.debits)

    @property
    def given_minutes(self) -> int:
        return GIVEN

    @property
    def good_minutes(self) -> int:
        return self.counted_minutes - self.down_minutes - self.charged_minutes + GIVEN

    @property
    def share(self) -> float | None:
        return share(self.counted_minutes, self.down_minutes + self.charged_minutes)

    @property
    def is_enough(self) -> bool:
        return is_enough(self.share)


def _minutes(stretches: Iterable[Stretch]) -> int:
    return sum(stretch.minutes for stretch in stretches)


def share(counted: int, down: int) -> float | None:
    """Minutes counted and minutes down to a share of 0 to 1; ``None`` if nothing was counted."""
    if counted <= 0:
        return None
    return round(min(1.0, max(0.0, (counted - down + GIVEN) / counted)), DIGITS)


def is_enough(reliability: float | None) -> bool:
    """Whether new buyers may book a machine that is so reliable. One that has not been measured yet may be booked."""
    return reliability is None or reliability >= settings.MARKETPLACE_LEAST_RELIABILITY


def window(now: datetime) -> tuple[datetime, datetime]:
    """The time that is looked at."""
    return now - timedelta(days=settings.MARKETPLACE_RELIABILITY_DAYS), now


def reliability_of(machine: Machine, *, now: datetime) -> Reliability:
    """Every term of the machine's sum. Without an agent there is none: all of them are empty."""
    since, until = window(now)
    found: dict[str, list[Stretch]] = {"listed": [], "upkeep": [], "down": []}
    with connection.cursor() as cursor:
        cursor.execute(STRETCHES, {"ids": [machine.pk], "since": since, "now": now})
        for kind, start, end in cursor.fetchall():
            found[kind].append(Stretch(start, end))
    debits = tuple(
        Debit(debit.get_reason_display(), debit.at, debit.minutes)
        for debit in machine.debits.filter(at__gt=since, at__lte=now).order_by("at")
    )
    return Reliability(
        since,
        until,
        tuple(found["listed"]),
        tuple(found["upkeep"]),
        tuple(found["down"]),
        debits if found["listed"] else (),
    )


def recompute(machine: Machine, *, now: datetime) -> float | None:
    """Compute and store one machine's figure. One that never had an agent keeps what it has."""
    if machine.agents.exists():
        machine.reliability = reliability_of(machine, now=now).share
        machine.save(update_fields=["reliability"])
    return machine.reliability


def recompute_all(*, now: datetime) -> int:
    """Compute the figures of all machines, a batch at a time, and return how many have changed."""
    return sum(_store(_shares(ids, now=now)) for ids in _batches())


def _batches() -> Iterator[Sequence[UUID]]:
    """Machines that have had an agent. One that is handed over by hand again loses its figure."""
    machines = list(Machine.objects.filter(agents__isnull=False).order_by("pk").distinct().values_list("pk", flat=True))
    for first in range(0, len(machines), BATCH):
        yield machines[first : first + BATCH]


def _shares(ids: Sequence[UUID], *, now: datetime) -> dict[UUID, float | None]:
    since, until = window(now)
    shares: dict[UUID, float | None] = dict.fromkeys(ids)
    with connection.cursor() as cursor:
        cursor.execute(SUMS, {"ids": list(ids), "since": since, "now": until})
        for pk, listed, upkeep, down, charged in cursor.fetchall():
            shares[pk] = share(listed - upkeep, down + charged)
    return shares


@transaction.atomic
def _store(shares: dict[UUID, float | None]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(STORE, {"ids": list(shares), "shares": list(shares.values())})
        changed: int = cursor.rowcount
        return changed


def charge(*, machine: Machine, reason: str, key: str, minutes: int, now: datetime) -> None:
    """Count minutes as down that the machine was not silent in. Charging the same key twice is quiet.

    Args:
        reason: a :class:`machines.models.ReliabilityDebit.Reason`.
        key: what it is for, as ``cancellation:<booking>``.
    """
    debit: dict[str, Any] = {"machine": machine, "reason": reason, "at": now, "minutes": minutes, "key": key}
    ReliabilityDebit.objects.bulk_create([ReliabilityDebit(**debit)], ignore_conflicts=True)
