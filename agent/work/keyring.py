"""Keys and other secrets that a user left with the kernel: its keyrings of a user outlive their processes.

They lie in memory, can be read by nobody but this user, and are told from outside only as a number in
``/proc/key-users``; so a process that has the user's number looks, and clears. See keyrings(7).
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

#: The number of the system call ``keyctl``; where it is not known, keyrings are not looked at.
_CALLS = {"x86_64": 250, "aarch64": 219, "ppc64le": 271, "riscv64": 219, "s390x": 280}
_CLEAR, _LINK, _READ, _GET_PERSISTENT = 7, 8, 11, 22
_OF_PROCESS, _OF_USER, _OF_SESSIONS = -2, -4, -5
#: A link to the user's own keyring, which the kernel puts into the other one.
_LINKS = {_OF_SESSIONS: 1}
#: What a process can say when it ends.
_MOST = 255


def clear(uid: int) -> int:
    """Take out everything that is in the user's keyrings. How many things that were, 255 at most."""
    before = left(uid)
    if before:
        _as_user(uid, clearing=True)
    return before


def left(uid: int) -> int:
    """How many things are in the user's keyrings; one that cannot be looked into counts as one."""
    return _as_user(uid, clearing=False) if _has_any(uid) else 0


def _has_any(uid: int) -> bool:
    """Whether the kernel keeps anything for this user. To look would make the keyrings, where there are none."""
    try:
        lines = Path("/proc/key-users").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return uid > 0 and platform.machine() in _CALLS and any(line.strip().startswith(f"{uid}:") for line in lines)


def _as_user(uid: int, *, clearing: bool) -> int:
    call, libc = _CALLS[platform.machine()], ctypes.CDLL(None)
    child = os.fork()
    if child == 0:
        count = _MOST
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            count = _look(libc, call, clearing=clearing)
        finally:
            os._exit(min(count, _MOST))
    count = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return count if count >= 0 else _MOST  # it was killed: nothing is known


def _look(libc: ctypes.CDLL, call: int, *, clearing: bool) -> int:
    keyrings = [_OF_USER, _OF_SESSIONS]
    persistent = libc.syscall(call, _GET_PERSISTENT, -1, _OF_PROCESS)
    if persistent > 0:  # not every kernel has these
        keyrings.append(persistent)
    if clearing:
        for keyring in keyrings:
            libc.syscall(call, _CLEAR, keyring)
        libc.syscall(call, _LINK, _OF_USER, _OF_SESSIONS)  # as the kernel makes them
    count = 0
    for keyring in keyrings:
        size = libc.syscall(call, _READ, keyring, None, 0)
        count += 1 if size < 0 else max(size // 4 - _LINKS.get(keyring, 0), 0)
    return count
