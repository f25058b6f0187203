"""Starting processes, and finding again those that a killed run left behind.

A supervisor that is killed cannot clean up after itself, so the next one does. Ids in files would not do:
an id is reused. What a run started is known by what the system says about the process itself: the mark in its
environment or, for servers that overwrite theirs with a title, the folder they work in.
"""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MARK = "MARKETPLACE_PART_OF"
SERVERS = ("postgres", "valkey-server")
PROC = Path("/proc")


class PartsError(Exception):
    """Why a part could not be started, in words for whoever started it."""


class InUseError(PartsError):
    """Another run holds the same folder."""


@contextmanager
def held(var: Path) -> Iterator[None]:
    """Hold the folder ``var`` for this process alone; raises InUseError. The system lets go when the process ends.

    A record lock, because it is not inherited: what a killed supervisor left running does not hold it.
    """
    (var / "run").mkdir(parents=True, exist_ok=True)
    with (var / "run" / "lock").open("a+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            raise InUseError(f"{var} is in use by another run (process {file.read().strip() or '?'}).") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def launch(
    command: Sequence[str | Path], *, var: Path, log: Path, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start a part of the run of ``var``, in a session of its own.

    Ctrl-C in a terminal reaches every process of the foreground group; the parts are stopped in order instead.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 the commands are our own
            [str(word) for word in command],
            env=marked(env if env is not None else os.environ, var),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )


def marked(env: Mapping[str, str], var: Path) -> dict[str, str]:
    return {**env, MARK: str(var)}


def end(process: subprocess.Popen[bytes] | None, *, by: int = signal.SIGTERM, seconds: float = 8) -> None:
    """Ask a child to end, wait, then insist."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(by)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def parts_of(var: Path) -> list[int]:
    """Ids of the living processes that runs of ``var`` started, other than this one."""
    mark = f"{MARK}={var}".encode()
    found = []
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0") or _is_server_of(entry, var):
                found.append(int(entry.name))
        except OSError:  # gone meanwhile, or someone else's
            continue
    return sorted(pid for pid in found if alive(pid))


def _is_server_of(entry: Path, var: Path) -> bool:
    return _is_server(entry) and (entry / "cwd").readlink() in (var / "postgres", var / "valkey")


def _is_server(entry: Path) -> bool:
    try:
        return (entry / "comm").read_text().strip() in SERVERS
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether a process still does something: one that only waits to be collected by its parent does not."""
    try:
        state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def clear(var: Path, *, first: Iterable[int] = ()) -> list[int]:
    """End whatever an earlier run of ``var`` left behind; ``first`` are database servers, which end by SIGINT.

    Returns the ids of what was found.
    """
    found = parts_of(var)
    # Clients before servers: one whose broker has gone waits for it instead of ending.
    clients = [pid for pid in found if not _is_server(PROC / str(pid))]
    _end_all(clients, signal.SIGTERM, 3)
    _end_all(clients, signal.SIGKILL, 2)
    _end_all([pid for pid in first if pid in found], signal.SIGINT, 5)
    _end_all(parts_of(var), signal.SIGTERM, 3)
    _end_all(parts_of(var), signal.SIGKILL, 2)
    return found


def _end_all(pids: Iterable[int], by: int, seconds: float) -> None:
    waiting = [pid for pid in pids if alive(pid)]
    for pid in waiting:
        try:
            os.kill(pid, by)
        except ProcessLookupError:
            continue
    until = time.monotonic() + seconds
    while any(alive(pid) for pid in waiting) and time.monotonic() < until:
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taken(host: str, port: int) -> bool:
    """Whether a server already listens at this address. Raises PartsError where this machine has no such address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise PartsError(f"Cannot listen on {host}:{port}: {error.strerror or error}") from error
            return True
    return False


def tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
