"""What the tests of the agent's work share: a disposable machine with the agent in it, and orders for it."""

import json
import secrets
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.disposable import CHECKOUT, Machine, disposable

__all__ = ["disposable"]

DRIVER = "/opt/rsm/work_driver.py"


@pytest.fixture(scope="module")
def machine(disposable: Machine) -> Machine:
    disposable.copy_in(CHECKOUT / "agent", "/opt/rsm/agent")
    disposable.copy_in(Path(__file__).with_name("work_driver.py"), DRIVER)
    return disposable


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("buyer") / "key")


@pytest.fixture
def booking(machine: Machine):
    """A booking's short id; whatever it left on the machine is taken off afterwards."""
    reference = secrets.token_hex(4)
    yield reference
    forget(machine, reference)


def make_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a buyer", "-f", path], check=True)
    return path


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def provision_payload(reference: str, key: Path, **others) -> dict:
    end = others.pop("end", datetime.now(UTC) + timedelta(hours=2))
    midnight = (end + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "booking": reference,
        "account": f"rsm-{reference}",
        "access": "agent",
        "keys": [Path(f"{key}.pub").read_text().strip()],
        "expires_at": stamp(end),
        "locks_at": stamp(midnight),
        "limits": {"processes": 512, "open_files": 4096},
        **others,
    }


def wipe_payload(reference: str) -> dict:
    return {
        "booking": reference,
        "booking_id": "11111111-2222-3333-4444-555555555555",
        "account": f"rsm-{reference}",
        "access": "agent",
        "machine": "the-machine",
        "scratch": ["/scratch"],
    }


def drive(machine: Machine, kind: str, payload: dict, **env: str) -> subprocess.CompletedProcess[str]:
    order = json.dumps({"payload": payload})
    return machine.run(
        machine.python, DRIVER, kind, order, env={"RSM_PORT": str(machine.sshd_port), **env}, timeout=120
    )


def work(machine: Machine, kind: str, payload: dict, **env: str) -> dict:
    """Do the work; what the agent would report."""
    done = drive(machine, kind, payload, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def record(machine: Machine, reference: str) -> dict:
    return json.loads(machine.path(f"/var/lib/rsm-agent/accounts/rsm-{reference}.json").read_text())


def names_left(machine: Machine, reference: str) -> list[str]:
    """Where the account's name is still found in the system's lists and folders."""
    found = []
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid"):
        path = machine.path(f"/etc/{name}")
        if path.exists() and reference in path.read_text():
            found.append(name)
    for folder in ("/home", "/scratch", "/etc/security/limits.d", "/etc/ssh/rsm-agent-keys", "/var/mail", "/etc/sudoers.d",
                   "/var/spool/cron/crontabs", "/var/lib/systemd/linger", "/etc/systemd/system"):  # fmt: skip
        if machine.path(folder).is_dir():
            found += [f"{folder}/{one.name}" for one in machine.path(folder).iterdir() if reference in one.name]
    return found


def assert_nothing_left(machine: Machine, reference: str, uid: int) -> None:
    assert machine.processes_of(uid) == []
    assert machine.ipc_of(uid) == []
    assert machine.owned_by(uid) == []
    assert names_left(machine, reference) == []


def record_exists(machine: Machine, reference: str) -> bool:
    return machine.path(f"/var/lib/rsm-agent/accounts/rsm-{reference}.json").exists()


def forget(machine: Machine, reference: str) -> None:
    """Take the account off by the system's own tools, as if it had never been made."""
    account = f"rsm-{reference}"
    folders = " ".join(
        f"{folder}/{account}{end}"
        for folder, end in (("/home", ""), ("/scratch", ""), ("/etc/security/limits.d", ".conf"),
                            ("/etc/ssh/rsm-agent-keys", ""), ("/var/lib/rsm-agent/accounts", ".json"))
    )  # fmt: skip
    there = f"id {account} >/dev/null 2>&1"
    machine.run(
        "sh",
        "-c",
        f"{there} && {{ pkill -KILL -u {account}; userdel -f {account}; }}; rm -rf {folders} /var/lib/rsm-agent/journal",
    )
