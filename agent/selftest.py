"""Whether this machine can do what a booking needs: each check says what it found, what is required, why, and the remedy."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent import gpus, inventory
from agent.config import Config
from agent.errors import WireError
from agent.inventory import ROOT, read
from agent.shell import has, run
from agent.wire import Wire

PASS, WARN, FAIL = "pass", "warn", "fail"

#: A name like those of the accounts that buyers get; nobody has it.
PROBE = "rsm-selftest"

LEAST_FREE_GB = 10
MOST_SKEW_SECONDS = 60.0

_OPTIONAL = {
    "sysbench": "It measures the processors.",
    "fio": "It measures the disks.",
    "iperf3": "It measures the network.",
}


@dataclass(frozen=True)
class Check:
    """One finding, in the protocol's words; ``status`` is pass, warn or fail."""

    id: str
    title: str
    actual: str
    required: str
    status: str
    why: str
    remedy: str

    def as_dict(self) -> dict[str, str]:
        """For the message; the marketplace takes texts of at most 1000 letters."""
        return {name: text[:1000] for name, text in asdict(self).items()}


#: Where sshd may look for keys: the agent's own folder once its drop-in is there, or the buyer's home.
KEY_FILES = ("/etc/ssh/rsm-agent-keys/%u", ".ssh/authorized_keys", "%h/.ssh/authorized_keys")


def checks(config: Config, wire: Wire | None, *, thorough: bool = False) -> list[Check]:
    """All of them. ``wire`` is None where no marketplace is known; ``thorough`` makes an account and removes it."""
    found = [
        python(),
        root(),
        openssh(),
        accounts_tools(),
        *sshd(),
        disk(),
        proc(),
        gpu(),
        container(config),
        systemd(),
    ]
    if wire is not None:
        found.extend([reachable(config, wire), clock(wire)])
    found.extend(optional(tool, why) for tool, why in _OPTIONAL.items())
    found.append(torch())
    if thorough:
        found.append(account())
    return found


def failed(found: list[Check]) -> bool:
    """Whether one of them stands in the way of an offer."""
    return any(check.status == FAIL for check in found)


def _judged(good: bool, otherwise: str = FAIL) -> str:
    return PASS if good else otherwise


def python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = sys.version_info >= (3, 9)
    remedy = "Install Python 3.9 or newer."
    return Check("python", "Python", version, "3.9 or newer", _judged(good), "The agent is written in it.", remedy)


def root() -> Check:
    who = os.geteuid()
    why = "Accounts are made and removed, and processes of others ended."
    return Check("root", "Runs as root", f"user {who}", "user 0", _judged(who == 0), why, "Run it with sudo.")


def openssh() -> Check:
    said = run(["ssh", "-V"], timeout=10)
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", said.errors + said.output)
    good = has("ssh-keygen") and version is not None and (int(version.group(1)), int(version.group(2))) >= (8, 1)
    actual = version.group(0).replace("_", " ") if version else "not there"
    why = "Its ssh-keygen makes the agent's key and its signatures."
    remedy = "apt-get install openssh-client"
    return Check("ssh.keygen", "OpenSSH can sign", actual, "OpenSSH 8.1 or newer", _judged(good), why, remedy)


def accounts_tools() -> Check:
    missing = [tool for tool in ("useradd", "userdel", "usermod", "chage") if not has(tool)]
    actual = f"missing: {', '.join(missing)}" if missing else "all there"
    required = "useradd, userdel, usermod, chage"
    why = "Each booking has an account of its own."
    return Check(
        "accounts.tools", "Accounts can be made", actual, required, _judged(not missing), why, "apt-get install passwd"
    )


def sshd() -> Iterator[Check]:
    """What a buyer's log-in needs of sshd."""
    port = inventory.ssh_port()
    yield _port(port)
    keys = [key["type"] for key in inventory.host_keys()]
    why = "A buyer compares its fingerprint at the first log-in."
    yield Check(
        "ssh.host_key",
        "sshd has a host key",
        ", ".join(keys) or "none",
        "at least one",
        _judged(bool(keys)),
        why,
        "ssh-keygen -A",
    )
    yield from settings_checks(inventory.sshd_settings(PROBE))


def _port(port: int) -> Check:
    good = False
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            banner = connection.recv(64).decode("ascii", "replace").strip()
        good = banner.startswith("SSH-2.0")
        actual = f"{port}: {banner or 'silent'}"
    except OSError as error:
        actual = f"{port}: {error.strerror or error}"
    why, remedy = "Buyers come in over it.", "apt-get install openssh-server; systemctl enable --now ssh"
    return Check("ssh.port", "sshd answers on its port", actual, f"{port}: SSH-2.0", _judged(good), why, remedy)


