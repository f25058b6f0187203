"""What is in the demonstration: the machines of the file, their benchmarks and their listings."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django_countries import countries

from accounts.models import User
from common.money import Currency, rounded
from machines.demo.hosted_machines import (
    DEVERIFIED,
    UNVERIFIED,
    VERIFIED,
    Day,
    HostedMachine,
    disk_type,
    memory_as_sold,
)
from machines.models import (
    Benchmark,
    BenchmarkStatus,
    CancellationTerms,
    GPUModel,
    ListedPeriod,
    Listing,
    ListingStatus,
    Machine,
    MachineKind,
    Node,
)
from machines.services.benchmarks import TOLERANCE, physical_limits
from machines.services.listings import missing_for_activation
from marketplace.demo import people

NOT_STATED = "not stated"
SOURCE = "hosted_machines.csv (CCIR), {:%Y-%m-%d}"
VERDICTS = {
    VERIFIED: BenchmarkStatus.APPROVED,
    UNVERIFIED: BenchmarkStatus.PENDING,
    DEVERIFIED: BenchmarkStatus.REJECTED,
}
#: Benchmarks kept of one machine.
MOST_RUNS = 3
CLUSTER = "two-node-cluster"


@dataclass(frozen=True)
class Copy:
    """A machine like its provider's first verified one, let in another currency, at a price that is made up."""

    name: str
    provider: str
    currency: Currency
    price_hour: Decimal


#: The file's prices are in US dollars, and nothing here is converted.
COPIES = [
    Copy("euro-1", people.PROVIDER, Currency.EUR, Decimal("22.00")),
    Copy("euro-2", people.PROVIDER2, Currency.EUR, Decimal("2.20")),
    Copy("euro-3", people.PROVIDER2, Currency.EUR, Decimal("2.10")),
    Copy("yen-1", people.PROVIDER, Currency.JPY, Decimal(3800)),
]
#: What is not in the file.
MADE_UP = [CLUSTER, *(copy.name for copy in COPIES)]
#: Terms as they are spread over the listings.
TERMS = [CancellationTerms.FLEXIBLE] * 3 + [CancellationTerms.MODERATE] * 5 + [CancellationTerms.STRICT] * 2


def create(hosted: Sequence[HostedMachine], who: people.People) -> None:
    """Every machine of the file with its listing and benchmarks, and some made up. Needs the GPU models."""
    gpus = {gpu.slug: gpu for gpu in GPUModel.objects.all()}
    made = [(one, _machine(one, who.hosts[one.host], gpus[one.newest.gpu_id])) for one in hosted]
    machines = [machine for _, machine in made]
    listings = [_listing(one, machine) for one, machine in made]
    runs = [run for one, machine in made for run in _runs(one, machine, who.admin)]
    _add_cluster(made, machines, listings, runs, who.admin)
    for copy in COPIES:
        _add_copy(copy, made, machines, listings, runs, who.admin)

    created = {listing.machine_id: listing.created_at for listing in listings}
    updated = {listing.machine_id: listing.updated_at for listing in listings}
    Machine.objects.bulk_create(machines)
    Node.objects.bulk_create(
        Node(machine=machine, name=f"node-{number}", **_half(machine))
        for machine in machines
        if machine.kind == MachineKind.CLUSTER
        for number in (1, 2)
    )
    Benchmark.objects.bulk_create(runs)
    Listing.objects.bulk_create(listings)

    # Creating rows stamps them with the present; they are as old as the file says.
    believed = {run.machine_id: run for run in sorted(runs, key=_age) if run.status == BenchmarkStatus.APPROVED}
    for machine in machines:
        machine.verified_benchmark = believed.get(machine.pk)
        machine.created_at, machine.updated_at = created[machine.pk], updated[machine.pk]
    Machine.objects.bulk_update(machines, ["verified_benchmark", "created_at", "updated_at"])
    _activate(created, updated)


def _age(run: Benchmark) -> datetime:
    return run.collected_at


def _activate(created: dict[UUID, datetime], updated: dict[UUID, datetime]) -> None:
    """Put on offer exactly what the rules allow to be."""
    listings = list(
        Listing.objects.select_related("machine__provider").prefetch_related("machine__provider__verifications")
    )
    for listing in listings:
        listing.created_at, listing.updated_at = created[listing.machine_id], updated[listing.machine_id]
        listing.status = ListingStatus.PAUSED if missing_for_activation(listing) else ListingStatus.ACTIVE
    Listing.objects.bulk_update(listings, ["status", "created_at", "updated_at"])
    ListedPeriod.objects.bulk_create(
        ListedPeriod(machine_id=listing.machine_id, began_at=listing.created_at)
        for listing in listings
        if listing.is_active
    )


