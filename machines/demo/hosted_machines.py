"""``hosted_machines.csv``: machines as real hosts offered them, put together from the offers of their parts.

The file has a row for each rentable group of a machine's GPUs and for each day. Here each machine is one
object with one :class:`Day` for every day it was seen, scaled up to the whole machine from the largest group.
Empty stays ``None``: nothing is made up.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from machines.demo import DATA

HOSTED_MACHINES = DATA / "hosted_machines.csv"

VERIFIED, UNVERIFIED, DEVERIFIED = "verified", "unverified", "deverified"

#: The machine sees a little less memory than is built in (ECC, firmware).
RESERVED = 0.07


@dataclass(frozen=True)
class Day:
    """A whole machine as it was on one day.

    ``price_hour`` is USD for all GPUs with storage; ``fp32_tflops`` is of all GPUs; ``gpu_memory_gb`` of one,
    in GiB as the driver reports it. ``verification`` is what the source's operator said that day.
    """

    collected_at: datetime
    gpu_id: str
    gpu_count: int
    gpu_memory_gb: float
    price_hour: Decimal
    cpu_model: str | None
    cpu_cores: int | None
    ram_gb: int
    disk_name: str | None
    disk_size_gb: int
    disk_read_mb_s: float | None
    download_mbps: float | None
    upload_mbps: float | None
    reliability: float
    verification: str
    in_data_center: bool
    pcie_gen: str | None
    driver: str | None
    cuda: str | None
    fp32_tflops: float
    offered_days: float
    region: str
    country: str

    @property
    def figures(self) -> tuple[float | None, ...]:
        """What counts as measured."""
        return (self.fp32_tflops, self.disk_read_mb_s, self.download_mbps)


@dataclass(frozen=True)
class HostedMachine:
    number: int
    host: int
    days: tuple[Day, ...]  # oldest first

    @property
    def newest(self) -> Day:
        return self.days[-1]

    @property
    def is_verified(self) -> bool:
        return self.newest.verification == VERIFIED


def read(path: Path = HOSTED_MACHINES) -> list[HostedMachine]:
    """Every machine of the file, by number."""
    rows: dict[int, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[int(row["machine_no"])][row["date"]].append(row)
    machines = []
    for number, of_day in sorted(rows.items()):
        largest = [max(of_day[date], key=lambda row: float(row["gpu_frac"])) for date in sorted(of_day)]
        machines.append(HostedMachine(number, int(largest[-1]["host_no"]), tuple(_day(row) for row in largest)))
    return machines


def memory_as_sold(reported_gb: float, sheet_gb: int) -> int:
    """The data sheet's figure, unless the card really has another: some are rebuilt with twice as much."""
    if abs(reported_gb - sheet_gb) <= RESERVED * sheet_gb:
        return sheet_gb
    return round(reported_gb)


def disk_type(name: str | None) -> str:
    """What the disk's name says about its kind, and no more than that."""
    words = (name or "").upper()
    if "NVME" in words:
        return "NVMe"
    return "SSD" if "SSD" in words else "not stated"


def _day(row: dict[str, str]) -> Day:
    # Shares are written with four digits (1/7 is 0.1429), so the whole machine is counted in GPUs.
    total = round(int(row["num_gpus"]) / float(row["gpu_frac"]))
    scale = Decimal(total) / int(row["num_gpus"])
    return Day(
        collected_at=datetime.fromisoformat(row["collected_utc"]),
        gpu_id=row["gpu_id"],
        gpu_count=total,
        gpu_memory_gb=int(row["gpu_ram_mb"]) / 1024,
        price_hour=(Decimal(row["dph_total"]) * scale).quantize(Decimal("0.01")),
        cpu_model=row["cpu_name"] or None,
        cpu_cores=int(row["cpu_cores"]) if row["cpu_cores"] else None,
        ram_gb=max(1, round(float(row["cpu_ram_mb"]) * float(scale) / 1024)),
        disk_name=row["disk_name"] or None,
        disk_size_gb=max(1, round(float(row["disk_space_gb"]) * float(scale))),
        disk_read_mb_s=_measured(row["disk_bw_mb_s"]),
        download_mbps=_measured(row["inet_down_mbps"]),
        upload_mbps=_measured(row["inet_up_mbps"]),
        reliability=float(row["reliability"]),
        verification=row["verification"],
        in_data_center=row["datacenter"] == "1",
        pcie_gen=row["pcie_gen"] or None,
        driver=row["driver_version"] or None,
        cuda=row["cuda_max_good"] or None,
        fp32_tflops=round(float(row["total_tflops"]) * float(scale), 2),
        offered_days=float(row["duration_days"]),
        region=row["region"],
        country=row["country"],
    )


def _measured(text: str) -> float | None:
    """A figure, or ``None``: a speed of nothing at all means that it was not measured."""
    return float(text) if text and float(text) > 0 else None
