"""``manage.py demo_fleet``: simulated servers behind the demonstration's machines, so that it is alive."""

import signal
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Role, User
from machines.models import Agent, Machine, Node
from machines.services.enrollment import make_code
from machines.services.machines import add_machine
from marketplace.fleet.fleet import Away, Fleet, Refused, Wire
from marketplace.fleet.past import give_a_past
from marketplace.fleet.servers import Server, hardware_of

FOLDER = "fleet"
#: Machines that are made only to be counted have this before their number.
EXTRA = "load-"
EVERY = 60


class Command(BaseCommand):
    help = (
        "Run simulated servers for the machines that are there: they enroll, send heartbeats, do what they are asked and "
        "sign it, all over HTTP as real agents do, marked as simulated. Also a load generator."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--machines", type=int, help="how many; more than there are: the rest is made up")
        parser.add_argument("--interval", type=float, default=30, help="seconds between the heartbeats of one server")
        parser.add_argument("--seconds", type=float, help="stop after this long; otherwise at Ctrl-C")
        parser.add_argument("--threads", type=int, default=8, help="requests at a time")
        parser.add_argument("--url", default=settings.SITE_URL, help="the marketplace")

    def handle(
        self, *args: Any, machines: int | None, interval: float, seconds: float | None, threads: int, url: str, **_: Any
    ) -> None:
        if not settings.MARKETPLACE_ALLOW_SIMULATED:
            raise CommandError("Simulated servers are let in only where MARKETPLACE_ALLOW_SIMULATED is true.")
        if interval <= 0 or threads <= 0 or (machines is not None and machines <= 0):
            raise CommandError("--machines, --interval and --threads are more than zero.")
        stopping = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        fleet = Fleet(Wire(url), interval, threads)
        self._wait_for(fleet, url, stopping)
        servers = self._enrolled(fleet, machines, threads, stopping)
        self.stdout.write(f"Fleet: {len(servers)} simulated servers, a heartbeat every {interval:g} s each.")
        self._run(fleet, servers, seconds, stopping)
        self._summarize(fleet)

    def _wait_for(self, fleet: Fleet, url: str, stopping: Event) -> None:
        """Until the marketplace answers at all: it may be starting beside this."""
        while not stopping.is_set():
            try:
                fleet.wire.post("/agent/v1/heartbeat", {})
            except Refused:
                return
            except Away:
                stopping.wait(1)

    def _enrolled(self, fleet: Fleet, wanted: int | None, threads: int, stopping: Event) -> list[tuple[Server, Path]]:
        servers = []
        with ThreadPoolExecutor(threads) as pool:
            for server in pool.map(lambda one: self._ready(fleet, one[0], one[1], stopping), list(_servers(wanted))):
                if server is not None:
                    servers.append(server)
        return servers

    def _ready(self, fleet: Fleet, machine: Machine, node: Node | None, stopping: Event) -> tuple[Server, Path] | None:
        """The server of this machine or node, enrolled now if it is not yet. None where a real agent is."""
        try:
            return self._enroll(fleet, machine, node, stopping)
        except (Away, Refused) as error:
            self.stderr.write(f"{machine.name}: {error}")
            return None
        finally:
            connection.close()

    def _enroll(self, fleet: Fleet, machine: Machine, node: Node | None, stopping: Event) -> tuple[Server, Path] | None:
        file = settings.VAR_DIR / FOLDER / f"{machine.pk}{f'-{node.pk}' if node else ''}.json"
        hardware = hardware_of(machine, node)
        known = Agent.objects.enrolled().filter(machine=machine, node=node).first()
        kept = Server.load(file, hardware)
        if known is not None and kept is not None and kept.agent == str(known.pk):
            return kept, file
        if stopping.is_set() or (known is not None and not known.is_simulated):
            return None
        server, now = Server.new(hardware), timezone.now()
        code = make_code(machine=machine, node=node, by=machine.provider, now=now)
        fleet.enroll(server, code=code, file=file)
        give_a_past(agent=Agent.objects.get(pk=server.agent), now=now)
        inside = machine.bookings.filter(started_at__isnull=False, wipe_opened_at=None, completed_at=None)
        server.is_used = inside.exists()
        server.save(file)
        return server, file

    def _run(self, fleet: Fleet, servers: list[tuple[Server, Path]], seconds: float | None, stopping: Event) -> None:
        began = said = time.monotonic()

        def until() -> bool:
            nonlocal said
            if time.monotonic() - said > EVERY:
                said = time.monotonic()
                self.stdout.write(f"Fleet: {_words(fleet)}")
            return stopping.is_set() or (seconds is not None and time.monotonic() - began > seconds)

        fleet.run(servers, until=until)
        fleet.took = time.monotonic() - began

    def _summarize(self, fleet: Fleet) -> None:
        rate = fleet.counts["heartbeats"] / fleet.took if fleet.took else 0
        slow = 1000 * quantiles(fleet.seconds, n=20)[-1] if len(fleet.seconds) > 1 else 0
        self.stdout.write(f"Fleet: {_words(fleet)}; {rate:.1f} heartbeats/s, 95 % answered within {slow:.0f} ms.")


def _words(fleet: Fleet) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(fleet.counts.items())) or "nothing yet"


def _servers(wanted: int | None) -> Iterator[tuple[Machine, Node | None]]:
    """Machines, or the nodes of clusters, up to ``wanted``; made up where there are not as many."""
    count = 0
    rows = Machine.objects.select_related("gpu", "provider", "verified_benchmark").prefetch_related("nodes")
    for machine in rows.order_by("pk"):
        if machine.awaits_inventory:
            continue  # somebody has added it, and will enrol a server of their own
        for node in list(machine.nodes.all()) if machine.is_cluster else [None]:
            if wanted is not None and count >= wanted:
                return
            count += 1
            yield machine, node
    while wanted is not None and count < wanted:
        count += 1
        yield _extra(count), None


@transaction.atomic
def _extra(number: int) -> Machine:
    provider = User.objects.filter(roles__contains=[Role.PROVIDER]).order_by("pk").first()
    if provider is None:
        raise CommandError("There is no provider to give more machines to. Load the demonstration first.")
    facts = {
        "name": f"{EXTRA}{number:05d}",
        "cpu_model": "Simulated",
        "cpu_cores": 16,
        "ram_gb": 64,
        "disk_type": "NVMe",
        "disk_size_gb": 1000,
        "network_bandwidth": "10 Gbps",
        "os": "Debian 12",
    }
    return add_machine(provider=provider, kind="single", facts=facts)
