"""A server of a provider, for stories: a disposable machine with the real agent on it, and bookings of it."""

import json
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.disposable import Machine
from tests.e2e.conftest import Site
from tests.running import ROOT

PROGRAM = "/root/rsm-agent.pyz"

#: What a buyer leaves behind, run by the buyer over SSH. Every line is a kind of residue.
LEAVE = r"""
set -e
echo secret > ~/model.bin; mkdir -p ~/.config/systemd/user ~/deep/er; echo x > "$(printf 'odd\nname -rf')"
ln -s /etc/passwd ~/link; head -c 300000 /dev/urandom > ~/deep/er/data
printf '[Timer]\nOnCalendar=minutely\n' > ~/.config/systemd/user/back.timer
echo secret > /tmp/left; mkdir /var/tmp/left; echo secret > /var/tmp/left/more; echo secret > /dev/shm/left
ipcmk -M 65536 >/dev/null; ipcmk -Q >/dev/null; ipcmk -S 1 >/dev/null
if command -v crontab >/dev/null; then echo '* * * * * touch /tmp/cron-was-here' | crontab -; fi
if command -v at >/dev/null; then echo 'touch /tmp/at-was-here' | at now + 1 hour 2>/dev/null; fi
setsid nohup sh -c 'while :; do sleep 1; done' >/dev/null 2>&1 < /dev/null &
(trap '' TERM HUP INT; exec -a innocent sleep 100000) >/dev/null 2>&1 < /dev/null &
disown -a
echo left
"""


def world(site: Site, *words: object) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.agent_world", *map(str, words)],
        cwd=ROOT, env=site.serving.env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_ssh_key(folder: Path) -> Path:
    path = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f", str(path)], check=True)
    return path


class Line:
    """The network between an agent and the marketplace, which can be cut."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                self._open.add(one)
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


class Hosted:
    """A machine on offer with its agent running. Ends with ``close``."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.site, self.name, self.folder = site, name, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = make_ssh_key(folder)
        self.disposable = Machine(name).__enter__()
        self.line = Line(site.serving.port)
        try:
            made = world(site, "machine", name, self.disposable.sshd_port)
            self.listing, self.machine = made["listing"], made["machine"]
            self.install(made["code"])
            self.agent = self.start_agent()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self.disposable.close()
        self.line.close()

    def install(self, code: str) -> None:
        url = f"http://127.0.0.1:{self.line.port}"
        for command in (
            f"curl -fsS -o {PROGRAM} {url}/agent/rsm-agent.pyz",
            f"{self.disposable.python} {PROGRAM} enroll --server {url} --code {code}",
        ):
            done = self.disposable.run(*shlex.split(command))
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def start_agent(self) -> subprocess.Popen[bytes]:
        return self.disposable.start(self.disposable.python, PROGRAM, "run", log=self.folder / "agent.log")

    def kill_agent(self) -> None:
        self.disposable.kill(self.agent)

    # Bookings

    def book(self, *, start: int = 0, end: int = 2, buyer: str = "") -> dict[str, Any]:
        """Paid, and beginning ``start`` minutes after the present one did."""
        while start == 0 and time.time() % 60 > 35:
            time.sleep(1)  # begun in time: more than a minute late would move the end
        public = self.key.with_suffix(".pub")
        return world(self.site, "booking", self.listing, buyer or f"{self.name}-buyer", public, start, end)

    def row(self, booking: dict[str, Any]) -> dict[str, Any]:
        return self.site.booking(booking["booking"])

    def wait_for_access(self, booking: dict[str, Any], seconds: float = 60) -> None:
        self.site.wait(
            f"access to {self.name}",
            lambda: self.site.sql("SELECT 1 FROM booking_accesses WHERE booking_id = %s", booking["booking"]),
            seconds,
        )

    def ssh(self, booking: dict[str, Any], *command: str) -> subprocess.CompletedProcess[str]:
        return self.disposable.ssh(booking["account"], self.key, *command)

    def uid(self, booking: dict[str, Any]) -> int:
        for line in self.disposable.path("/etc/passwd").read_text().splitlines():
            if line.startswith(f"{booking['account']}:"):
                return int(line.split(":")[2])
        raise AssertionError(f"{booking['account']} is not on {self.name}")

    def has_account(self, booking: dict[str, Any]) -> bool:
        return f"{booking['account']}:" in self.disposable.path("/etc/passwd").read_text()

    def leave_things(self, booking: dict[str, Any]) -> None:
        done = self.ssh(booking, LEAVE)
        assert done.stdout.strip().endswith("left"), f"{done.stdout}\n{done.stderr}"

    def watch(self, what: str, true: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for something that is over in a moment."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.005)

    def until(self, moment: float) -> None:
        time.sleep(max(0, moment - time.time()))

    def wait_for_refusal(self, booking: dict[str, Any], seconds: float) -> float:
        """Until nobody gets in any more. Seconds after the booking's end."""
        self.site.wait("the log-in to be refused", lambda: self.ssh(booking, "true").returncode == 255, seconds)
        return time.time() - booking["end"]

    def wait_for_the_wipe(self, booking: dict[str, Any], seconds: float = 60) -> None:
        self.site.wait(f"the wipe of {self.name}", lambda: self.row(booking)["wiped_at"], seconds)

    def assert_nothing_is_left(self, booking: dict[str, Any], uid: int) -> None:
        """Looked at from outside, by none of the agent's code."""
        assert not self.has_account(booking)
        for file in ("/etc/shadow", "/etc/group", "/etc/subuid", "/etc/subgid"):
            assert booking["account"] not in self.disposable.path(file).read_text(), file
        assert self.disposable.owned_by(uid) == []
        assert self.disposable.processes_of(uid) == []
        assert self.disposable.ipc_of(uid) == []
        for folder in ("/var/spool/cron/crontabs", "/var/lib/systemd/linger", "/etc/ssh/sshd_config.d", "/var/mail"):
            path = self.disposable.path(folder)
            assert not path.exists() or not [one for one in path.iterdir() if booking["account"] in one.name], folder

    def agents_log(self) -> str:
        return (self.folder / "agent.log").read_text()
