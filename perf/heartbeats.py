"""How many heartbeats one web process takes, and what a month of one machine costs to draw.

    .venv/bin/python perf/heartbeats.py [--seconds 12] [--machines 10000] [--months 1000]

Starts a database and a cache of its own, as ``perf/run.py`` does, and one gunicorn process of 8 threads. Eight clients send
the heartbeats of as many simulated machines as are asked for: real requests with tokens of their own, each of which writes
the agent's row, the machine's row and a sample. In turn with that, in short rounds, they ask for the bare views. The database
is as durable as in production. Writes its section of ``perf/results.md``; ends with status 1 if an answer was not the expected one
or if the rows that are there are not as many as the answers.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the folder above this script's, as for every other module

import psycopg  # noqa: E402

from marketplace.embedded.parts import Parts  # noqa: E402
from perf.clients import Clients, Job, Outcome  # noqa: E402
from perf.run import (  # noqa: E402
    BARE_OK,
    BARE_ROWS,
    CLIENTS,
    NO_STRIPE,
    OK,
    ROUND_SECONDS,
    WARM_UP_SECONDS,
    Case,
    environment,
    folder,
    get,
    line,
    machine,
    met,
    prepared,
    served,
    unexpected,
    write_down,
)

TOKEN = "measured-"  # as in perf/fleet.py, which needs Django
HEARTBEATS = "Heartbeats, each with its writes"
DAY, MONTH = "A machine's health page, the last day", "A machine's health page, the last month"
PAGES = 40
#: So far apart do the rounds begin, in machines: no machine is heard twice within five seconds.
STRIDE = 450
BODY = json.dumps(
    {
        "at": "2026-11-21T14:00:00Z",
        "version": "1.0.0",
        "boot_id": "5d3b6a1e-8a0f-4c43-9b0e-1f2a3b4c5d6e",
        "uptime_seconds": 123456,
        "busy": [],
        "health": {
            **dict.fromkeys(("cpu_percent", "memory_percent", "gpu_percent", "gpu_memory_percent"), 41.5),
            **dict.fromkeys(("temperature_c", "disk_percent", "network_rx_mbps", "network_tx_mbps", "load_1m"), 61.0),
            "gpus": [{"index": g, "percent": 97.0, "memory_percent": 88.0, "temperature_c": 61.0} for g in range(8)],
        },
        "simulated": True,
    }
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=12, help="how long each kind of request is asked for")
    parser.add_argument("--machines", type=int, default=10_000, help="that send heartbeats")
    parser.add_argument("--months", type=int, default=1_000, help="of them that have the hours of a month")
    options = parser.parse_args()
    rounds = max(1, round(options.seconds / ROUND_SECONDS))
    load = os.getloadavg()[0]

    with folder() as var, Parts(var, given=NO_STRIPE) as parts:
        env = environment(var, parts)
        # A machine's turn comes less often here than twice a minute; it is not silent for that.
        env |= {"MARKETPLACE_AGENT_SILENCE_SECONDS": "86400"}
        prepared(env, 432)
        data = filled(env, options.machines, options.months)
        print(f"{data['machines']} machines, {data['samples']} samples, {data['hours']} hours", flush=True)
        with psycopg.connect(parts.env["DATABASE_URL"], autocommit=True) as database:
            with served(var, env, workers=1) as port:
                outcomes = measured(port, data, rounds)
            (written,) = database.execute("SELECT count(*) FROM health_samples").fetchone()

    faults = [fault for case in cases(data, 0) if (fault := unexpected(case, outcomes[case.name]))]
    accepted = sum(outcome.answers.get(OK, 0) for outcome in outcomes[HEARTBEATS])
    if written - data["samples"] != accepted:
        faults.append(f"{accepted} heartbeats were answered, {written - data['samples']} samples were written.")
    text = report(outcomes, faults, data=data, rounds=rounds, load=load)
    write_down(text)
    print(text)
    return 1 if faults else 0


def filled(env: Mapping[str, str], machines: int, months: int) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "seed_fleet", "--machines", str(machines), "--months", str(months)]
    command += ["--pages", str(PAGES)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measured(port: int, data: Mapping[str, Any], rounds: int) -> dict[str, list[Outcome]]:
    """Every case in every round; round 0 warms up. The pages are asked for by one client alone: what does one cost?"""
    outcomes: dict[str, list[Outcome]] = {}
    with Clients(port, CLIENTS) as many, Clients(port, 1) as one:
        for number in range(rounds + 1):
            todo = cases(data, number)
            for case in todo[number % len(todo) :] + todo[: number % len(todo)]:
                clients = one if case.name in (DAY, MONTH) else many
                outcome = clients.run(case.job, ROUND_SECONDS if number else WARM_UP_SECONDS)
                outcomes.setdefault(case.name, []).append(outcome)
            print(f"round {number} of {rounds}" if number else "warmed up", flush=True)
    return outcomes


def cases(data: Mapping[str, Any], number: int) -> list[Case]:
    pages = [f"/machines/{pk}/health/" for pk in data["pages"]]
    return [
        Case(BARE_OK, Job([[get("/bare/ok/")]])),
        Case(BARE_ROWS, Job([[get("/bare/rows/")]])),
        Case(HEARTBEATS, Job(heartbeats(data["machines"], number))),
        Case(DAY, Job([[get(page, data["cookie"]) for page in pages]])),
        Case(MONTH, Job([[get(f"{page}?span=month", data["cookie"]) for page in pages]])),
    ]


def heartbeats(machines: int, number: int) -> list[list[bytes]]:
    """Of each client every eighth machine, in each round beginning with others."""
    every = []
    for client in range(CLIENTS):
        own = range(client + 1, machines + 1, CLIENTS)
        first = number * STRIDE % len(own)
        every.append([heartbeat(f"{TOKEN}{agent}") for agent in (*own[first:], *own[:first])])
    return every


def heartbeat(token: str) -> bytes:
    return (
        f"POST /agent/v1/heartbeat HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: rsm-agent/1.0.0\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
    ).encode()


def report(
    outcomes: Mapping[str, list[Outcome]], faults: list[str], *, data: Mapping[str, Any], rounds: int, load: float
) -> str:
    lines = {name: line(name, of_case) for name, of_case in outcomes.items()}
    ok, rows, beats = lines[BARE_OK], lines[BARE_ROWS], lines[HEARTBEATS]
    month = statistics.median(1000 * second for outcome in outcomes[MONTH][1:] for second in outcome.latencies)
    table = [
        "| | requests/s | slowest – fastest round | median, ms | 95 %, ms | of “ok” | of 20 rows |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    table += [
        f"| {one.name} | {one.rate:.0f} | {one.slowest:.0f} – {one.fastest:.0f} | {one.median:.1f} | {one.p95:.1f} "
        f"| {one.rate / ok.rate:.2f} | {one.rate / rows.rate:.2f} |"
        for one in lines.values()
    ]
    verdicts = [
        f"Heartbeats: {beats.rate / rows.rate:.2f} of the bare view's requests a second, {met(beats.rate >= rows.rate / 2)}. "
        f"{beats.rate:.0f} a second are those of {beats.rate * 30:,.0f} machines.",
        f"A month: {month:.1f} ms, {met(month < 50)}.",
        *faults,
    ]
    busy = f"\nThe machine had other work when this began (load {load:.1f}): provisional.\n" if load > 0.5 else ""
    return f"""
## Heartbeats and health

Printed by `perf/heartbeats.py`, which says how it measures. {machine()}.
One gunicorn process of 8 threads; {CLIENTS} clients, of which one alone asks for the pages; {rounds} rounds of
{ROUND_SECONDS:.0f} s for each kind, in turn. {data["machines"]:,} machines with an agent, {data["samples"]:,} samples,
{data["hours"]:,} rolled-up hours.
{busy}
{chr(10).join(table)}

Aims: at least half as many heartbeats a second, with their writes, as the bare view of 20 rows takes requests; a month
of one machine in less than 50 ms.

{chr(10).join(f"- {verdict}" for verdict in verdicts)}
"""


if __name__ == "__main__":
    sys.exit(main())
