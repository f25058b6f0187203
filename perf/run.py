"""How fast the marketplace is, beside what the same server does at its best.

    .venv/bin/python perf/run.py [--seconds 10] [--listings 432]

Starts a database and a cache of its own in a folder that is thrown away, loads the demonstration's machines with
bookings on them, serves them as in production (gunicorn with 2 workers of 8 threads, DEBUG off, collected static
files) and asks with 8 clients. Each kind of request is asked for in short rounds in turn, so that whatever else the
machine does meets all of them alike. Writes ``perf/results.md``.

It says whether a booking doubled, and ends with status 1 if one did or if an answer was not the expected one.
"""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the folder above this script's, as for every other module

import psycopg  # noqa: E402

from marketplace.embedded.parts import Parts  # noqa: E402
from marketplace.embedded.processes import end, free_port, launch, tail  # noqa: E402
from perf.clients import WINDOW_SECONDS, Clients, Job, Outcome  # noqa: E402

CLIENTS = 8
WORKERS, THREADS = 2, 8
ROUND_SECONDS = 2.0
WARM_UP_SECONDS = 1.0
OK, GRANTED, REFUSED = "200", "302 /bookings", "302 /listings"
#: Never asked for anything here.
NO_STRIPE = {
    "STRIPE_SECRET_KEY": "sk_test_perf",
    "STRIPE_PUBLISHABLE_KEY": "pk_test_perf",
    "STRIPE_WEBHOOK_SECRET": "whsec_perf",
}
BARE_OK, BARE_ROWS = "Bare view: “ok”", "Bare view: 20 rows of one query"
CONTENDED = "Booking requests, 8 buyers racing for one window"

AIMS = """\
- Browse at 0.25 or more of the second bare view's requests a second.
- Booking requests for one contended window: 150 or more a second refused or granted, 95 % within 300 ms, none doubled.
"""
OVERLAPS = """
    SELECT count(*) FROM bookings a JOIN bookings b
        ON a.hardware_id = b.hardware_id AND a.booking_id < b.booking_id
        AND a.start_timestamp < b.blocked_until AND b.start_timestamp < a.blocked_until
    WHERE a.booking_status IN ('pending', 'active', 'disputed') AND b.booking_status IN ('pending', 'active', 'disputed')
"""


@dataclass(frozen=True)
class Case:
    """One kind of request. ``expected``: what is an answer and not a fault."""

    name: str
    job: Job
    expected: tuple[str, ...] = (OK,)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=10, help="how long each kind of request is asked for")
    parser.add_argument("--listings", type=int, default=432, help="at least so many; the demonstration has fewer")
    options = parser.parse_args()
    rounds = max(1, round(options.seconds / ROUND_SECONDS))
    load = os.getloadavg()[0]

    with folder() as var, Parts(var, given=NO_STRIPE) as parts:
        env = environment(var, parts)
        data = prepared(env, options.listings)
        print(
            f"{data['listings']} listings, {data['active']} of them on offer, {data['bookings']} bookings", flush=True
        )
        with served(var, env) as port, Clients(port, CLIENTS) as clients:
            outcomes = measured(clients, data, rounds)
        with psycopg.connect(parts.env["DATABASE_URL"]) as database:
            proof = proven(database, data["arena"], outcomes[CONTENDED])
            postgres = database.execute("SHOW server_version").fetchone()[0].split()[0]

    faults = [fault for case in cases(data, 0) if (fault := unexpected(case, outcomes[case.name]))]
    command = ".venv/bin/python perf/run.py" + "".join(f" {shlex.quote(word)}" for word in sys.argv[1:])
    text = report(outcomes, proof, faults, data=data, command=command, rounds=rounds, load=load, postgres=postgres)
    write_down(text)
    print(f"\n{text}")
    return 1 if faults or not proof.sound else 0


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is thrown away. Others may pass through: PostgreSQL does not run as root."""
    path = Path(tempfile.mkdtemp(prefix="marketplace-perf-")).resolve()
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment(var: Path, parts: Parts) -> dict[str, str]:
    """What the application is told."""
    env = {**os.environ, **parts.env, "MARKETPLACE_VAR": str(var), "DJANGO_SETTINGS_MODULE": "perf.settings"}
    return env | {"SITE_URL": "http://127.0.0.1", "DEBUG": "false", "PYTHONPATH": str(ROOT)}


def prepared(env: Mapping[str, str], listings: int) -> dict[str, Any]:
    """Tables, static files and data. Returns what :func:`perf.seed.seed` says."""
    subprocess.run([sys.executable, "-m", "marketplace.embedded.prepare"], check=True, cwd=ROOT, env=env)
    command = [sys.executable, "manage.py", "seed_perf", "--listings", str(listings), "--buyers", str(CLIENTS)]
    seeded = subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    return json.loads(seeded.stdout)


@contextmanager
def served(var: Path, env: Mapping[str, str], workers: int = WORKERS) -> Iterator[int]:
    """The web server alone, as ``bin/serve`` starts it. Gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "marketplace.wsgi", "--bind", f"127.0.0.1:{port}"]
    command += ["--worker-class", "gthread", "--workers", str(workers), "--threads", str(THREADS)]
    command += ["--log-level", "warning", "--no-control-socket"]
    log = var / "log" / "web.log"
    process = launch(command, var=var, log=log, env=env, cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"The web server does not answer. Its log ends:\n{tail(log)}")
            time.sleep(0.2)
        yield port
    finally:
        end(process)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/bare/ok/", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def measured(clients: Clients, data: Mapping[str, Any], rounds: int) -> dict[str, list[Outcome]]:
    """Every case in every round, each round beginning with another case. Round 0 warms up and does not count."""
    outcomes: dict[str, list[Outcome]] = {}
    for number in range(rounds + 1):
        todo = cases(data, number)
        for case in todo[number % len(todo) :] + todo[: number % len(todo)]:
            outcome = clients.run(case.job, ROUND_SECONDS if number else WARM_UP_SECONDS)
            outcomes.setdefault(case.name, []).append(outcome)
        print(f"round {number} of {rounds}" if number else "warmed up", flush=True)
    return outcomes


