"""Keeping samples cheap: a partition for each day, hours rolled up of them, and both thrown away when they are old.

The table is made by the migration ``0006_health_samples``. A day of samples goes by dropping its partition, which takes
no longer for ten thousand machines than for ten. All of this may run twice, and at the same time.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from machines.models import MEASURES

log = logging.getLogger(__name__)

TABLE = "health_samples"
#: Where samples lie whose day has no partition.
OTHER = "health_samples_other"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: Days that are made ahead: for so long may nobody come by.
AHEAD = 7
#: Hours that are rolled up again each time, the one that is going on included.
AGAIN = 2
#: Only one process at a time changes partitions.
LOCK = 7_104_211_876

_MEANS, _PEAKS = (
    ", ".join(f"'{measure}', round({how}({measure})::numeric, 2)" for measure in MEASURES) for how in ("avg", "max")
)
ROLL_UP = f"""
INSERT INTO health_hours (agent_id, hour, samples, means, peaks)
SELECT agent_id, %(hour)s, count(*), jsonb_strip_nulls(jsonb_build_object({_MEANS})),
    jsonb_strip_nulls(jsonb_build_object({_PEAKS}))
FROM {TABLE} JOIN agents ON agents.id = agent_id
WHERE at >= %(hour)s AND at < %(until)s GROUP BY agent_id
ON CONFLICT (agent_id, hour)
    DO UPDATE SET samples = EXCLUDED.samples, means = EXCLUDED.means, peaks = EXCLUDED.peaks
    WHERE health_hours.samples <> EXCLUDED.samples
"""  # noqa: S608 the names of columns are our own


def keep_partitions(*, now: datetime) -> tuple[int, int]:
    """Make the days to come, drop those that are too old. Returns how many of each."""
    today = now.astimezone(UTC).date()
    first = today - settings.MARKETPLACE_SAMPLES_DAYS * DAY
    wanted = {today + days * DAY for days in range(-1, AHEAD + 1)}
    made = sum(_make(day) for day in sorted(wanted | _days_left_over(first)))
    dropped = sum(_drop(day) for day in sorted(_days()) if day < first)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {OTHER} WHERE at < %s", [_midnight(first)])  # noqa: S608
    return made, dropped


def _days() -> set[date]:
    """Those that have a partition."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [TABLE])
        names = [name for (name,) in cursor.fetchall() if name != OTHER]
    return {datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC).date() for name in names}


def _days_left_over(first: date) -> set[date]:
    """Those of samples that came when their day had no partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM {OTHER} WHERE at >= %s",  # noqa: S608
            [_midnight(first)],
        )
        return {day for (day,) in cursor.fetchall()}


def _name(day: date) -> str:
    return f"{TABLE}_{day:%Y%m%d}"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _locked() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


@transaction.atomic
def _make(day: date) -> bool:
    """A table beside, filled with what lies in the default partition, then attached: heartbeats wait for nothing but
    the moment in which the default partition is locked, where they do not go on an ordinary day."""
    _locked()
    if day in _days():
        return False
    since, until = _midnight(day), _midnight(day + DAY)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {OTHER} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(f"CREATE TABLE {_name(day)} (LIKE {TABLE} INCLUDING ALL)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {OTHER} WHERE at >= %s AND at < %s RETURNING *)"  # noqa: S608
            f" INSERT INTO {_name(day)} SELECT * FROM moved",
            [since, until],
        )
        cursor.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {_name(day)} FOR VALUES FROM (%s) TO (%s)", [since, until]
        )
    return True


@transaction.atomic
def _drop(day: date) -> bool:
    _locked()
    if day not in _days():
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {_name(day)}")
    return True


def roll_up(*, now: datetime) -> int:
    """Roll up the last hours, and those before that were missed. Returns how many hours were looked at."""
    hours = list(_hours_to_do(now))
    for hour in hours:
        with connection.cursor() as cursor:
            cursor.execute(ROLL_UP, {"hour": hour, "until": hour + HOUR})
    return len(hours)


def _hours_to_do(now: datetime) -> Iterator[datetime]:
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    oldest = last - settings.MARKETPLACE_SAMPLES_DAYS * DAY
    newest = _value("SELECT max(hour) FROM health_hours WHERE hour <= %s", [last])
    first_sample = _value(f"SELECT min(at) FROM {TABLE} WHERE at >= %s", [oldest]) if newest is None else None  # noqa: S608
    begun = newest or first_sample or last
    hour = max(oldest, min(begun.astimezone(UTC).replace(minute=0, second=0, microsecond=0), last - (AGAIN - 1) * HOUR))
    while hour <= last:
        yield hour
        hour += HOUR


def _value(statement: str, values: list[Any]) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: datetime | None = cursor.fetchone()[0]
    return found


def drop_hours(*, now: datetime) -> int:
    """Forget the hours that are too old. Returns how many rows that were."""
    oldest = now - settings.MARKETPLACE_HOURS_DAYS * DAY
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM health_hours WHERE hour < %s", [oldest])
        return int(cursor.rowcount)


def after_migrations(**_: Any) -> None:
    """Make the first partitions with the table itself: nothing lies in the wrong place before the first sweep."""
    if TABLE in connection.introspection.table_names():
        keep_partitions(now=datetime.now(UTC))
