"""Three ways to hold a window, with 8 clients racing for 2 machines: which of them, and what does it cost?

    .venv/bin/python perf/holding_a_window.py [--seconds 4] [--rows 100000]

- one statement: ``INSERT … ON CONFLICT DO NOTHING`` against the exclusion constraint. What the marketplace does.
- insert and catch: a plain ``INSERT`` that runs into the constraint.
- row lock: the machine's row is locked, the calendar is looked at, then a row is inserted. No constraint is needed.

Then the first way again in a table that has ``--rows`` bookings of other machines already.
Starts a database of its own in a folder that is thrown away. docs/decisions/0003-holding-a-window.md cites it.
"""

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

import psycopg  # noqa: E402
from psycopg import errors  # noqa: E402

from marketplace.embedded.parts import Parts  # noqa: E402

CLIENTS, MACHINES = 8, 2
NOT_NEEDED = {
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_SECRET_KEY": "-",
    "STRIPE_PUBLISHABLE_KEY": "-",
    "STRIPE_WEBHOOK_SECRET": "-",
}
DAY_ZERO = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: New windows come into reach this often, and each request meets some that others want at the same moment.
WINDOWS_A_SECOND, REACH = 400, 4

CREATE = """
CREATE EXTENSION IF NOT EXISTS btree_gist;
DROP TABLE IF EXISTS holds, machines;
CREATE TABLE machines (id int PRIMARY KEY);
CREATE TABLE holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine int NOT NULL,
    start timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
CREATE INDEX ON holds (machine, start DESC);
"""
CONSTRAINT = """
ALTER TABLE holds ADD CONSTRAINT one_at_a_time
    EXCLUDE USING gist (machine WITH =, tstzrange(start, blocked_until) WITH &&)
"""
FILL = """
INSERT INTO machines SELECT generate_series(0, %(machines)s + %(others)s);
INSERT INTO holds (machine, start, blocked_until)
SELECT %(machines)s + n %% %(others)s, t, t + interval '2 hours'
FROM (SELECT n, %(first)s + n / %(others)s * interval '2 hours' AS t FROM generate_series(0, %(rows)s - 1) AS n);
ANALYZE holds
"""
INSERT = "INSERT INTO holds (machine, start, blocked_until) VALUES (%s, %s, %s)"
OVERLAPS = """
SELECT count(*) FROM holds a JOIN holds b
    ON a.machine = b.machine AND a.id < b.id AND a.start < b.blocked_until AND b.start < a.blocked_until
WHERE a.machine < %s
"""

Way = Callable[[psycopg.Connection[Any], int, datetime, datetime], str]


def one_statement(connection: psycopg.Connection[Any], machine: int, start: datetime, until: datetime) -> str:
    with connection.transaction():
        return (
            "granted"
            if connection.execute(f"{INSERT} ON CONFLICT DO NOTHING", (machine, start, until)).rowcount
            else "refused"
        )


def insert_and_catch(connection: psycopg.Connection[Any], machine: int, start: datetime, until: datetime) -> str:
    try:
        with connection.transaction():
            connection.execute(INSERT, (machine, start, until))
    except errors.ExclusionViolation:
        return "refused"
    except errors.DeadlockDetected:
        return "deadlock"
    return "granted"


def row_lock(connection: psycopg.Connection[Any], machine: int, start: datetime, until: datetime) -> str:
    with connection.transaction():
        connection.execute("SELECT 1 FROM machines WHERE id = %s FOR NO KEY UPDATE", [machine])
        taken = connection.execute(
            "SELECT 1 FROM holds WHERE machine = %s AND start < %s AND blocked_until > %s LIMIT 1",
            (machine, until, start),
        ).fetchone()
        if taken:
            return "refused"
        connection.execute(INSERT, (machine, start, until))
    return "granted"


WAYS: dict[str, Way] = {
    "one statement, ON CONFLICT DO NOTHING": one_statement,
    "plain insert, catching the violation": insert_and_catch,
    "row lock, look, insert": row_lock,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=4, help="how long each way is tried")
    parser.add_argument("--rows", type=int, default=100_000, help="bookings of other machines in the last trial")
    options = parser.parse_args()
    var = Path(tempfile.mkdtemp(prefix="marketplace-perf-")).resolve()
    var.chmod(0o755)
    try:
        with Parts(var, given=NOT_NEEDED) as parts:
            url = parts.env["DATABASE_URL"]
            first = 0.0
            print(f"{CLIENTS} clients, {MACHINES} machines, {options.seconds:g} s each\n")
            print(f"{'':44} {'a second':>9} {'ratio':>6} {'granted':>8} {'deadlocks':>10} {'doubled':>8}")
            for name, rows in [*((name, 0) for name in WAYS), (next(iter(WAYS)), options.rows)]:
                prepare(url, rows=rows, constraint=WAYS[name] is not row_lock)
                outcomes = race(url, name, options.seconds)
                rate = outcomes.total() / options.seconds
                first = first or rate
                label = f"{name}, {rows:,} rows" if rows else name
                print(
                    f"{label[:44]:44} {rate:9,.0f} {rate / first:6.2f} {outcomes['granted']:8,} "
                    f"{outcomes['deadlock']:10,} {doubled(url):8,}",
                    flush=True,
                )
    finally:
        shutil.rmtree(var, ignore_errors=True)


def prepare(url: str, *, rows: int, constraint: bool) -> None:
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(CREATE)
        connection.execute(FILL, {"machines": MACHINES, "others": 500, "rows": rows, "first": DAY_ZERO})
        if constraint:
            connection.execute(CONSTRAINT)


def race(url: str, name: str, seconds: float) -> Counter[str]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(CLIENTS)
    with context.Pool(CLIENTS, initializer=remember, initargs=(barrier,)) as pool:
        return sum(pool.starmap(client, [(url, name, number, seconds) for number in range(CLIENTS)], 1), Counter())


ready: Any = None


def remember(barrier: Any) -> None:
    global ready
    ready = barrier


def client(url: str, name: str, number: int, seconds: float) -> Counter[str]:
    """Ask for windows until the time is over; what came of it."""
    draw, way, outcomes = random.Random(number), WAYS[name], Counter[str]()
    with psycopg.connect(url, autocommit=True) as connection:
        ready.wait(60)
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            start = DAY_ZERO + int(passed * WINDOWS_A_SECOND + draw.random() * REACH) * HOUR
            outcomes[way(connection, draw.randrange(MACHINES), start, start + draw.randint(1, 3) * HOUR)] += 1
    return outcomes


def doubled(url: str) -> int:
    with psycopg.connect(url) as connection:
        return connection.execute(OVERLAPS, [MACHINES]).fetchone()[0]


if __name__ == "__main__":
    main()