def cases(data: Mapping[str, Any], number: int) -> list[Case]:
    """The requests of one round."""
    first = datetime.fromisoformat(data["first_window"])
    dated = [
        {"start": local(first + timedelta(days=days)), "end": local(first + timedelta(days=days + length))}
        for days, length in ((0, 1), (1, 3), (3, 2), (5, 7), (9, 1))
    ]
    race = dict(zip(("start", "end"), map(local, windows(first, 0)[0]), strict=True))
    people = [buyer["cookie"] for buyer in data["buyers"]]
    everyone = [[get(path) for path in paths] for paths in ([f"/listings/?page={page}" for page in range(1, 9)],)]
    return [
        Case(BARE_OK, Job([[get("/bare/ok/")]])),
        Case(BARE_ROWS, Job([[get("/bare/rows/")]])),
        Case("Browse", Job(everyone)),
        Case(
            "Browse, free and priced for a window", Job([[get(f"/listings/?{urlencode(window)}") for window in dated]])
        ),
        Case("A listing", Job([[get(f"/listings/{pk}/") for pk in data["pages"]]])),
        Case(
            "A listing, for a window that is taken",
            Job([[get(f"/listings/{data['arena']}/?{urlencode(race)}")]]),
        ),
        Case(
            "A booking, signed in",
            Job([[get(f"/bookings/{buyer['booking']}/", buyer["cookie"])] for buyer in data["buyers"]]),
        ),
        Case(
            CONTENDED,
            Job(
                [[book(data["arena"], *window, cookie) for window in windows(first, number)] for cookie in people],
                by_clock=True,
            ),
            expected=(GRANTED, REFUSED),
        ),
    ]


def windows(first: datetime, number: int) -> list[tuple[datetime, datetime]]:
    """The windows that a round's buyers race for, one after the other; no round has those of another."""
    each = int(ROUND_SECONDS / WINDOW_SECONDS) + 1
    starts = [first + timedelta(hours=3 * (number * each + turn)) for turn in range(each)]
    return [(start, start + timedelta(hours=2)) for start in starts]


