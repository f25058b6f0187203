"""The look afterwards: is anything of the buyer left on this machine?

It looks at the machine as it is and knows nothing of what the steps before have done. What it finds is told as kinds and
counts with the system's folder; a name that a buyer chose is never told.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.work import container, endtimer, filesystems, ipc, keyring, keys, processes
from agent.work.accounts import IdSet, Record

#: Files that the system keeps by an account's name, whoever owns them. ``%s`` is the name.
BY_NAME = (
    "/var/spool/cron/crontabs/%s", "/var/spool/cron/%s", "/var/spool/cron/tabs/%s", "/var/mail/%s", "/var/spool/mail/%s",
    "/var/lib/systemd/linger/%s", "/var/lib/AccountsService/users/%s", "/var/lib/AccountsService/icons/%s",
    "/run/faillock/%s", "/run/sudo/ts/%s", "/var/lib/sudo/lectured/%s", "/etc/sudoers.d/%s",
)  # fmt: skip
#: Files of root's that hold what a user's programs wrote, told by the user's number: folders, and what the names are like.
BY_NUMBER = (
    ("/var/log/journal/*", r"user-%d(@.*)?\.journal~?"),
    ("/var/lib/systemd/coredump", r"core\.[^.]*\.%d\.[0-9a-f]{32}\..*"),
)
#: Lists of the system in which an account has a line.
LISTS = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")


@dataclass
class Residue:
    """What was looked at, and what is left."""

    file_systems: list[str] = field(default_factory=list)
    objects: int = 0
    left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def as_list(self) -> list[dict[str, Any]]:
        """As the evidence has it."""
        return [{"kind": kind, "count": count, "where": where} for (kind, where), count in sorted(self.left.items())]


def look(record: Record, ids: IdSet) -> Residue:
    """Look everywhere for what belongs to these users or carries the account's name."""
    residue = Residue()
    left = residue.left
    _count(left, "process", "", len(processes.of(ids)))
    _count(left, "open file", "", open_files(ids))
    for kind, _ in ipc.of(ids):
        _count(left, {"shm": "shared memory", "sem": "semaphore", "msg": "message queue"}[kind], "", 1)
    _count(left, "key in the kernel's keyrings", "", keyring.left(record.uid))
    _count(left, "key file", "", keys.present(record))
    _count(left, "timer", "/etc/systemd/system", endtimer.left(record.account))
    for path in named(record):
        _count(left, "file", os.path.dirname(path), 1)
    for name in LISTS:
        _count(left, "entry", f"/etc/{name}", entries_in(name, record.account))
    _count(left, "limit", "/etc/security/limits.d", Path(f"/etc/security/limits.d/{record.account}.conf").exists())
    walk = filesystems.Walk(ids, lists=True)
    for found in walk:
        kind = "folder" if stat.S_ISDIR(found.status.st_mode) else "file"
        if found.by_list:
            kind = f"access list of a {kind}"
        elif found.status.st_uid not in ids:
            kind = f"{kind} of another user in the buyer's group"
        _count(left, kind, found.folder, 1)
    _count(left, "folder that could not be looked into", "", walk.unseen)
    residue.file_systems, residue.objects = walk.file_systems, walk.objects
    return residue


def named(record: Record) -> list[str]:
    """The files there are that the system keeps by the account's name or number, and its own folders."""
    paths = [pattern % record.account for pattern in BY_NAME] + [record.home, *record.scratch]
    if record.uid > 0:
        paths.append(f"/run/user/{record.uid}")
    # The folders are the system's, which may be links (``/var/spool/mail``): told once, and where they really are.
    real = [os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in paths]
    return [path for path in dict.fromkeys(real) if os.path.lexists(path)] + written_for(record.uid)


def written_for(uid: int) -> list[str]:
    """The files that systemd's journal and its keeper of core dumps wrote for this user, in folders of root's."""
    if uid <= 0:
        return []
    return [
        str(path)
        for folders, name in BY_NUMBER
        for folder in glob.glob(folders)
        for path in Path(folder).glob("*")
        if re.fullmatch(name % uid, path.name)
    ]


def entries_in(name: str, account: str) -> int:
    """How many lines of ``/etc/<name>`` are the account's, or have it as a member."""
    if name.startswith("sub"):
        return int(container.has_subordinates(account, f"/etc/{name}"))
    try:
        lines = Path(f"/etc/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    members = name in ("group", "gshadow")
    return sum(
        line.startswith(f"{account}:") or (members and account in line.rpartition(":")[2].split(",")) for line in lines
    )


def open_files(ids: IdSet) -> int:
    """How many files of theirs are deleted but kept open by some process, whoever runs it."""
    found = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            handles = list((process / "fd").iterdir())
        except OSError:
            continue
        for handle in handles:
            try:
                if os.readlink(handle).endswith(" (deleted)"):
                    status = handle.stat()
                    if status.st_uid in ids:
                        found.add((status.st_dev, status.st_ino))
            except OSError:
                continue
    return len(found)


def _count(left: Counter[tuple[str, str]], kind: str, where: str, count: int) -> None:
    if count:
        left[kind, where] += count