def settings_checks(text: str) -> Iterator[Check]:
    """From what ``sshd -T`` prints for an account as buyers get it."""
    settings = _settings(text)
    if not settings:
        why, remedy = "Buyers must be let in with their keys.", "Run sshd -t as root and mend what it finds."
        yield Check("ssh.settings", "sshd tells its settings", "it does not", "sshd -T works", WARN, why, remedy)
        return
    keys = settings.get("pubkeyauthentication", ["no"])[0]
    why, remedy = (
        "Buyers log in with their keys, never with passwords.",
        "PubkeyAuthentication yes in /etc/ssh/sshd_config",
    )
    yield Check("ssh.keys", "sshd takes keys", keys, "yes", _judged(keys == "yes"), why, remedy)

    places = " ".join(settings.get("authorizedkeysfile", []))
    good = any(place in KEY_FILES for place in places.split())
    why, remedy = "The agent writes the buyers' keys to one of them.", "AuthorizedKeysFile .ssh/authorized_keys"
    yield Check(
        "ssh.keys_file",
        "sshd reads the buyers' keys",
        places,
        f"one of {', '.join(KEY_FILES)}",
        _judged(good),
        why,
        remedy,
    )

    locked = locked_out(settings)
    why = "Else sshd turns every buyer away."
    remedy = "Add rsm-* to AllowUsers and AllowGroups, and take what fits it from DenyUsers and DenyGroups."
    yield Check("ssh.allowed", "sshd lets rsm-* in", locked or "it does", "it does", _judged(not locked), why, remedy)

    pam = settings.get("usepam", ["no"])[0]
    why = "It ends a session's processes with the session, and sets its limits."
    yield Check(
        "ssh.pam", "sshd uses PAM", pam, "yes", _judged(pam == "yes", WARN), why, "UsePAM yes in /etc/ssh/sshd_config"
    )


def locked_out(settings: dict[str, list[str]], name: str = PROBE) -> str:
    """The setting that keeps an account of this name out, with a group of the same name, or ""."""
    for setting in ("allowusers", "allowgroups"):
        patterns = _words(settings, setting)
        if patterns and not _fits(name, patterns):
            return f"{setting} {' '.join(patterns)}"
    for setting in ("denyusers", "denygroups"):
        patterns = _words(settings, setting)
        if _fits(name, patterns):
            return f"{setting} {' '.join(patterns)}"
    return ""