def local(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"


def get(path: str, cookie: str = "") -> bytes:
    cookies = f"Cookie: {cookie}\r\n" if cookie else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n{cookies}\r\n".encode()


def book(listing: str, start: datetime, until: datetime, cookie: str) -> bytes:
    token = cookie.rpartition("csrftoken=")[2]
    body = urlencode({"start": local(start), "end": local(until), "csrfmiddlewaretoken": token})
    return (
        f"POST /listings/{listing}/book/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nCookie: {cookie}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@dataclass(frozen=True)
class Proof:
    """What the database says about the race: bookings that were granted, windows held, pairs that overlap."""

    answered_granted: int
    rows: int
    windows: int
    overlaps: int

    @property
    def sound(self) -> bool:
        return self.overlaps == 0 and self.answered_granted == self.rows == self.windows > 0


def proven(database: psycopg.Connection, arena: str, outcomes: list[Outcome]) -> Proof:
    rows, distinct = database.execute(
        "SELECT count(*), count(DISTINCT start_timestamp) FROM bookings WHERE listing_id = %s", [arena]
    ).fetchone()
    (overlaps,) = database.execute(OVERLAPS).fetchone()
    return Proof(sum(outcome.answers.get(GRANTED, 0) for outcome in outcomes), rows, distinct, overlaps)


def unexpected(case: Case, outcomes: list[Outcome]) -> str:
    strange = {
        answer: count
        for outcome in outcomes
        for answer, count in outcome.answers.items()
        if answer not in case.expected
    }
    return f"{case.name}: answers {strange}" if strange else ""


# The report ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    name: str
    rate: float
    slowest: float
    fastest: float
    median: float
    p95: float


def line(name: str, outcomes: list[Outcome]) -> Line:
    """One case over its rounds: requests a second, its slowest and its fastest round; milliseconds."""
    counted = outcomes[1:]
    latencies = sorted(latency * 1000 for outcome in counted for latency in outcome.latencies)
    rates = [len(outcome.latencies) / outcome.seconds for outcome in counted]
    return Line(
        name,
        rate=len(latencies) / sum(outcome.seconds for outcome in counted),
        slowest=min(rates),
        fastest=max(rates),
        median=statistics.median(latencies),
        p95=latencies[min(len(latencies) - 1, round(len(latencies) * 0.95))],
    )


def report(
    outcomes: Mapping[str, list[Outcome]],
    proof: Proof,
    faults: list[str],
    *,
    data: Mapping[str, Any],
    command: str,
    rounds: int,
    load: float,
    postgres: str,
) -> str:
    lines = {name: line(name, of_case) for name, of_case in outcomes.items()}
    ok, rows = lines[BARE_OK], lines[BARE_ROWS]
    table = [
        "| | requests/s | slowest – fastest round | median, ms | 95 %, ms | of “ok” | of 20 rows |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    table += [
        f"| {one.name} | {one.rate:.0f} | {one.slowest:.0f} – {one.fastest:.0f} | {one.median:.1f} | {one.p95:.1f} "
        f"| {one.rate / ok.rate:.2f} | {one.rate / rows.rate:.2f} |"
        for one in lines.values()
    ]
    race = lines[CONTENDED]
    browse = [one for one in lines.values() if one.name.startswith("Browse")]
    verdicts = [f"{one.name}: {one.rate / rows.rate:.2f}, {met(one.rate >= 0.25 * rows.rate)}." for one in browse]
    verdicts += [
        f"Booking requests: {race.rate:.0f} a second, {met(race.rate >= 150)}; 95 % within {race.p95:.0f} ms, "
        f"{met(race.p95 < 300)}.",
        f"Of {proof.windows} windows raced for, {proof.answered_granted} requests were told that they have one and "
        f"{proof.rows} bookings hold one; {proof.overlaps} pairs of bookings of one machine overlap, in the whole table: "
        f"{'none doubled' if proof.sound else 'NOT SOUND'}.",
        *faults,
    ]
    busy = (
        f"\nThe machine had other work when this began (load {load:.1f}), so these figures are provisional: "
        "the ratios say more than the rates.\n"
        if load > 0.5
        else ""
    )
    return f"""\
# Results

Printed by `perf/run.py`, which says how it measures.

    {command}

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}. Python {platform.python_version()},
Django {version("Django")}, PostgreSQL {postgres}, gunicorn {version("gunicorn")} with {WORKERS} workers of {THREADS} threads.
{CLIENTS} clients on the same machine, each with one connection; {rounds} rounds of {ROUND_SECONDS:.0f} s for each kind of request, in turn.
{data["listings"]} listings, {data["active"]} of them on offer, {data["bookings"]} bookings.
{busy}
{chr(10).join(table)}

The eight buyers are eight people, signed in; every {WINDOW_SECONDS} s all of them go on to the next window of the same machine.
A refusal leads to the listing's page for that window, which says what is free instead. One person may make 30 such requests a
minute and hold 3 unpaid windows; both limits are raised for this measurement. Nobody else uses the machine's worker.

## Aims

{AIMS}
{chr(10).join(f"- {verdict}" for verdict in verdicts)}
"""


def write_down(text: str, results: Path = ROOT / "perf" / "results.md") -> None:
    """Into ``perf/results.md``, in place of what stood under the same headings. All other sections stay as they are."""
    written = sections(results.read_text()) | sections(text)
    results.write_text("\n\n".join(part.strip() for part in written.values() if part.strip()) + "\n")


def sections(text: str) -> dict[str, str]:
    """Parts by their headings (``## …``), in order; what stands before the first one under that of the whole page."""
    parts = re.split(r"^(?=##? )", text.strip(), flags=re.MULTILINE)
    return {part.partition("\n")[0].strip(): part for part in parts if part}


def met(fits: bool) -> str:
    return "met" if fits else "MISSED"


def machine() -> str:
    model = ""
    try:
        info = Path("/proc/cpuinfo").read_text()
        model = next(row.split(":", 1)[1].strip() for row in info.splitlines() if row.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB of memory, {platform.system()}"


if __name__ == "__main__":
    sys.exit(main())
