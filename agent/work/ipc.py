"""Shared memory, semaphores and message queues of System V, which outlive their processes and lie in no folder.

Those of POSIX are files in ``/dev/shm`` and ``/dev/mqueue`` and are found as files.
"""

from __future__ import annotations

from pathlib import Path

from agent.shell import Done, run
from agent.work.accounts import IdSet

KINDS = {"shm": "--shmem-id", "sem": "--semaphore-id", "msg": "--queue-id"}


def of(ids: IdSet) -> list[tuple[str, str]]:
    """The objects, as kind and number, that these users own or made."""
    return [(kind, number) for kind, number, owners in _all() if any(owner in ids for owner in owners)]


def numbers(ids: IdSet) -> set[int]:
    """Those of these user numbers that own an object or made one."""
    return {owner for _, _, owners in _all() for owner in owners if owner in ids}


def _all() -> list[tuple[str, str, set[int]]]:
    found = []
    for kind in KINDS:
        try:
            lines = Path(f"/proc/sysvipc/{kind}").read_text(encoding="ascii").splitlines()
        except OSError:
            continue  # a kernel without them
        names = lines[0].split() if lines else []
        for line in lines[1:]:
            row = dict(zip(names, line.split()))
            owners = {int(row.get(name, "-1")) for name in ("uid", "cuid", "gid", "cgid")}
            found.append((kind, line.split()[1], owners))
    return found


def remove(ids: IdSet) -> tuple[int, int, list[Done]]:
    """Remove them. How many were there, how many are left, and what was run."""
    first = of(ids)
    done = [run(["ipcrm", KINDS[kind], number]) for kind, number in first]
    return len(first), len(of(ids)), done
