"""How many bookings are paid a second, end to end, beside what the payment stand-in does alone.

    .venv/bin/python perf/paying.py [--seconds 30]

Starts a database, a cache and the stand-in as ``bin/serve`` does, in a folder that is thrown away, and the web server as
in production (gunicorn with 2 workers of 8 threads, DEBUG off), which the stand-in also tells of every event; mails and
PDFs, which the worker makes later, are not made. Eight clients, each a signed-in buyer with a machine of their own, buy
hour after hour as a browser does: book, see the pay page, fill in the card form at the processor, pay, see the booking
confirmed; then the same with a kept card. In turn with that, in rounds, the same calls are made to the same stand-in
directly, and the bare view of 20 rows is asked for.

The stand-in writes all it holds to a file for each request that changes it, so it gets slower with every payment: only what ran in turn
with it can be compared.

At the end it is proved that every booking was paid once, at the processor and here, that the ledger is right, that
invoices have no gap and that nothing is booked twice. Writes its section of ``perf/results.md``; ends with status 1 if
that does not hold or if an answer was not the expected one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the folder above this script's, as for every other module

import psycopg  # noqa: E402

from common.money import to_minor  # noqa: E402
from marketplace.embedded.parts import WEBHOOK_PATH, Parts  # noqa: E402
from marketplace.embedded.servers import PaymentStandIn, register_webhook  # noqa: E402
from perf.buyers import CONFIRMED, KEPT, Buying, Charging, Processor  # noqa: E402
from perf.clients import Clients, Job, Outcome, Work  # noqa: E402
from perf.run import (  # noqa: E402
    BARE_ROWS,
    CLIENTS,
    OK,
    OVERLAPS,
    THREADS,
    WORKERS,
    environment,
    folder,
    get,
    line,
    machine,
    prepared,
    served,
    write_down,
)

ROUND_SECONDS = 5.0
WARM_UP_SECONDS = 2.0
#: More than one client can buy in one round.
WINDOWS = 50
#: The stand-in tells of an event a second after it.
TOLD_SECONDS = 1.5
NOBODY = "http://127.0.0.1:9/"
ENTERED, KEPT_CARD = "Booked and paid, the card entered", "Booked and paid with a kept card"
ALONE = {ENTERED: "The processor alone, the card entered", KEPT_CARD: "The processor alone, with a kept card"}
EXPECTED = {CONFIRMED, KEPT, OK}

#: Each says how many are wrong. Bookings without a charge are those that the measurement began with.
QUESTIONS = {
    "bookings of this run are not paid exactly once": """
        SELECT count(*) FROM bookings b WHERE EXISTS (SELECT FROM charges c WHERE c.booking_id = b.booking_id) AND
            (SELECT count(*) FROM payments p WHERE p.booking_id = b.booking_id AND p.payment_status = 'paid') <> 1""",
    "charges of this run are not paid": "SELECT count(*) FROM charges WHERE status <> 'paid'",
    "paid payments do not have exactly one invoice": """
        SELECT count(*) FROM payments p WHERE p.payment_status = 'paid' AND
            (SELECT count(*) FROM invoices i WHERE i.payment_id = p.payment_id AND i.series = 'INV') <> 1""",
    "series of invoices have a gap": """
        SELECT count(*) FROM (
            SELECT series, year FROM invoices GROUP BY series, year
            HAVING min(sequence) <> 1 OR max(sequence) <> count(*) OR count(DISTINCT sequence) <> count(*)) gaps""",
    "pairs of bookings of one machine overlap": OVERLAPS,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long each kind of thing is done")
    options = parser.parse_args()
    rounds = max(1, round(options.seconds / ROUND_SECONDS))
    load = os.getloadavg()[0]

    with folder() as var, Parts(var, given={}) as parts:
        assert parts.stand_in is not None
        env = environment(var, parts)
        data = prepared(env, 432)
        with served(var, env) as port, Clients(port, CLIENTS) as clients:
            outcomes = measured(clients, data, parts.stand_in, port, rounds)
        with psycopg.connect(parts.env["DATABASE_URL"]) as database:
            proof = proven(database, parts.stand_in, outcomes)
        ledger = subprocess.run(
            [sys.executable, "manage.py", "check_ledger"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
        )
    if ledger.returncode:
        proof.wrong.append(f"check_ledger: {ledger.stdout}")
    for name, of_case in outcomes.items():
        strange = sum((Counter(outcome.answers) for outcome in of_case), Counter()).keys() - EXPECTED
        proof.wrong.extend(f"{name}: {answer}" for answer in sorted(strange))
    text = report(outcomes, proof, rounds=rounds, load=load)
    write_down(text)
    print(text)
    return 1 if proof.wrong else 0


def measured(
    clients: Clients, data: Mapping[str, Any], stand_in: PaymentStandIn, port: int, rounds: int
) -> dict[str, list[Outcome]]:
    """Every case in every round, each round beginning with another. Round 0 warms up and does not count."""
    outcomes: dict[str, list[Outcome]] = {}
    for number in range(rounds + 1):
        todo = cases(data, stand_in, number)
        first = number % len(todo)
        for name, work in todo[first:] + todo[:first]:
            ours = isinstance(work, Buying)
            tell(stand_in, f"http://127.0.0.1:{port}{WEBHOOK_PATH}" if ours else NOBODY)
            outcome = clients.run(work, ROUND_SECONDS if number else WARM_UP_SECONDS)
            outcomes.setdefault(name, []).append(outcome)
            if ours:
                time.sleep(TOLD_SECONDS)
        print(f"round {number} of {rounds}" if number else "warmed up", flush=True)
    return outcomes


def tell(stand_in: PaymentStandIn, url: str) -> None:
    """Whom the stand-in tells of its events from now on."""
    register_webhook(stand_in.base, url, stand_in.webhook_secret)


def cases(data: Mapping[str, Any], stand_in: PaymentStandIn, number: int) -> list[tuple[str, Work]]:
    """What one round consists of."""
    env = stand_in.env
    processor = Processor(stand_in.port, env["STRIPE_SECRET_KEY"], env["STRIPE_PUBLISHABLE_KEY"])
    free_from = datetime.fromisoformat(data["free_from"]).replace(minute=0, second=0, microsecond=0)

    def buying(place: int, *, kept: bool) -> Buying:
        first = (2 * number + place) * WINDOWS
        return Buying(data["buyers"], data["own"], processor, free_from, range(first, first + WINDOWS), kept)

    return [
        (BARE_ROWS, Job([[get("/bare/rows/")]])),
        (ENTERED, buying(0, kept=False)),
        (ALONE[ENTERED], Charging(processor, kept=False)),
        (KEPT_CARD, buying(1, kept=True)),
        (ALONE[KEPT_CARD], Charging(processor, kept=True)),
    ]


# The proof -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """What was paid, by the clients' word, at the processor and here; ``wrong``: whatever does not hold."""

    told: int
    taken: int
    sums: Mapping[str, int]
    invoices: int
    events: int
    wrong: list[str]


