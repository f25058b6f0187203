"""What is claimed of a machine beside what its agents read: told apart, and put right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from common import formats
from machines import gpu_names
from machines.hardware import Change, Facts
from machines.models import GPUModel, HardwarePassport, Machine
from machines.services.errors import MachineError
from machines.services.machines import LOCKED, MEASURED

#: How far a claim may be from what was read: firmware keeps some memory, disks are sold in rounder numbers.
GPU_MEMORY_TOLERANCE = 0.1
RAM_TOLERANCE, RAM_SLACK_GB = 0.05, 1
DISK_TOLERANCE = 0.1
MIB_A_GB = 1024
KINDS = ("NVMe", "SSD", "HDD")
#: What a column takes, whatever an agent says.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Sums:
    """What one server, or several together, have by their agents. Memory in GiB, disks in GB."""

    gpus: tuple[Facts, ...]
    cores: int
    threads: int
    ram_gb: float
    disk_gb: int

    @property
    def gpu_memories(self) -> list[float]:
        return [gpu["memory_mb"] / MIB_A_GB for gpu in self.gpus if gpu["memory_mb"] is not None]


def _sums(servers: Sequence[Facts]) -> Sums:
    return Sums(
        gpus=tuple(gpu for facts in servers for gpu in facts["gpus"]),
        cores=min(MOST, sum(facts["cpu"]["cores"] for facts in servers)),
        threads=min(MOST, sum(facts["cpu"]["threads"] for facts in servers)),
        ram_gb=sum(facts["memory_mb"] for facts in servers) / MIB_A_GB,
        disk_gb=min(MOST, sum(disk["size_gb"] for facts in servers for disk in facts["disks"])),
    )


# Differences ------------------------------------------------------------------------------------------


def claim_differences(machine: Machine) -> list[Change]:
    """What is claimed of a machine and is not so by its newest passport: ``before`` is the claim, ``after`` what was read.

    Empty when it has no passport. Nodes of which nothing was read yet are left out.
    """
    passport = machine.passports.first()
    if passport is None or machine.awaits_inventory:
        return []
    nodes: Mapping[str, Facts] = passport.facts["nodes"]
    found = _gpu_differences(machine, _sums(list(nodes.values())))
    if not machine.is_cluster:
        return found + _size_differences(machine, _sums(list(nodes.values())))
    for node in machine.nodes.all():
        if node.name in nodes:
            differing = _size_differences(node, _sums([nodes[node.name]]))
            found += [{**change, "what": f"{node.name}: {change['what']}"} for change in differing]
    return found


def in_words(differences: Sequence[Change]) -> str:
    """A sentence: what is claimed and what is there."""
    told = "; ".join(gettext("%(what)s: %(before)s claimed, %(after)s found") % change for change in differences)
    return gettext("The agent found something else than what is claimed. %(differences)s.") % {"differences": told}


def _gpu_differences(machine: Machine, read: Sums) -> list[Change]:
    """Model and memory: the same for all GPUs of a machine."""
    if not machine.gpu_count or not read.gpus:
        return []  # how many there are says all of it
    found = []
    sheets = list(GPUModel.objects.all())
    others = [gpu for gpu in read.gpus if not _is_claimed(machine, gpu, sheets)]
    if others:
        words = ", ".join(f"{count} × {name}" for name, count in Counter(gpu["model"] for gpu in others).items())
        found.append(_change(gettext("GPU model"), machine.gpu_model, words))
    shown = machine.gpu_memory_gb / (gpu_names.dies(machine.gpu) if machine.gpu else 1)
    wrong = [memory for memory in read.gpu_memories if abs(memory - shown) > GPU_MEMORY_TOLERANCE * shown]
    if wrong:
        found.append(
            _change(gettext("Memory of each GPU"), formats.gb(machine.gpu_memory_gb), formats.gb(round(min(wrong))))
        )
    return found


def _is_claimed(machine: Machine, gpu: Facts, sheets: Sequence[GPUModel]) -> bool:
    """Whether the driver's GPU is the model that is claimed."""
    if machine.gpu is None:
        claimed = gpu_names.candidates(machine.gpu_model, None, sheets)
        same_name = gpu_names.alike(machine.gpu_model, gpu["model"])
    else:
        claimed = [machine.gpu]
        same_name = gpu_names.is_named(gpu["model"], machine.gpu)
    found = gpu_names.candidates(gpu["model"], gpu["memory_mb"], sheets)
    if found and claimed:
        return any(sheet in claimed for sheet in found)
    return same_name