def _machine(one: HostedMachine, provider: User, gpu: GPUModel) -> Machine:
    day = one.newest
    country = countries.name(day.country)
    return Machine(
        provider=provider,
        name=f"{day.gpu_id}-{one.number:03d}",
        gpu_model=gpu.name,
        gpu=gpu,
        gpu_count=day.gpu_count,
        gpu_memory_gb=memory_as_sold(day.gpu_memory_gb, gpu.memory_gb),
        cpu_model=day.cpu_model or NOT_STATED,
        cpu_cores=day.cpu_cores or 0,  # its own form asks for it before anything else can be changed
        ram_gb=day.ram_gb,
        disk_type=disk_type(day.disk_name),
        disk_size_gb=day.disk_size_gb,
        network_bandwidth=_bandwidth(day.download_mbps),
        network_mbps=round(day.download_mbps) if day.download_mbps else None,
        os=_system(day),
        country=day.country,
        region="" if day.region.removeprefix("The ") == country else day.region,
        reliability=day.reliability,
    )


def _bandwidth(mbps: float | None) -> str:
    if mbps is None:
        return NOT_STATED
    return f"{mbps / 1000:.3g} Gbps" if mbps >= 1000 else f"{mbps:.0f} Mbps"


def _system(day: Day) -> str:
    if not day.driver:
        return f"Linux, NVIDIA driver {NOT_STATED}"
    return f"Linux, NVIDIA driver {day.driver}" + (f", CUDA {day.cuda}" if day.cuda else "")


def _listing(one: HostedMachine, machine: Machine) -> Listing:
    """Rates from the file; limits and terms, which it does not have, drawn by the machine's number."""
    day, draw = one.newest, random.Random(f"listing {one.number}")  # noqa: S311 no secret
    hour = max(Decimal("0.01"), day.price_hour)
    by_day, by_week = draw.random() < 0.92, draw.random() < 0.85
    day_hours = Decimal(draw.choice(["21", "21.5", "22", "22", "22.5"]))
    week_days = Decimal(draw.choice(["6", "6.2", "6.2", "6.5"]))
    price_day = rounded(hour * day_hours, Currency.USD)
    most_days = min(draw.choice([7, 14, 28, 28]), max(1, int(day.offered_days)))
    return Listing(
        machine=machine,
        price_hour=hour,
        price_day=price_day if by_day else None,
        price_week=rounded(price_day * week_days, Currency.USD) if by_day and by_week else None,
        currency=Currency.USD,
        min_hours=draw.choice([1, 1, 1, 2, 2, 4, 6, 12]),
        max_hours=24 * most_days,
        max_ahead_days=draw.choice([30, 60, 60, 90]),
        cancellation_terms=draw.choice(TERMS),
        description=_description(day),
        # A few minutes apart, so that "newest first" is one order and not many.
        created_at=one.days[0].collected_at + timedelta(minutes=one.number),
        updated_at=day.collected_at + timedelta(minutes=one.number),
    )


def _description(day: Day) -> str:
    facts = [
        "In a data center." if day.in_data_center else "",
        f"GPUs on PCIe {day.pcie_gen}." if day.pcie_gen else "",
        f"Disk: {day.disk_name}." if day.disk_name else "",
        f"Upload: {_bandwidth(day.upload_mbps)}." if day.upload_mbps else "",
        f"As offered on {day.collected_at:%Y-%m-%d}.",
    ]
    return " ".join(fact for fact in facts if fact)


def _runs(one: HostedMachine, machine: Machine, admin: User) -> list[Benchmark]:
    return [_run(one, day, machine, admin) for day in kept_days(one)]


def kept_days(one: HostedMachine) -> list[Day]:
    """The days whose figures are worth a benchmark, oldest first.

    A day like the one before it tells nothing new. Of the others the newest of each verdict, then the newest.
    """
    different: list[Day] = []
    for day in one.days:
        if different and (different[-1].verification, different[-1].figures) == (day.verification, day.figures):
            different.pop()
        different.append(day)
    newest_first = different[::-1]
    newest_of_verdict = list({day.verification: day for day in different}.values())
    chosen = newest_of_verdict + [day for day in newest_first if day not in newest_of_verdict]
    return sorted(chosen[:MOST_RUNS], key=lambda day: day.collected_at)


def _run(one: HostedMachine, day: Day, machine: Machine, admin: User) -> Benchmark:
    fp32 = _plausible_fp32(day, machine)
    run = Benchmark(
        machine=machine,
        gpu_throughput_fp32=fp32,
        disk_read_mb_s=day.disk_read_mb_s,
        network_bandwidth_gbps=round(day.download_mbps / 1000, 4) if day.download_mbps else None,
        collected_at=day.collected_at,
        source=SOURCE.format(day.collected_at),
        status=VERDICTS[day.verification],
    )
    if run.status == BenchmarkStatus.PENDING:
        return run
    run.decided_by, run.decided_at = admin, day.collected_at
    run.reason = f"{day.verification.capitalize()} by the source on {day.collected_at:%Y-%m-%d}."
    if run.status == BenchmarkStatus.APPROVED and one.newest.verification == DEVERIFIED:
        # A verdict that was taken back takes its earlier runs with it.
        run.status, run.decided_at = BenchmarkStatus.REJECTED, one.newest.collected_at
        run.reason += f" Deverified on {one.newest.collected_at:%Y-%m-%d}."
    if fp32 is None:
        run.reason += " The source's fp32 figure is above what these GPUs can reach and was left out."
    return run


