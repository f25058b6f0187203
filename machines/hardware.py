"""What a server consists of, as its agent's inventory says it, and how two such readings differ, in words.

Nothing here asks the database. *Facts* are what a hardware passport keeps of one server::

    {"gpus": [{"index", "model", "memory_mb", "uuid"}], "cpu": {"model", "sockets", "cores", "threads"},
     "memory_mb", "disks": [{"name", "model", "serial_sha256", "size_gb", "kind"}], "architecture"}

Kernel, driver, free space and the speed of the network change without anybody touching the hardware: they are not part
of it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext

from common import formats
from common.languages import in_english

Facts = Mapping[str, Any]
Change = dict[str, str]

#: A machine sees a little more or less of its memory with every kernel and driver.
MEMORY_TOLERANCE = 0.02
MISSING, NEW = "missing", "not there"
NOT_READ, GONE = "not read", "no longer part of it"
GPU_FACTS = ("index", "model", "memory_mb", "uuid")
DISK_FACTS = ("name", "model", "serial_sha256", "size_gb", "kind")
CPU_FACTS = ("model", "sockets", "cores", "threads")


def facts_of(inventory: Mapping[str, Any]) -> dict[str, Any]:
    """What of an inventory is hardware, in an order that does not change from one reading to the next."""
    gpus = [{name: gpu[name] for name in GPU_FACTS} for gpu in inventory["gpus"]]
    disks = [{name: disk[name] for name in DISK_FACTS} for disk in inventory["disks"]]
    return {
        "gpus": sorted(gpus, key=lambda gpu: gpu["index"]),
        "cpu": {name: inventory["cpu"][name] for name in CPU_FACTS},
        "memory_mb": inventory["memory_mb"],
        "disks": sorted(disks, key=lambda disk: disk["name"]),
        "architecture": inventory["os"]["architecture"],
    }


def digest(value: Any) -> str:
    """SHA-256 of its canonical JSON (``docs/agent-protocol.md``, Words), in hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


# Differences ------------------------------------------------------------------------------------------


@in_english()
def node_changes(before: Mapping[str, Facts], after: Mapping[str, Facts]) -> list[Change]:
    """What differs between two readings of all servers of a machine, by the names of its nodes.

    Always in English: they are kept, and compared with those that are.
    """
    found: list[Change] = []
    for name in sorted({*before, *after}):
        place = f"{name}: " if name else ""
        if name not in before:
            found.append(_change(f"Node {name}" if name else "The machine", NOT_READ, in_short(after[name])))
        elif name not in after:
            found.append(_change(f"Node {name}" if name else "The machine", in_short(before[name]), GONE))
        else:
            found += [{**change, "what": place + change["what"]} for change in changes(before[name], after[name])]
    return found


def changes(before: Facts, after: Facts) -> list[Change]:
    """What differs between two readings of one server. Empty: it is the same hardware."""
    found = _gpu_changes(before["gpus"], after["gpus"])
    if any(before["cpu"][name] != after["cpu"][name] for name in ("model", "sockets", "cores")):
        found.append(_change("CPU", _cpu(before["cpu"], threads=False), _cpu(after["cpu"], threads=False)))
    if not close(before["memory_mb"], after["memory_mb"]):
        found.append(_change("RAM", gib(before["memory_mb"]), gib(after["memory_mb"])))
    found += _disk_changes(before["disks"], after["disks"])
    if before["architecture"] != after["architecture"]:
        found.append(_change("Architecture", before["architecture"], after["architecture"]))
    return found