def _size_differences(claim: Any, read: Sums) -> list[Change]:
    """``claim``: a machine or a node, whose counts and sizes have the same names."""
    found = []
    dies = gpu_names.dies(claim.gpu) if getattr(claim, "gpu", None) else 1
    if claim.gpu_count * dies != len(read.gpus):
        found.append(_change(gettext("GPUs"), formats.number(claim.gpu_count), formats.number(len(read.gpus))))
    if claim.cpu_cores not in (read.cores, read.threads):
        found.append(_change(gettext("CPU cores"), formats.number(claim.cpu_cores), formats.number(read.cores)))
    if abs(claim.ram_gb - read.ram_gb) > RAM_TOLERANCE * claim.ram_gb + RAM_SLACK_GB:
        found.append(_change("RAM", formats.gb(claim.ram_gb), formats.gb(round(read.ram_gb))))
    # Where no disk can be seen, nothing can be said about them.
    if read.disk_gb and abs(claim.disk_size_gb - read.disk_gb) > DISK_TOLERANCE * claim.disk_size_gb:
        found.append(_change(gettext("Disk"), formats.tb(claim.disk_size_gb), formats.tb(read.disk_gb)))
    return found


def _change(what: str, claimed: str, read: str) -> Change:
    return {"what": what, "before": claimed, "after": read}


# Putting right ----------------------------------------------------------------------------------------


@transaction.atomic
def adopt_inventory(*, machine: Machine, now: datetime) -> Machine:
    """Claim what the agents read. Without a passport, or when nothing differs, nothing happens.

    Raises:
        MachineError: the verified benchmark was measured on what would change.
    """
    row = Machine.objects.select_for_update(of=("self",), no_key=True).select_related("gpu").get(pk=machine.pk)
    passport = row.passports.first()
    if passport is not None and claim_differences(row):
        fill(row, passport, now=now)
    return row


def fill(machine: Machine, passport: HardwarePassport, *, now: datetime) -> None:
    """Write what the passport says into the machine's own columns and those of its nodes. The machine is locked.

    Raises:
        MachineError: the verified benchmark was measured on what would change.
    """
    nodes: Mapping[str, Facts] = passport.facts["nodes"]
    values = _columns(machine, list(nodes.values())) | _system(machine)
    changed = [name for name, value in values.items() if getattr(machine, name) != value]
    if machine.verified_benchmark_id is not None and set(changed) & set(MEASURED):
        raise MachineError(str(LOCKED))
    for name in changed:
        setattr(machine, name, values[name])
    machine.save(update_fields=[*changed, "updated_at"])
    for node in machine.nodes.all() if machine.is_cluster else ():
        if node.name in nodes:
            sums = _sums([nodes[node.name]])
            dies = gpu_names.dies(machine.gpu) if machine.gpu else 1
            node.gpu_count, node.cpu_cores = len(sums.gpus) // dies, sums.cores
            node.ram_gb, node.disk_size_gb = round(sums.ram_gb), sums.disk_gb
            node.save(update_fields=["gpu_count", "cpu_cores", "ram_gb", "disk_size_gb"])


def _columns(machine: Machine, servers: Sequence[Facts]) -> dict[str, Any]:
    """A machine's columns by what its servers are. GPUs that are claimed rightly keep the name they have."""
    read = _sums(servers)
    models = Counter(facts["cpu"]["model"] for facts in servers)
    kinds = {disk["kind"] for facts in servers for disk in facts["disks"]}
    values: dict[str, Any] = {
        "cpu_model": models.most_common(1)[0][0][:120] or "unnamed",
        "cpu_cores": read.cores,
        "ram_gb": round(read.ram_gb),
        "disk_size_gb": read.disk_gb,
        "disk_type": ", ".join(kind for kind in KINDS if kind in kinds) or "not stated",
        "gpu_count": len(read.gpus),
    }
    if not read.gpus:
        return values | {"gpu": None, "gpu_model": "", "gpu_memory_gb": 0}
    if machine.gpu_count and not _gpu_differences(machine, read):
        return values | {"gpu_count": len(read.gpus) // (gpu_names.dies(machine.gpu) if machine.gpu else 1)}
    return values | _gpus(read)


def _gpus(read: Sums) -> dict[str, Any]:
    """The model that most of the GPUs are, by its data sheet where there is one."""
    (name, memory_mb), _ = Counter((gpu["model"], gpu["memory_mb"]) for gpu in read.gpus).most_common(1)[0]
    sheet = gpu_names.find(name, memory_mb, list(GPUModel.objects.all()))
    if sheet is not None:
        count = len(read.gpus) // gpu_names.dies(sheet)
        return {"gpu": sheet, "gpu_model": sheet.name, "gpu_memory_gb": sheet.memory_gb, "gpu_count": count}
    memory = max(1, round((memory_mb or 0) / MIB_A_GB))
    return {"gpu": None, "gpu_model": name[:80] or "unnamed GPU", "gpu_memory_gb": memory}


def _system(machine: Machine) -> dict[str, str]:
    """The operating system is no hardware, and only the agents know it."""
    agent = machine.agents.enrolled().exclude(inventory={}).first()
    return {"os": agent.inventory["os"]["name"][:80] or machine.os} if agent else {}
