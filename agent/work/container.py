"""Access of kind "container": a log-in over SSH that lands in a container with the machine's GPUs.

Chosen: **rootless Podman under the buyer's own account**. Every key is bound to one command (``restrict,pty,command="..."`` in a
file that only root can write, see :mod:`agent.work.keys`), a short script of root's that goes into the container with ``podman exec``.
The script and Podman run as the buyer's account. So nothing in the way from the network to the container has more rights than
the account: there is no sudo, no set-uid helper of ours, no socket of root's and no membership of a ``docker`` group, which is the
same as being root. Whoever breaks out of the container is an ordinary user without a password. And as all that the
container writes belongs to the account's number or its subordinate numbers, a wipe finds it as it finds every other file: images,
volumes and layers too.

Weighed and left: Docker with a sudo rule or a helper on a socket (a mistake in it is root for everyone, and the daemon's volumes belong
to root, so that nothing tells whose they are); sshd inside the container (needs an image made for it, and a second set of host keys).
Docker alone is therefore not enough: without Podman the work fails with a sentence that says so.

Subordinate numbers are given out like user numbers, each range to one account ever.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from agent.errors import WorkFailed
from agent.files import write_whole
from agent.shell import Done, has, run
from agent.work import accounts, processes
from agent.work.accounts import Record

NAME = "booking"
ENTER = Path("/usr/local/lib/rsm-agent/enter")
_ENTER_TEXT = f"""\
#!/bin/sh
# Of rsm-agent. What a log-in to an account of kind "container" runs, as that account.
cd / || exit 1
[ -d "/run/user/$(id -u)" ] && export XDG_RUNTIME_DIR="/run/user/$(id -u)"
podman start {NAME} >/dev/null 2>&1 || {{ echo "The container could not be started." >&2; exit 1; }}
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
    exec podman exec --interactive {NAME} /bin/sh -c "$SSH_ORIGINAL_COMMAND"
elif [ -t 0 ]; then
    exec podman exec --interactive --tty --env "TERM=$TERM" {NAME} /bin/sh -c 'command -v bash >/dev/null && exec bash -l; exec sh -l'
else
    exec podman exec --interactive {NAME} /bin/sh
fi
"""
#: In front of each key.
OPTIONS = f'restrict,pty,command="{ENTER}"'

_IMAGE = re.compile(
    r"[a-z0-9][a-z0-9._/-]{0,200}(:[0-9]+/[a-z0-9._/-]{1,200})?(:[A-Za-z0-9_.-]{1,128})?(@sha256:[0-9a-f]{64})?"
)
#: Subordinate numbers: 65536 for each account, from here on; the last ends below 2^31.
_FIRST, _EACH = 100_000_000, 65536


def checked_image(value: Any) -> str:
    if not isinstance(value, str) or not _IMAGE.fullmatch(value) or ".." in value:
        raise WorkFailed(f"{value!r} is no name of an image.")
    return value


def require() -> None:
    """WorkFailed, with what to do, where no container can be made."""
    if not has("podman"):
        raise WorkFailed(
            "Podman is not installed, so that buyers cannot be given a container. Docker alone would give them root."
        )
    for tool in ("newuidmap", "newgidmap"):
        if not has(tool):
            raise WorkFailed(f"{tool} is not installed (package uidmap or shadow-utils): Podman needs it.")
    if _has_nvidia() and not _described():
        raise WorkFailed(
            "The NVIDIA GPUs are not described for containers: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        )


def subordinates(uid: int) -> tuple[int, int]:
    """The first subordinate number of this account, and how many it has."""
    return _FIRST + (uid - accounts.FIRST_UID) * _EACH, _EACH


def give_subordinates(record: Record) -> list[Done]:
    """Enter the account's range in ``/etc/subuid`` and ``/etc/subgid``, unless it is there."""
    numbers = f"{record.subordinate}-{record.subordinate + record.subordinates - 1}"
    done = []
    for path, option in (("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")):
        if f"{record.account}:{record.subordinate}:{record.subordinates}" not in _lines(path):
            done.append(run(["usermod", option, numbers, record.account]))
    return done


def has_subordinates(account: str, path: str) -> bool:
    """Whether this file (``/etc/subuid`` or ``/etc/subgid``) names the account."""
    return any(line.startswith(f"{account}:") for line in _lines(path))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def start(record: Record, image: str, process_limit: int) -> list[Done]:
    """Make the container and start it, unless it is there. WorkFailed when that does not work."""
    if not ENTER.exists() or ENTER.read_text(encoding="utf-8") != _ENTER_TEXT:
        ENTER.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(ENTER, _ENTER_TEXT, mode=0o755)
    done = []
    if processes.has_systemd():
        # Else its container would end with each log-in.
        done.append(run(["loginctl", "enable-linger", record.account]))
    if not _as(record, ["podman", "container", "exists", NAME]).ok:
        done.append(_as(record, _creating(image, process_limit), timeout=900))
        if not done[-1].ok:
            raise WorkFailed(f"The container could not be made:\n{done[-1]}")
    done.append(_as(record, ["podman", "start", NAME]))
    if not done[-1].ok:
        raise WorkFailed(f"The container could not be started:\n{done[-1]}")
    return done


def _creating(image: str, process_limit: int) -> list[str]:
    command = ["podman", "create", "--name", NAME, "--pids-limit", str(process_limit)]
    if has("catatonit") or Path("/usr/libexec/podman/catatonit").exists():
        command.append("--init")  # a first process that waits for dead ones
    if _has_nvidia():
        command += ["--device", "nvidia.com/gpu=all", "--security-opt", "label=disable"]
    if Path("/dev/kfd").exists():
        command += ["--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "keep-groups"]
    return [*command, image, "sleep", "infinity"]


def _as(record: Record, command: list[str], timeout: float = 120) -> Done:
    runtime = Path(f"/run/user/{record.uid}")
    extra = [f"XDG_RUNTIME_DIR={runtime}"] if runtime.is_dir() else []
    clean = [
        "env",
        "-i",
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        f"HOME={record.home}",
        f"USER={record.account}",
        *extra,
    ]
    # From "/", which they may read: the agent's own folder they may not.
    return run(
        ["runuser", "-u", record.account, "--", *clean, "sh", "-c", 'cd / && exec "$@"', "sh", *command],
        timeout=timeout,
    )


def _has_nvidia() -> bool:
    return Path("/dev/nvidiactl").exists()


def _described() -> bool:
    return any(any(Path(folder).glob("nvidia*")) for folder in ("/etc/cdi", "/var/run/cdi"))