def _settings(text: str) -> dict[str, list[str]]:
    """Each setting's values: some stand on several lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name:
            found.setdefault(name.lower(), []).append(value)
    return found


def _words(settings: dict[str, list[str]], name: str) -> list[str]:
    return " ".join(settings.get(name, [])).split()


def _fits(name: str, patterns: list[str]) -> bool:
    """As sshd compares: ``*`` and ``?``, and what stands after an @ is where one comes from."""
    own = [pattern.partition("@")[0] for pattern in patterns]
    if any(pattern[0] == "!" and fnmatch.fnmatchcase(name, pattern[1:]) for pattern in own if pattern):
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in own)


def disk() -> Check:
    free = shutil.disk_usage("/home" if Path("/home").is_dir() else "/").free // 10**9
    why, required = "Buyers' files go there.", f"{LEAST_FREE_GB} GB"
    remedy = "Make room on the file system of /home."
    return Check("disk.free", "Free disk space", f"{free} GB", required, _judged(free >= LEAST_FREE_GB), why, remedy)


def proc() -> Check:
    good = bool(read(ROOT / "proc/1/status")) and bool(read(ROOT / "proc/meminfo"))
    actual = "readable" if good else "not readable"
    why = "The agent finds a buyer's processes there, to end them."
    remedy = "mount -t proc proc /proc; no hidepid for root"
    return Check("proc", "/proc can be read", actual, "readable", _judged(good), why, remedy)


def gpu(root: Path = ROOT) -> Check:
    """A GPU on the bus that no tool knows is one without its driver."""
    on_bus = pci_gpus(root)
    known, tool = gpus.facts()
    actual = f"{len(known)} by {tool}" if known else f"none known, {sum(on_bus.values())} on the bus"
    status = PASS if known else FAIL if on_bus else WARN
    remedy = {"NVIDIA": "Install the NVIDIA driver with nvidia-smi.", "AMD": "Install ROCm with rocm-smi."}
    cure = " ".join(remedy[maker] for maker in sorted(on_bus)) or "Nothing, if this server has no GPU."
    why = "It is what most buyers come for."
    return Check("gpu", "GPUs and their tool", actual, "nvidia-smi or rocm-smi", status, why, "" if known else cure)


def pci_gpus(root: Path = ROOT) -> dict[str, int]:
    """How many GPUs of each maker the PCI bus has."""
    found: dict[str, int] = {}
    makers = {"0x10de": "NVIDIA", "0x1002": "AMD"}
    for folder in (root / "sys/bus/pci/devices").glob("*"):
        maker = makers.get(read(folder / "vendor"))
        # 03: displays; 12: accelerators, as which AMD's without an outlet announce themselves.
        if maker and read(folder / "class").startswith(("0x03", "0x12")):
            found[maker] = found.get(maker, 0) + 1
    return found


def container(config: Config) -> Check:
    known = inventory.containers()
    needed = config.access_kind == "container"
    actual = f"{known['runtime']} {known['version']}".strip() or "none"
    required = "podman" if needed else "none: buyers get accounts"
    why = (
        "Buyers' sessions run in containers."
        if needed
        else "It is only needed where buyers' sessions run in containers."
    )
    status = _judged(known["runtime"] == "podman" or not needed)
    return Check(
        "containers", "Container runtime", actual, required, status, why, "apt-get install podman" if needed else ""
    )


def systemd() -> Check:
    good = Path("/run/systemd/system").is_dir()
    why, remedy = "It starts the agent with the machine.", "Have the agent started as root in another way."
    return Check("systemd", "systemd", "runs" if good else "does not run", "runs", _judged(good, WARN), why, remedy)


def reachable(config: Config, wire: Wire) -> Check:
    secure = config.server.startswith("https://")
    try:
        wire.get_bytes("/agent/rsm-agent.pyz.sha256", timeout=15)
        actual, status = f"{config.server} answers", _judged(secure, WARN)
    except WireError as error:
        actual, status = str(error), FAIL
    why = "All that the agent is told, it asks for there."
    remedy = (
        "" if status == PASS else "Allow outgoing connections to it; use https:// unless you are only trying it out."
    )
    return Check("server", "The marketplace is reached over TLS", actual, "it answers, over https", status, why, remedy)


def clock(wire: Wire) -> Check:
    skew = wire.skew()
    why, remedy = "Bookings begin and end by the minute.", "apt-get install systemd-timesyncd; timedatectl set-ntp true"
    required = f"less than {MOST_SKEW_SECONDS:.0f} s from the marketplace's"
    if skew is None:
        return Check("clock", "The clock is right", "not known", required, WARN, why, remedy)
    good = abs(skew) < MOST_SKEW_SECONDS
    return Check("clock", "The clock is right", f"{skew:+.0f} s", required, _judged(good), why, remedy)


def optional(tool: str, why: str) -> Check:
    there = has(tool)
    actual = "there" if there else "not there"
    return Check(
        f"tool.{tool}", f"{tool} for benchmarks", actual, "there", _judged(there, WARN), why, f"apt-get install {tool}"
    )


def torch() -> Check:
    """Without importing it, which takes seconds; by the python3 that the benchmark uses."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    there = run([sys.executable or "python3", "-c", code], timeout=20).ok
    actual = "there" if there else "not there"
    why = "It measures the GPUs."
    remedy = "apt-get install python3-torch, or pip install torch, for root's python3"
    return Check("tool.torch", "PyTorch for benchmarks", actual, "there", _judged(there, WARN), why, remedy)


def account() -> Check:
    """Makes an account and removes it again."""
    made = run(["useradd", "--create-home", "--shell", "/bin/sh", PROBE])
    removed = run(["userdel", "--remove", PROBE]) if made.ok else made
    wrong = made if not made.ok else removed
    actual = "made and removed" if wrong.ok else (wrong.errors.strip() or str(wrong))
    why, remedy = (
        "Each booking has an account of its own.",
        "See what useradd and userdel say; is /etc or /home read-only?",
    )
    return Check(
        "accounts.real", "An account was made and removed", actual, "made and removed", _judged(wrong.ok), why, remedy
    )


def table(found: list[Check]) -> str:
    """For a person: what is not in order with why and remedy below it."""
    width = max(len(check.title) for check in found)
    lines = []
    for check in found:
        lines.append(f"  {check.status:<5}{check.title:<{width}}  {check.actual}")
        if check.status != PASS:
            lines.append(f"       required: {check.required}. {check.why}")
            if check.remedy:
                lines.append(f"       remedy:   {check.remedy}")
    return "\n".join(lines)


def message(found: list[Check]) -> dict[str, Any]:
    """The protocol's message about them."""
    return {"kind": "self_test", "checks": [check.as_dict() for check in found]}