def _plausible_fp32(day: Day, machine: Machine) -> float | None:
    """The file's figure, unless :func:`machines.services.benchmarks.check_plausible` would refuse it."""
    limit = physical_limits(machine).get("gpu_throughput_fp32")
    return day.fp32_tflops if limit and day.fp32_tflops <= limit * TOLERANCE else None


def _add_cluster(
    made: Iterable[tuple[HostedMachine, Machine]],
    machines: list[Machine],
    listings: list[Listing],
    runs: list[Benchmark],
    admin: User,
) -> None:
    """One cluster of the demo provider: two nodes, each as the host's first verified machine."""
    one, node = _first_verified(made, people.PROVIDER)
    (rates,) = (listing for listing in listings if listing.machine is node)
    run = next(run for run in reversed(runs) if run.machine is node)
    twice = {name: 2 * getattr(node, name) for name in ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")}
    cluster = _like(node, name=CLUSTER, kind=MachineKind.CLUSTER, **twice)
    machines.append(cluster)
    listings.append(
        Listing(
            machine=cluster,
            price_hour=2 * rates.price_hour,
            price_day=rounded(2 * rates.price_hour * 22, Currency.USD),
            price_week=rounded(2 * rates.price_hour * 22 * Decimal("6.2"), Currency.USD),
            currency=Currency.USD,
            min_hours=4,
            max_hours=24 * 14,
            max_ahead_days=60,
            cancellation_terms=CancellationTerms.MODERATE,
            description=f"Made up for the demonstration: two nodes like {node.name}, booked as one.",
            created_at=rates.created_at + timedelta(hours=1),
            updated_at=rates.updated_at + timedelta(hours=1),
        )
    )
    runs.append(
        Benchmark(
            machine=cluster,
            gpu_throughput_fp32=2 * run.gpu_throughput_fp32 if run.gpu_throughput_fp32 else None,
            disk_read_mb_s=run.disk_read_mb_s,
            network_bandwidth_gbps=run.network_bandwidth_gbps,
            collected_at=run.collected_at,
            source=f"Demonstration: {node.name} twice, {run.source}"[:120],
            status=BenchmarkStatus.APPROVED,
            decided_by=admin,
            decided_at=one.newest.collected_at,
            reason="Both nodes are as the verified machine they are copied from.",
        )
    )


def _add_copy(
    copy: Copy,
    made: Iterable[tuple[HostedMachine, Machine]],
    machines: list[Machine],
    listings: list[Listing],
    runs: list[Benchmark],
    admin: User,
) -> None:
    """Let for up to 90 days, so that there is a booking that is paid in stages."""
    one, original = _first_verified(made, copy.provider)
    (rates,) = (listing for listing in listings if listing.machine is original)
    run = next(run for run in reversed(runs) if run.machine is original)
    machine = _like(original, name=copy.name)
    machines.append(machine)
    price_day = rounded(copy.price_hour * 22, copy.currency)
    listings.append(
        Listing(
            machine=machine,
            price_hour=copy.price_hour,
            price_day=price_day,
            price_week=rounded(price_day * Decimal("6.2"), copy.currency),
            currency=copy.currency,
            min_hours=1,
            max_hours=24 * 90,
            max_ahead_days=60,
            cancellation_terms=CancellationTerms.FLEXIBLE,
            description=f"Made up for the demonstration: like {original.name}, at a made-up price in {copy.currency}.",
            created_at=rates.created_at + timedelta(hours=2),
            updated_at=rates.updated_at + timedelta(hours=2),
        )
    )
    runs.append(
        Benchmark(
            machine=machine,
            gpu_throughput_fp32=run.gpu_throughput_fp32,
            disk_read_mb_s=run.disk_read_mb_s,
            network_bandwidth_gbps=run.network_bandwidth_gbps,
            collected_at=run.collected_at,
            source=f"Demonstration: {original.name}, {run.source}"[:120],
            status=BenchmarkStatus.APPROVED,
            decided_by=admin,
            decided_at=one.newest.collected_at,
            reason="As the verified machine that it is copied from.",
        )
    )


def _first_verified(made: Iterable[tuple[HostedMachine, Machine]], provider: str) -> tuple[HostedMachine, Machine]:
    return next((one, machine) for one, machine in made if machine.provider.email == provider and one.is_verified)


#: What a machine that is made up has from the one that it is like.
COPIED = (
    *("provider", "gpu_model", "gpu", "gpu_count", "gpu_memory_gb", "cpu_model", "cpu_cores", "ram_gb", "disk_type"),
    *("disk_size_gb", "network_bandwidth", "network_mbps", "os", "country", "region", "reliability"),
)


def _like(machine: Machine, **other: Any) -> Machine:
    return Machine(**{name: getattr(machine, name) for name in COPIED} | other)


def _half(cluster: Machine) -> dict[str, int]:
    return {name: getattr(cluster, name) // 2 for name in ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")}
