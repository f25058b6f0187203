"""What it costs to compare 100,000 payments with the processor, beside only paging through what it lists.

    .venv/bin/python perf/reconciling.py [--payments 100000] [--rounds 3]

Starts a database and a cache of its own, as ``perf/run.py`` does, fills it with payments, a tenth of which were given
back in part, each with its postings, and starts a small server that lists the same as PaymentIntents and Refunds of
Stripe's size. Then, in turn: every page of the lists is read and thrown away (the baseline), everything is compared
(``manage.py reconcile --all`` does the same), and the ledger alone is proved (``manage.py check_ledger``). Writes
its section of ``perf/results.md``; ends with status 1 if a difference was found or if something failed.
"""

import argparse
import http.server
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # the folder above this script's, as for every other module

from marketplace.embedded.parts import Parts  # noqa: E402
from perf.money_ids import copy_of  # noqa: E402
from perf.run import NO_STRIPE, environment, folder, machine, met, write_down  # noqa: E402

SMALL = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--payments", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    few = ran(min(SMALL, options.payments), 1)
    many = ran(options.payments, options.rounds)
    faults = [*few["errors"], *many["errors"]]
    if few["differences"] or many["differences"]:
        faults.append(f"{many['differences']} differences were found where there are none.")
    text = report(few, many, faults, rounds=options.rounds, load=load)
    write_down(text)
    print(text)
    return 1 if faults else 0


def ran(payments: int, rounds: int) -> dict[str, Any]:
    with folder() as var, Parts(var, given=NO_STRIPE) as parts:
        env = environment(var, parts) | {"STRIPE_CONNECT": "false"}
        said(env, "migrate", "--verbosity", "0")
        data = json.loads(said(env, "money", "--fill", str(payments)))
        print(f"{data['payments']} payments", flush=True)
        with listing(data) as address:
            env |= {"STRIPE_API_BASE": address}
            measured = json.loads(said(env, "money", "--measure", str(rounds)))
    return measured | {"payments": data["payments"]}


def said(env: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def listing(data: Mapping[str, Any]) -> Iterator[str]:
    """The processor: lists, and nothing else. Pages are written before anything is measured."""
    pages = {
        "/v1/payment_intents": in_pages("/v1/payment_intents", intents(data)),
        "/v1/refunds": in_pages("/v1/refunds", refunds(data)),
    }
    nothing = in_pages("", iter(()))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            after = parse_qs(url.query).get("starting_after", [""])[0]
            body = pages.get(url.path, nothing)[after]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def in_pages(url: str, things: Iterator[dict[str, Any]], size: int = 100) -> dict[str, bytes]:
    """Each page by the id that it comes after."""
    pages: dict[str, bytes] = {}
    after, page = "", []
    for thing in things:
        if len(page) == size:
            pages[after] = written(url, page, more=True)
            after, page = page[-1]["id"], []
        page.append(thing)
    pages[after] = written(url, page, more=False)
    return pages


def written(url: str, page: list[dict[str, Any]], *, more: bool) -> bytes:
    return json.dumps({"object": "list", "url": url, "has_more": more, "data": page}).encode()


def copies(data: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    for group in data["groups"]:
        for number in range(group["count"]):
            yield group, number


def intents(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group, number in copies(data):
        pk = copy_of(group["payment"], number)
        yield {
            "id": f"pi_{pk.hex}", "object": "payment_intent", "amount": group["amount"], "amount_capturable": 0,
            "amount_details": {"tip": {}}, "amount_received": group["amount"], "application": None,
            "application_fee_amount": None, "automatic_payment_methods": None, "canceled_at": None,
            "cancellation_reason": None, "capture_method": "automatic_async",
            "client_secret": f"pi_{pk.hex}_secret_{pk.hex}", "confirmation_method": "automatic",
            "created": data["created"], "currency": "eur", "customer": "cus_perf", "description": None,
            "last_payment_error": None, "latest_charge": f"ch_{pk.hex}", "livemode": False,
            "metadata": {"payment_id": str(pk), "booking_id": str(pk)}, "next_action": None, "on_behalf_of": None,
            "payment_method": "pm_perf",
            "payment_method_options": {"card": {"installments": None, "network": None, "request_three_d_secure": "any"}},
            "payment_method_types": ["card"], "processing": None, "receipt_email": None, "review": None,
            "setup_future_usage": None, "shipping": None, "source": None, "statement_descriptor": None,
            "statement_descriptor_suffix": None, "status": "succeeded", "transfer_data": None, "transfer_group": None,
        }  # fmt: skip


def refunds(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for group, number in copies(data):
        if group["refund"]:
            pk, payment = copy_of(group["refund"], number), copy_of(group["payment"], number)
            yield {
                "id": f"re_{pk.hex}", "object": "refund", "amount": 333, "balance_transaction": f"txn_{pk.hex}",
                "charge": f"ch_{payment.hex}", "created": data["created"], "currency": "eur",
                "metadata": {"refund_id": str(pk)}, "payment_intent": f"pi_{payment.hex}", "reason": None,
                "receipt_number": None, "source_transfer_reversal": None, "status": "succeeded",
                "transfer_reversal": None,
            }  # fmt: skip


def report(few: Mapping[str, Any], many: Mapping[str, Any], faults: list[str], *, rounds: int, load: float) -> str:
    alone, compared = statistics.median(many["alone"]), statistics.median(many["compared"])
    proved = statistics.median(many["proved"])
    ratio, grown = compared / alone, many["memory_mb"] - few["memory_mb"]
    table = [
        "| | seconds (median) | fastest – slowest | of paging alone |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, seconds in (
        ("Paging through the lists, and nothing else", many["alone"]),
        ("Reconciliation of everything, ledger and all", many["compared"]),
        ("The proof of the ledger alone", many["proved"]),
    ):
        middle = statistics.median(seconds)
        table.append(f"| {name} | {middle:.1f} | {min(seconds):.1f} – {max(seconds):.1f} | {middle / alone:.2f} |")
    busy = f"\nThe machine had other work when this began (load {load:.1f}): provisional.\n" if load > 0.5 else ""
    verdicts = [
        f"Comparing costs {ratio:.2f} times what paging alone does, {met(ratio <= 2)}; without the proof of the ledger "
        f"(which is {proved:.1f} s of it) {(compared - proved) / alone:.2f} times.",
        f"{many['objects'] / compared:,.0f} objects a second.",
        f"Memory: at most {many['memory_mb']} MB, {grown:+} MB beside {few['payments']:,} payments, {met(grown <= 20)}.",
        *faults,
    ]
    return f"""
## Reconciliation

Printed by `.venv/bin/python perf/reconciling.py`, which says how it measures. {machine()}.
{many["payments"]:,} payments and {many["objects"] - many["payments"]:,} refunds with their postings; {rounds} rounds, in turn.
{busy}
{chr(10).join(table)}

Aims: no more than twice what it takes to read the processor's lists at all; memory that does not grow with the number of payments
(20 MB are allowed for).

{chr(10).join(f"- {verdict}" for verdict in verdicts)}
"""


if __name__ == "__main__":
    sys.exit(main())
