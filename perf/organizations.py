"""What the pages of a large organization cost, beside the same pages of a small one.

    .venv/bin/python perf/organizations.py [--seconds 4] [--members 1000] [--uses 50000]

Starts a database and a cache of its own, as ``perf/run.py`` does, and one gunicorn process of 8 threads. One client, an
administrator of both, asks for each page of the large organization and of the small one in turn, in short rounds, and for
the bare view of 20 rows. Writes its section of ``perf/results.md``; ends with status 1 if an answer was not the expected one.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the folder above this script's, as for every other module

from marketplace.embedded.parts import Parts  # noqa: E402
from perf.clients import Clients, Job, Outcome  # noqa: E402
from perf.run import (  # noqa: E402
    BARE_ROWS,
    NO_STRIPE,
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

ROUND_SECONDS = 1.0
#: Under ``/organizations/…/``. Lists that have pages: the first one, and one in the middle.
PAGES = {
    "Overview": "",
    "Members": "members/",
    "Projects": "projects/",
    "Bookings": "bookings/",
    "Bookings, a page in the middle": "bookings/?page=60",
    "Bookings of one state": "bookings/?state=completed",
    "Budgets": "budgets/",
    "Approvals": "approvals/",
    "Spend, a year": "spend/?period=year",
    "API tokens": "tokens/",
    "Audit page": "history/",
    "Audit page, uses of tokens": "history/tokens/",
}
BOOKING, LIST = "A member's booking", "All organizations of one person"
MOST_TIMES, MOST_MS = 4, 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=4, help="how long each page is asked for")
    parser.add_argument("--members", type=int, default=1000, help="of the large organization")
    parser.add_argument("--uses", type=int, default=50_000, help="of its tokens")
    options = parser.parse_args()
    rounds = max(1, round(options.seconds / ROUND_SECONDS))
    load = os.getloadavg()[0]
    with folder() as var, Parts(var, given=NO_STRIPE) as parts:
        env = environment(var, parts)
        prepared(env, 432)
        data = filled(env, options.members, options.uses)
        print(f"{data['bookings']} bookings, {data['changes']} changes of bookings", flush=True)
        with served(var, env, workers=1) as port, Clients(port, 1) as client:
            outcomes = measured(client, data, rounds)
    faults = [fault for case in cases(data) if (fault := unexpected(case, outcomes[case.name]))]
    text = report(outcomes, faults, data=data, rounds=rounds, load=load)
    write_down(text)
    print(text)
    return 1 if faults else 0


def filled(env: Mapping[str, str], members: int, uses: int) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "seed_organizations", "--members", str(members), "--uses", str(uses)]
    done = subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measured(client: Clients, data: Mapping[str, Any], rounds: int) -> dict[str, list[Outcome]]:
    """Every case in every round, each round beginning with another. Round 0 warms up and does not count."""
    outcomes: dict[str, list[Outcome]] = {}
    todo = cases(data)
    for number in range(rounds + 1):
        first = number * 5 % len(todo)
        for case in todo[first:] + todo[:first]:
            outcomes.setdefault(case.name, []).append(client.run(case.job, ROUND_SECONDS))
        print(f"round {number} of {rounds}" if number else "warmed up", flush=True)
    return outcomes


def cases(data: Mapping[str, Any]) -> list[Case]:
    """The same page of both, one after the other."""
    found = [Case(BARE_ROWS, Job([[get("/bare/rows/")]])), Case(LIST, page(data, "/organizations/"))]
    for which in ("large", "small"):
        found.append(Case(f"{which}: {BOOKING}", page(data, f"/bookings/{data['booking'][which]}/")))
        found += [
            Case(f"{which}: {name}", page(data, f"/organizations/{data[which]}/{path}")) for name, path in PAGES.items()
        ]
    return sorted(found, key=lambda case: case.name.partition(": ")[2])


def page(data: Mapping[str, Any], path: str) -> Job:
    return Job([[get(path, data["cookie"])]])


def report(
    outcomes: Mapping[str, list[Outcome]], faults: list[str], *, data: Mapping[str, Any], rounds: int, load: float
) -> str:
    lines = {name: line(name, of_case) for name, of_case in outcomes.items()}
    bare = lines[BARE_ROWS].median
    table = [
        "| | large: median, ms | 95 %, ms | small: median, ms | large of small | large of 20 rows |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    times = {}
    for name in (*PAGES, BOOKING):
        large, small = lines[f"large: {name}"], lines[f"small: {name}"]
        times[name] = large.median / small.median
        table.append(
            f"| {name} | {large.median:.0f} | {large.p95:.0f} | {small.median:.0f} | {times[name]:.1f} "
            f"| {large.median / bare:.1f} |"
        )
    every = lines[LIST]
    table.append(f"| {LIST} | {every.median:.0f} | {every.p95:.0f} | – | – | {every.median / bare:.1f} |")
    slow = {name: lines[f"large: {name}"].median for name in times if lines[f"large: {name}"].median > MOST_MS}
    grown = {name: many for name, many in times.items() if many > MOST_TIMES}
    verdicts = [
        f"No page in more than {MOST_MS} ms: {met(not slow)}{_named(slow, 'ms')}.",
        f"None more than {MOST_TIMES} times that of the small one: {met(not grown)}{_named(grown, 'times')}.",
        *faults,
    ]
    busy = f"\nThe machine had other work when this began (load {load:.1f}): provisional.\n" if load > 0.5 else ""
    return f"""
## Organizations

Printed by `perf/organizations.py`, which says how it measures. {machine()}.
One gunicorn process; one client, an administrator; {rounds} rounds of {ROUND_SECONDS:.0f} s for each page, in turn. The large
organization has {data["members"]:,} members, {data["bookings"]:,} bookings ({data["changes"]:,} changes of bookings in the record) and
{data["uses"]:,} uses of its tokens, the small one 5, 20 and 20; the administrator belongs to {data["organizations"]} organizations. The bare
view of 20 rows took {bare:.0f} ms in the same rounds.
{busy}
{chr(10).join(table)}

{chr(10).join(f"- {verdict}" for verdict in verdicts)}
"""


def _named(found: Mapping[str, float], unit: str) -> str:
    return f" ({', '.join(f'{name}: {many:.0f} {unit}' for name, many in found.items())})" if found else ""


if __name__ == "__main__":
    sys.exit(main())