def close(one: float | None, other: float | None, tolerance: float = MEMORY_TOLERANCE) -> bool:
    """Whether two amounts are the same but for what readings of the same thing differ by. Unknown is unlike known."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= tolerance * max(one, other)


def _gpu_changes(before: Sequence[Facts], after: Sequence[Facts]) -> list[Change]:
    # A card keeps its UUID when the cards are numbered anew, so that comes first.
    pairs = _paired(before, after, lambda gpu: gpu["uuid"], lambda gpu: str(gpu["index"]))
    found = []
    for old, new in pairs:
        if old and new and old["model"] == new["model"] and close(old["memory_mb"], new["memory_mb"]):
            if old["uuid"] != new["uuid"] and old["uuid"] and new["uuid"]:
                found.append(_change(f"GPU {old['index']}", _gpu(old), f"another {_gpu(new)}"))
            continue
        number = (old or new or {})["index"]
        found.append(_change(f"GPU {number}", _gpu(old) if old else NEW, _gpu(new) if new else MISSING))
    return found


def _disk_changes(before: Sequence[Facts], after: Sequence[Facts]) -> list[Change]:
    pairs = _paired(
        before, after, lambda disk: disk["serial_sha256"], lambda disk: disk["name"], lambda disk: _disk(disk)
    )
    found = []
    for old, new in pairs:
        if old and new and _disk(old) == _disk(new):
            if old["serial_sha256"] != new["serial_sha256"] and old["serial_sha256"] and new["serial_sha256"]:
                found.append(_change(f"Disk {old['name']}", _disk(old), f"another {_disk(new)}"))
            continue
        name = (old or new or {})["name"]
        found.append(_change(f"Disk {name}", _disk(old) if old else NEW, _disk(new) if new else MISSING))
    return found


def _paired(
    before: Sequence[Facts], after: Sequence[Facts], *identities: Callable[[Facts], str]
) -> list[tuple[Facts | None, Facts | None]]:
    """The same part in both readings, told by the first identity that fits; what is left has no other half."""
    left, right = list(before), list(after)
    pairs: list[tuple[Facts | None, Facts | None]] = []
    for identity in identities:
        for old in list(left):
            same = next((new for new in right if identity(old) and identity(new) == identity(old)), None)
            if same is not None:
                left.remove(old)
                right.remove(same)
                pairs.append((old, same))
    return [*pairs, *((old, None) for old in left), *((None, new) for new in right)]


def _change(what: str, before: str, after: str) -> Change:
    return {"what": what, "before": before, "after": after}


# Words ------------------------------------------------------------------------------------------------


def described(facts: Facts) -> list[tuple[str, str]]:
    """One server as pairs of label and words, for anyone to read: no serial numbers, no addresses."""
    architecture = facts["architecture"]
    pairs = [
        (gettext("GPUs"), ", ".join(_counted(_gpu(gpu) for gpu in facts["gpus"])) or gettext("none")),
        ("CPU", _cpu(facts["cpu"])),
        ("RAM", gib(facts["memory_mb"])),
        (gettext("Disks"), ", ".join(_counted(_plain_disk(disk) for disk in facts["disks"]))),
        (gettext("Architecture"), architecture),
    ]
    return [(label, words) for label, words in pairs if words]


def groups(nodes: Mapping[str, Facts]) -> list[tuple[list[str], list[tuple[str, str]]]]:
    """The servers of a machine, those that are alike together: their names, and what they consist of."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name in sorted(nodes):
        alike.setdefault(tuple(described(nodes[name])), []).append(name)
    return [(names, list(pairs)) for pairs, names in alike.items()]


def in_short(facts: Facts) -> str:
    """One server in a line."""
    gpus = ", ".join(_counted(_gpu(gpu) for gpu in facts["gpus"]))
    return "; ".join(filter(None, [gpus, _cpu(facts["cpu"]), f"{gib(facts['memory_mb'])} RAM"]))


def gib(mebibytes: int | None) -> str:
    """MiB as the GB that memory is sold in."""
    return formats.gb(None if mebibytes is None else round(mebibytes / 1024))


def _counted(words: Any) -> list[str]:
    """``["a", "a", "b"]`` → ``["2 × a", "1 × b"]``."""
    return [f"{count} × {word}" for word, count in Counter(words).items()]


def _gpu(gpu: Facts) -> str:
    model = gpu["model"] or gettext("unnamed GPU")
    return model if gpu["memory_mb"] is None else f"{model}, {gib(gpu['memory_mb'])}"


def _cpu(cpu: Facts, *, threads: bool = True) -> str:
    sockets = f"{cpu['sockets']} × " if cpu["sockets"] > 1 else ""
    words = {
        "model": f"{sockets}{cpu['model'] or gettext('unnamed')}",
        "cores": formats.number(cpu["cores"]),
        "threads": formats.number(cpu["threads"]),
    }
    if threads and cpu["threads"] > cpu["cores"]:
        return gettext("%(model)s, %(cores)s cores, %(threads)s threads") % words
    return gettext("%(model)s, %(cores)s cores") % words


def _plain_disk(disk: Facts) -> str:
    return f"{formats.tb(disk['size_gb'])} {disk['kind']}".strip()


def _disk(disk: Facts) -> str:
    return ", ".join(filter(None, [_plain_disk(disk), disk["model"]]))