def proven(database: psycopg.Connection, stand_in: PaymentStandIn, outcomes: Mapping[str, list[Outcome]]) -> Proof:
    answers = sum((Counter(one.answers) for name in ALONE for one in outcomes[name]), Counter())
    told = answers[CONFIRMED] + answers[KEPT]
    taken = [intent for intent in intents(stand_in) if intent["status"] == "succeeded"]
    at_processor = {(one["id"], one["currency"].upper(), one["amount"]) for one in taken}
    rows = database.execute(
        "SELECT stripe_payment_intent, currency, amount_total FROM payments WHERE payment_status = 'paid'"
    ).fetchall()
    here = {(pk, currency, to_minor(amount, currency)) for pk, currency, amount in rows}
    wrong = []
    if not told == len(taken) == len(rows) or not told:
        wrong.append(f"{told} were told that they have paid, {len(taken)} were charged, {len(rows)} payments are paid.")
    if at_processor != here:
        wrong.append(f"{len(at_processor ^ here)} payments are not alike here and at the processor.")
    for what, question in QUESTIONS.items():
        (count,) = database.execute(question).fetchone()
        if count:
            wrong.append(f"{count} {what}.")
    (invoices,) = database.execute("SELECT count(*) FROM invoices WHERE series = 'INV'").fetchone()
    (events,) = database.execute("SELECT count(*) FROM webhook_events").fetchone()
    sums: Counter[str] = Counter()
    for _, currency, amount in at_processor:
        sums[currency] += amount
    return Proof(told, len(taken), sums, invoices, events, wrong)


