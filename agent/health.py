"""How the machine is doing, for the heartbeat. Cheap: it reads small files, and asks the GPUs' tool where there is one."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from agent import gpus
from agent.gpus import highest, mean, share
from agent.inventory import ROOT, local_filesystems, meminfo, read, real_card


class Sampler:
    """Takes readings; what is a rate is between this reading and the one before, null at the first."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._cpu = _cpu_times(root)
        self._network = _network_bytes(root)
        self._at = time.monotonic()

    def read(self) -> dict[str, Any]:
        """The protocol's ``health``; null where something cannot be read."""
        cards = gpus.health() if self._root == ROOT else []
        received, sent = self._network_rates()
        return {
            "cpu_percent": self._cpu_percent(),
            "memory_percent": memory_percent(self._root),
            "gpu_percent": mean([card["percent"] for card in cards]),
            "gpu_memory_percent": mean([card["memory_percent"] for card in cards]),
            "temperature_c": highest([*sensors(self._root), *(card["temperature_c"] for card in cards)]),
            "disk_percent": disk_percent(self._root),
            "network_rx_mbps": received,
            "network_tx_mbps": sent,
            "load_1m": load(self._root),
            "gpus": cards,
        }

    def _cpu_percent(self) -> float | None:
        before, self._cpu = self._cpu, _cpu_times(self._root)
        if before is None or self._cpu is None:
            return None
        idle, whole = self._cpu[0] - before[0], self._cpu[1] - before[1]
        return round(min(max(100 * (1 - idle / whole), 0.0), 100.0), 1) if whole > 0 else None

    def _network_rates(self) -> tuple[float | None, float | None]:
        """Mbit/s in and out over all cards. A card that went away makes the sums fall: that is no rate."""
        before, self._network = self._network, _network_bytes(self._root)
        at, self._at = self._at, time.monotonic()
        seconds = self._at - at
        if before is None or self._network is None or seconds <= 0:
            return None, None
        rates = [(now - then) * 8 / 1e6 / seconds for now, then in zip(self._network, before)]
        received, sent = (round(rate, 2) if rate >= 0 else None for rate in rates)
        return received, sent


def memory_percent(root: Path = ROOT) -> float | None:
    """The part that no program could still be given."""
    values = meminfo(root)
    total, free = values.get("MemTotal"), values.get("MemAvailable")
    return None if not total or free is None else share(total - free, total)


def disk_percent(root: Path = ROOT) -> float | None:
    """How full the fullest local file system is, as ``df`` counts it."""
    parts = []
    for _, _, status in local_filesystems(root):
        used = status.f_blocks - status.f_bfree
        parts.append(share(used, used + status.f_bavail))
    return highest(parts)


def sensors(root: Path = ROOT) -> list[float | None]:
    """Degrees Celsius of all sensors; what no machine survives is a sensor that is not connected."""
    paths = [
        *(root / "sys/class/thermal").glob("thermal_zone*/temp"),
        *(root / "sys/class/hwmon").glob("hwmon*/temp*_input"),
    ]
    degrees = [int(text) / 1000 for text in map(read, paths) if re.fullmatch(r"-?\d+", text)]
    return [round(value, 1) for value in degrees if 0 < value < 125]


def load(root: Path = ROOT) -> float | None:
    """The load average of the last minute."""
    return gpus.number(read(root / "proc/loadavg").partition(" ")[0]) if root != ROOT else round(os.getloadavg()[0], 2)


def uptime_seconds(root: Path = ROOT) -> int | None:
    """Whole seconds since the machine started."""
    text = read(root / "proc/uptime").partition(".")[0]
    return int(text) if text.isdigit() else None


def boot_id(root: Path = ROOT) -> str:
    """Another after each start of the machine."""
    return read(root / "proc/sys/kernel/random/boot_id")


def _cpu_times(root: Path) -> tuple[int, int] | None:
    """Ticks idle (waiting for disks counts as such) and ticks in all, over all CPUs."""
    words = read(root / "proc/stat").partition("\n")[0].split()
    if len(words) < 6 or words[0] != "cpu":
        return None
    # The eighth is the last that is not counted in another one already.
    ticks = [int(word) for word in words[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _network_bytes(root: Path) -> tuple[int, int] | None:
    """Bytes received and sent over all cards since the start."""
    counted = []
    for line in read(root / "proc/net/dev").splitlines()[2:]:
        name, _, rest = line.partition(":")
        words = rest.split()
        if real_card(name.strip()) and len(words) >= 9:
            counted.append((int(words[0]), int(words[8])))
    return (sum(one for one, _ in counted), sum(two for _, two in counted)) if counted else None
