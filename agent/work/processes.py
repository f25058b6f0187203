"""Finding a user's processes, and ending every one of them."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.shell import Done, has, run
from agent.work.accounts import FIRST_UID, SENDER, IdSet, is_taken

PROC = Path("/proc")


@dataclass
class Ended:
    """What was ended, and what would not end."""

    processes: int
    sessions: int
    left: int
    log: list[Done]


def of(ids: IdSet) -> list[int]:
    """The processes that run with one of these user numbers in any of their four places. Dead ones do not count."""
    return list(_numbers_of(ids))


def numbers(ids: IdSet) -> set[int]:
    """Those of these user numbers that something runs with."""
    return set(itertools.chain.from_iterable(_numbers_of(ids).values()))


def _numbers_of(ids: IdSet) -> dict[int, set[int]]:
    """The same, each with those of the user numbers that it runs with."""
    found = {}
    for pid in _pids():
        try:
            text = (PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        state = uids = ""
        for line in text.splitlines():
            if line.startswith("State:"):
                state = line.split()[1]
            elif line.startswith("Uid:"):
                uids = line[4:]
                break
        numbers = {int(word) for word in uids.split() if int(word) in ids}
        if numbers and state not in ("Z", "X"):
            found[pid] = numbers
    return found


def end_all(account: str, uid: int, ids: IdSet, *, patience: float = 15) -> Ended:
    """End the account's sessions and every process of these users, also those that keep starting others.

    One that does nothing but start another and end is never where a list of processes says: those of each user number are
    killed at once, by the kernel. What runs with such a number only in part (a set-uid program) is found by the list, and
    stopped before it is killed, again and again until no new one appears.
    """
    log: list[Done] = []
    sessions = _sessions(account)
    owned = _numbers_of(ids)
    seen = set(owned)
    if has_systemd() and uid > 0:
        for command in (
            ["loginctl", "disable-linger", account],
            ["loginctl", "terminate-user", account],
            ["systemctl", "stop", f"user@{uid}.service", f"user-runtime-dir@{uid}.service"],
        ):
            log.append(run(command, timeout=10))
    deadline = time.monotonic() + patience
    while True:
        for number in {uid, *itertools.chain.from_iterable(owned.values())}:
            kill_at_once(number)
        stopped: set[int] = set()
        while time.monotonic() < deadline:
            new = set(of(ids)) - stopped
            if not new:
                break
            _signal(new, signal.SIGSTOP)
            stopped |= new
        seen |= stopped
        for group in _groups(uid):
            try:
                (group / "cgroup.kill").write_text("1", encoding="ascii")
            except OSError:
                continue
        _signal(stopped, signal.SIGKILL)
        # The part of sshd that runs as root ends when its buyer's part has; asked to, it does not linger.
        _signal(set(sessions), signal.SIGTERM)
        for _ in range(20):
            if not of(ids):
                break
            time.sleep(0.01)
        owned = _numbers_of(ids)
        if not owned or time.monotonic() > deadline:
            return Ended(len(seen), len(sessions), len(owned), log)


def kill_at_once(uid: int) -> None:
    """SIGKILL for every process of this user, in one call: while it goes on, none can start another.

    The call is ``kill(-1)``, which only a process with the user's own number may send to these and no others. The one that sends it
    has this number and, so that theirs may not kill it first, one that is nobody's.
    """
    if not uid >= FIRST_UID or is_taken(SENDER):
        return
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(SENDER, uid, SENDER)
            if os.getresuid() == (SENDER, uid, SENDER):  # as root it would be the end of all
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir() and has("systemctl")


def _sessions(account: str) -> list[int]:
    """sshd's own process for each log-in: it runs as root, so a user cannot pretend to be one."""
    titles = tuple(f"{name}: {account} [priv]" for name in ("sshd", "sshd-session"))
    found = []
    for pid in _pids():
        try:
            title = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
            if title.startswith(titles) and (PROC / str(pid)).stat().st_uid == 0:
                found.append(pid)
        except OSError:
            continue
    return found


def _groups(uid: int) -> list[Path]:
    top = Path("/sys/fs/cgroup")
    return [group for group in (top / "user.slice" / f"user-{uid}.slice",) if (group / "cgroup.kill").exists()]


def _pids() -> Iterator[int]:
    own = os.getpid()
    for name in os.listdir(PROC):
        if name.isdigit() and int(name) != own:
            yield int(name)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            continue