def intents(stand_in: PaymentStandIn) -> list[dict[str, Any]]:
    """Those that are ours: what was charged without us names no booking."""
    request = urllib.request.Request(
        f"{stand_in.base}/v1/payment_intents?limit=1000000",
        headers={"Authorization": f"Bearer {stand_in.env['STRIPE_SECRET_KEY']}"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return [intent for intent in json.load(response)["data"] if intent["metadata"].get("booking_id")]


# The report ----------------------------------------------------------------------------------------------


def report(outcomes: Mapping[str, list[Outcome]], proof: Proof, *, rounds: int, load: float) -> str:
    lines = {name: line(name, of_case) for name, of_case in outcomes.items()}
    table = [
        "| | a second | slowest – fastest round | median, ms | 95 %, ms | of the processor alone | of 20 rows |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in lines.items():
        alone = f"{one.rate / lines[ALONE[name]].rate:.2f}" if name in ALONE else ""
        table.append(
            f"| {name} | {one.rate:.1f} | {one.slowest:.1f} – {one.fastest:.1f} | {one.median:.0f} | {one.p95:.0f} "
            f"| {alone} | {one.rate / lines[BARE_ROWS].rate:.3f} |"
        )
    sums = ", ".join(f"{amount} minor units of {currency}" for currency, amount in sorted(proof.sums.items()))
    verdicts = proof.wrong or [
        f"{proof.told} bookings were confirmed to their buyers, {proof.taken} PaymentIntents succeeded, of the same amounts "
        f"as as many paid payments ({sums}); {proof.invoices} invoices without a gap; the ledger is proved; no machine is "
        f"booked twice. The processor told of {proof.events} events meanwhile."
    ]
    busy = f"\nThe machine had other work when this began (load {load:.1f}): provisional.\n" if load > 0.5 else ""
    return f"""
## Bookings paid

Printed by `perf/paying.py`, which says how it measures. {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {machine()}.
gunicorn with {WORKERS} workers of {THREADS} threads; {CLIENTS} clients; {rounds} rounds of {ROUND_SECONDS:.0f} s for each, in turn.
{busy}
{chr(10).join(table)}

Of the whole way, from asking for the hour to the page that says that it is confirmed, each step takes, in ms:

{chr(10).join(steps(outcomes))}

{chr(10).join(f"- {verdict}" for verdict in verdicts)}
"""


def steps(outcomes: Mapping[str, list[Outcome]]) -> list[str]:
    """A table of the steps, with the card entered and with a kept one."""
    merged = {name: Outcome() for name in ALONE}
    for name, outcome in merged.items():
        for one in outcomes[name][1:]:
            outcome.add(one)
    table = [
        "| | card entered: median | 95 % | kept card: median | 95 % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for step in merged[ENTERED].steps:
        cells = [of(outcome.steps.get(step, []), which) for outcome in merged.values() for which in (middle, late)]
        table.append(f"| {step} | {' | '.join(cells)} |")
    return table


def middle(seconds: list[float]) -> float:
    return statistics.median(seconds)


def late(seconds: list[float]) -> float:
    return sorted(seconds)[min(len(seconds) - 1, round(len(seconds) * 0.95))]


def of(seconds: list[float], which: Callable[[list[float]], float]) -> str:
    return f"{1000 * which(seconds):.0f}" if seconds else "–"


if __name__ == "__main__":
    sys.exit(main())
