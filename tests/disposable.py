"""The disposable machine: a copy of this one that really has users, an SSH server, cron, and nothing to lose.

It is an overlay of ``/`` whose changes lie in a tmpfs, made the root of its own mount, process, IPC and host
name spaces. What runs in it is root there and may make users, set file attributes or fill ``/dev/shm``; when it ends,
all its processes die with its first one, and all its mounts and files with them. Only the network is this machine's own:
its SSH server listens on a port of the loopback address.

It needs root, ``unshare``, ``nsenter``, overlay mounts and OpenSSH's server. :func:`obstacle` says in a sentence what is
missing.
"""

from __future__ import annotations

import functools
import itertools
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
#: Under ``/usr/lib`` and ``/usr/share``, however large.
NEEDED = (
    "*-linux-*",
    "python3.*",
    "systemd",
    "openssh",
    "security",
    "zoneinfo",
    "terminfo",
    "perl",
    "perl-base",
    "bin",
    "sbin",
    "lib",
)
TOOLS = ("unshare", "nsenter", "mount", "pivot_root", "sshd", "ssh", "ssh-keygen", "useradd", "runuser", "bash")

#: Run by root as the first process of the new name spaces. ``$1``: the folder for its mounts, ``$2``: its host name,
#: ``$3``: Python's folder if it is in one of those that are to be empty, else "", ``$4``: Python, the others: folders that are to be empty inside.
SET_UP = r"""
set -euo pipefail
base=$1 name=$2 prefix=$3 python=$4; shift 4
mount -t tmpfs -o size=16g,mode=755 disposable "$base"
mkdir "$base/upper" "$base/work" "$base/root" "$base/python"
if [ -n "$prefix" ]; then
    mount --bind "$prefix" "$base/python"
    mount -o remount,bind,ro "$base/python"
fi
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" disposable "$base/root"
root=$base/root
for hidden in "$@"; do
    mkdir -p "$root$hidden"
    mount -t tmpfs -o size=64m,mode=755 hidden "$root$hidden"
done
if [ -n "$prefix" ]; then
    mkdir -p "$root$prefix"
    mount --move "$base/python" "$root$prefix"
    for packages in "$root$prefix"/lib/python3*/site-packages; do
        mount -t tmpfs -o size=1m,mode=755 hidden "$packages"
    done
fi
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o size=1m,mode=755 dev "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$root/dev/pts"
mount -t tmpfs -o size=64m,mode=1777 shm "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
for link in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    ln -s "/proc/self/${link#*:}" "$root/dev/${link%%:*}"
done
mount -t tmpfs -o size=64m,mode=755 run "$root/run"
mkdir -m 755 "$root/run/sshd" "$root/run/user"; mkdir -m 1777 "$root/run/lock"
mount -t tmpfs -o size=256m,mode=1777 tmp "$root/tmp"
mkdir -p "$root/scratch"
mount -t tmpfs -o size=64m,mode=755 scratch "$root/scratch"
rm -rf "$root/var/lib/rsm-agent"
hostname "$name"
echo "$name" >"$root/etc/hostname"
# Not chroot: in one, nobody can make name spaces of their own, as buyers may.
cd "$root"
pivot_root . .
umount -l .
exec "$python" -S -c '
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.chdir("/")
print("ready", flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        # Woken by the next child: a process whose parent has died becomes ours.
        signal.sigtimedwait([signal.SIGCHLD], 0.05)
'
"""

SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
Port {port}
ListenAddress 127.0.0.1
UsePAM yes
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
PidFile /run/sshd.pid
MaxStartups 100
Subsystem sftp internal-sftp
"""


def obstacle() -> str:
    """Why there can be no disposable machine here, as a sentence; "" when there can be one."""
    if os.geteuid() != 0:
        return "The disposable machine needs root."
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        return f"The disposable machine needs {', '.join(missing)}, which is not installed."
    with tempfile.TemporaryDirectory() as folder:
        attempt = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--kill-child", "bash", "-c",
             'mount -t tmpfs t "$0" && cd "$0" && mkdir u w r && mount -t overlay -o lowerdir=/,upperdir=u,workdir=w o r',
             folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if attempt.returncode:
        return f"The disposable machine needs name spaces and overlay mounts, which failed: {attempt.stderr.strip()}"
    return ""


class Machine:
    """One disposable machine, running from ``with`` to the end of its block."""

    def __init__(self, name: str = "disposable") -> None:
        self.name = name
        self.python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        self.sshd_port = _free_port()
        self._started: list[subprocess.Popen[bytes]] = []
        self._unshare: subprocess.Popen[bytes] | None = None
        self._pid = 0

    # Its life

    def __enter__(self) -> Machine:
        self._base = tempfile.mkdtemp(prefix="disposable-")
        hidden = ["/root", str(CHECKOUT), *_ballast()]
        inside = any(Path(sys.base_prefix).is_relative_to(folder) for folder in hidden)
        prefix = sys.base_prefix if inside else ""
        words = ["bash", "-c", SET_UP, "bash", self._base, self.name, prefix, self.python, *hidden]
        try:
            self._unshare = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--kill-child", *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT,
            )  # fmt: skip
            self._await_ready()
            self._set_up_ssh()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it. Nothing of it is left on this machine when this returns."""
        if self._unshare is not None:
            inside = self._all_processes()
            if self._pid:
                _kill(self._pid)
            self._unshare.kill()
            self._unshare.wait()
            if self._unshare.stdout:
                self._unshare.stdout.close()
            for process in self._started:
                process.kill()
                process.wait()
            _wait_until(lambda: not any(_alive(pid) for pid in inside), "processes of the disposable machine live on")
            self._unshare = None
        shutil.rmtree(self._base, ignore_errors=True)

    def _await_ready(self) -> None:
        assert self._unshare is not None
        assert self._unshare.stdout is not None
        output, deadline = b"", time.monotonic() + 30
        while b"ready\n" not in output:
            readable, _, _ = select.select([self._unshare.stdout], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(self._unshare.stdout.fileno(), 65536) if readable else b""
            if not chunk:
                raise RuntimeError(f"The disposable machine did not start: {output.decode(errors='replace')}")
            output += chunk
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()
        self._pid = int(children[0])

    def _set_up_ssh(self) -> None:
        self.path("/etc/ssh/sshd_config").write_text(SSHD_CONFIG.format(port=self.sshd_port))
        for key in self.path("/etc/ssh").glob("ssh_host_*"):
            key.unlink()
        for kind in ("ed25519", "ecdsa"):
            target = f"/etc/ssh/ssh_host_{kind}_key"
            self.run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", self.name, "-f", target).check_returncode()
        self.start_sshd()

    # Running things in it

    def _entering(self, command: tuple[str, ...], user: str | None) -> list[str]:
        enter = ["nsenter", "-t", str(self._pid), "--mount", "--pid", "--ipc", "--uts", "--root", "--wd"]
        return [*enter, *(["runuser", "-u", user, "--"] if user else []), *command]

    def run(
        self,
        *command: str,
        user: str | None = None,
        input: str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it and wait. It never raises for what the command does."""
        return subprocess.run(
            self._entering(command, user), input=input, capture_output=True, text=True, errors="replace",
            env={**ENVIRONMENT, **(env or {})}, timeout=timeout, check=False,
        )  # fmt: skip

    def start(
        self, *command: str, env: Mapping[str, str] | None = None, log: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start something that goes on, such as the agent; what it prints goes to ``log``. It dies with the machine."""
        output = log.open("ab") if log else None
        try:
            process = subprocess.Popen(
                self._entering(command, None), stdin=subprocess.DEVNULL, stdout=output or subprocess.DEVNULL,
                stderr=subprocess.STDOUT, env={**ENVIRONMENT, **(env or {})},
            )  # fmt: skip
        finally:
            if output:
                output.close()
        self._started.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL for what :meth:`start` began (not only for the ``nsenter`` in front of it), as a power cut does it."""
        deadline = time.monotonic() + 10
        while process.poll() is None:  # one that has just been started may not have got that far yet
            for child in _children(process.pid):
                _kill(child)
            if time.monotonic() > deadline:
                raise RuntimeError("After 10 s what was started in the disposable machine lives on.")
            time.sleep(0.02)

    def copy_in(self, source: Path, target: str) -> str:
        """Copy a file or folder into it."""
        place = self.path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, place)
        return target

    # Its SSH server

    def start_sshd(self) -> None:
        self.run("/usr/sbin/sshd").check_returncode()
        _wait_until(self._answers, "the disposable machine's sshd does not answer")

    def stop_sshd(self) -> None:
        """Stop it and every connection it serves."""
        for pid in self._all_processes():
            if _name_of(pid).startswith("sshd"):
                _kill(pid)
        _wait_until(lambda: not self._answers(), "the disposable machine's sshd goes on")

    def reload_sshd(self) -> None:
        """Have it read its configuration again."""
        self.run("pkill", "-HUP", "-o", "-x", "sshd").check_returncode()
        time.sleep(0.1)
        _wait_until(self._answers, "the disposable machine's sshd does not answer")

    def host_fingerprint(self, kind: str = "ed25519") -> str:
        """``SHA256:...`` of its host key, computed out here."""
        public = self.path(f"/etc/ssh/ssh_host_{kind}_key.pub").read_text()
        done = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=public, capture_output=True, text=True, check=True)
        return done.stdout.split()[1]

    def ssh(self, account: str, key: Path, *command: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Log in from out here, as a buyer does."""
        return subprocess.run([*self.ssh_command(account, key), *command], capture_output=True, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=timeout, check=False)  # fmt: skip

    def ssh_command(self, account: str, key: Path) -> list[str]:
        """The words in front of a command to run over SSH, from out here."""
        return [
            "ssh", "-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=5", "-p", str(self.sshd_port), f"{account}@127.0.0.1",
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.sshd_port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    # Looking at it from outside, with none of the agent's own code

    def path(self, inside: str) -> Path:
        """Where a path of the machine is seen from out here. An absolute symbolic link on the way leads out of it."""
        return Path(f"/proc/{self._pid}/root") / inside.lstrip("/")

    def owned_by(self, *ids: int) -> list[str]:
        """Every file and folder, on all its file systems, whose user or group is one of these."""
        top = f"/proc/{self._pid}/root"
        wanted, found, waiting = set(ids), [], [top]
        while waiting:
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError as error:
                if error.errno == 36:  # ENAMETOOLONG: a tree this deep is some test's own
                    found.append(f"{error.filename[:200]}... (too deep)")
                continue
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if status.st_uid in wanted or status.st_gid in wanted:
                    found.append(entry.path[len(top) :])
                if stat.S_ISDIR(status.st_mode) and entry.path[len(top) :] not in ("/proc", "/sys"):
                    waiting.append(entry.path)
        return sorted(found)

    def processes_of(self, uid: int) -> list[str]:
        """Its processes that run as this user: number and command. Dead ones that nobody has waited for do not count."""
        found = []
        for pid in self._all_processes():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            facts = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            if str(uid) in facts["Uid"].split() and not facts["State"].startswith(("Z", "X")):
                found.append(f"{pid} {facts['Name']}")
        return found

    def ipc_of(self, uid: int) -> list[str]:
        """Its shared memory, semaphores and message queues (System V and POSIX) that belong to this user."""
        found = []
        for kind in ("shm", "sem", "msg"):
            looked = subprocess.run(
                ["nsenter", "-t", str(self._pid), "--ipc", "cat", f"/proc/sysvipc/{kind}"],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            names, *rows = [line.split() for line in looked.stdout.splitlines()]
            found += [
                f"{kind} {row[1]}" for row in rows if str(uid) in (row[names.index("uid")], row[names.index("cuid")])
            ]
        for folder in ("/dev/shm", "/dev/mqueue"):
            found += [f"{folder}/{one.name}" for one in self.path(folder).iterdir() if one.lstat().st_uid == uid]
        return found

    def _all_processes(self) -> list[int]:
        if not self._pid:
            return []
        try:
            own = os.readlink(f"/proc/{self._pid}/ns/pid")
        except OSError:
            return []
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/ns/pid") == own:
                    found.append(int(name))
            except OSError:
                continue
        return found


@pytest.fixture(scope="module")
def disposable() -> Iterator[Machine]:
    """A disposable machine for one file of tests."""
    reason = obstacle()
    if reason:
        # In CI the tests' own hooks turn a skipped test into a failed one; said here too, for a run without them.
        if os.environ.get("CI"):
            pytest.fail(f"In CI nothing may be skipped. {reason}")
        pytest.skip(reason)
    with Machine() as machine:
        yield machine


@functools.cache
def _ballast(most: int = 2000) -> list[str]:
    """Folders with thousands of files that no test needs: a look at every file of the machine shall not take long."""
    found = ["/usr/include", "/opt"]
    for parent in ("/usr/lib", "/usr/share", "/usr/local"):
        for folder in Path(parent).iterdir():
            if folder.is_symlink() or not folder.is_dir() or any(fnmatch(folder.name, name) for name in NEEDED):
                continue
            if sum(1 for _ in itertools.islice(folder.rglob("*"), most)) == most:
                found.append(str(folder))
    return [folder for folder in found if os.path.isdir(folder) and not sys.base_prefix.startswith(folder)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until(done, complaint: str, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"After {seconds:.0f} s {complaint}.")
        time.sleep(0.02)
