"""What this machine is made of, as the protocol's inventory.

Serial numbers and network addresses are sent as SHA-256 only: enough to see that a disk was exchanged, no more.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent import gpus
from agent.shell import has, run

ROOT = Path("/")

_NO_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "nbd", "fd")
_LOCAL_TYPES = frozenset(["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs", "reiserfs"])
_NO_CARDS = re.compile(
    r"(lo$|docker|veth|br-|br\d|virbr|vnet|tap|tun|wg|ifb|dummy|cni|podman|flannel|cali|cilium|kube|sit|tailscale)"
)


def collect(root: Path = ROOT) -> dict[str, Any]:
    """The inventory. What cannot be found out is "", 0, null or an empty list; it never raises for it."""
    cards, tool = gpus.facts()
    memory, swap = memory_mb(root)
    return {
        "version": 1,
        "hostname": socket.gethostname(),
        "os": operating_system(root),
        "cpu": cpu(root),
        "memory_mb": memory,
        "swap_mb": swap,
        "gpus": cards,
        "gpu_tool": tool,
        "disks": disks(root),
        "filesystems": filesystems(root),
        "network": network(root),
        "host_keys": host_keys(root),
        "ssh_port": ssh_port(),
        "containers": containers(),
        "virtualization": virtualization(root),
    }


def operating_system(root: Path = ROOT) -> dict[str, str]:
    """Its name, the kernel's version and the architecture."""
    text = read(root / "etc/os-release") or read(root / "usr/lib/os-release")
    named = re.search(r'^PRETTY_NAME="?(.*?)"?$', text, re.MULTILINE)
    return {
        "name": named.group(1) if named else "Linux",
        "kernel": read(root / "proc/sys/kernel/osrelease"),
        "architecture": platform.machine(),
    }


def cpu(root: Path = ROOT) -> dict[str, Any]:
    """Model, sockets, physical cores (CPUs where those are not known) and threads."""
    text = read(root / "proc/cpuinfo")
    threads = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    places = _places(root) or _places_of(text)
    return {
        "model": _cpu_model(text),
        "sockets": len({package for package, _ in places}) or 1,
        "cores": len(places) or threads,
        "threads": threads,
    }


def _places(root: Path) -> set[tuple[str, str]]:
    """Package and core of each CPU, by /sys: that is there on every architecture."""
    found = set()
    for folder in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/topology"):
        place = read(folder / "physical_package_id"), read(folder / "core_id")
        if place[0] and place[1]:
            # -1 is a board that does not tell its packages: it is taken for one.
            found.add(("0" if place[0] == "-1" else place[0], place[1]))
    return found


def _places_of(text: str) -> set[tuple[str, str]]:
    """Package and core of each CPU, by /proc/cpuinfo."""
    packages = re.findall(r"^physical id\s*:\s*(\d+)$", text, re.MULTILINE)
    cores = re.findall(r"^core id\s*:\s*(\d+)$", text, re.MULTILINE)
    return set(zip(packages, cores))


def _cpu_model(text: str) -> str:
    for key in ("model name", "Model", "cpu model", "cpu", "Hardware"):
        found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return found.group(1).strip()
    # ARM servers have only numbers there; lscpu knows their names.
    found = re.search(r"^Model name:\s*(.+)$", run(["lscpu"], timeout=10).output, re.MULTILINE)
    return found.group(1).strip() if found else ""


def memory_mb(root: Path = ROOT) -> tuple[int, int]:
    """Memory and swap in MiB."""
    values = meminfo(root)
    return values.get("MemTotal", 0) // 1024, values.get("SwapTotal", 0) // 1024


def meminfo(root: Path = ROOT) -> dict[str, int]:
    """/proc/meminfo in KiB."""
    return {name: int(kib) for name, kib in re.findall(r"^(\w+):\s*(\d+)", read(root / "proc/meminfo"), re.MULTILINE)}


def disks(root: Path = ROOT) -> list[dict[str, Any]]:
    """The disks that are no layer over others, sizes in GB of 10^9 bytes."""
    found = []
    for folder in _listed(root / "sys/block"):
        sectors = read(folder / "size")
        hidden = read(folder / "hidden") == "1"
        if folder.name.startswith(_NO_DISKS) or hidden or not sectors.isdigit() or sectors == "0":
            continue
        found.append(
            {
                "name": folder.name,
                "model": read(folder / "device/model"),
                "serial_sha256": hashed(_serial(folder)),
                # /sys counts in sectors of 512 bytes, whatever the disk's own are.
                "size_gb": int(sectors) * 512 // 10**9,
                "kind": _disk_kind(folder),
            }
        )
    return found


def _serial(folder: Path) -> str:
    names = ("device/serial", "serial", "device/vpd_pg80", "device/wwid", "wwid")
    return next((text for text in (read(folder / name) for name in names) if text), "")


def _disk_kind(folder: Path) -> str:
    if folder.name.startswith("nvme"):
        return "NVMe"
    return "HDD" if read(folder / "queue/rotational") == "1" else "SSD"


def filesystems(root: Path = ROOT) -> list[dict[str, Any]]:
    """The local file systems, each once, sizes in GB of 10^9 bytes."""
    found = []
    for mount, kind, status in local_filesystems(root):
        found.append(
            {
                "mount": mount,
                "type": kind,
                "size_gb": status.f_blocks * status.f_frsize // 10**9,
                "free_gb": status.f_bavail * status.f_frsize // 10**9,
            }
        )
    return found


def local_filesystems(root: Path = ROOT) -> Iterator[tuple[str, str, os.statvfs_result]]:
    """Mount point, type and what statvfs says; a device that is mounted in many places only where it is first."""
    seen = set()
    for line in read(root / "proc/mounts").splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        device, mount, kind = words[0], _unescaped(words[1]), words[2]
        local = kind in _LOCAL_TYPES or (kind == "overlay" and mount == "/")
        if not local or device in seen:
            continue
        try:
            status = os.statvfs(root / mount.lstrip("/"))
        except OSError:
            continue
        seen.add(device)
        yield mount, kind, status


def _unescaped(mount: str) -> str:
    """/proc/mounts writes a blank as ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), mount)


def network(root: Path = ROOT) -> list[dict[str, Any]]:
    """The network cards and bonds of them; speed in Mbit/s, null where the card does not tell."""
    return [
        {"name": folder.name, "speed_mbps": _speed(folder), "mac_sha256": hashed(read(folder / "address").lower())}
        for folder in _listed(root / "sys/class/net")
        if real_card(folder.name) and (folder / "address").exists()
    ]


def real_card(name: str) -> bool:
    """Whether an interface of this name leads out of the machine."""
    return not _NO_CARDS.match(name)


def _speed(folder: Path) -> int | None:
    text = read(folder / "speed")
    return int(text) if text.isdigit() and int(text) > 0 else None


def host_keys(root: Path = ROOT) -> list[dict[str, str]]:
    """Type and fingerprint of sshd's keys: what a buyer compares at the first log-in."""
    found = []
    for path in sorted((root / "etc/ssh").glob("ssh_host_*_key.pub")):
        done = run(["ssh-keygen", "-lf", str(path)], timeout=10)
        words, kind = done.output.split(), read(path).split(" ")[0]
        if done.ok and len(words) > 1:
            found.append({"type": kind, "fingerprint": words[1]})
    return found


def ssh_port() -> int:
    """The port on which this machine's sshd listens, 22 where it does not tell."""
    found = re.search(r"^port (\d+)$", sshd_settings(), re.MULTILINE)
    return int(found.group(1)) if found else 22


def sshd_settings(user: str = "") -> str:
    """What ``sshd -T`` prints, for this user where one is named: its settings with all that is included in them."""
    # It insists on being called by its full path.
    places = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd")
    path = next((place for place in places if os.access(place, os.X_OK)), "")
    if not path:
        return ""
    match = ["-C", f"user={user},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22"] if user else []
    done = run([path, "-T", *match], timeout=10)
    missing = re.search(r"Missing privilege separation directory: (/run/\S+)", done.errors)
    if missing and os.geteuid() == 0:
        # Where systemd starts sshd only when somebody calls, its folder is not there before.
        os.makedirs(missing.group(1), mode=0o755, exist_ok=True)
        done = run([path, "-T", *match], timeout=10)
    return done.output if done.ok else ""


def containers() -> dict[str, str]:
    """The container runtime that is there, and its version."""
    for tool in ("podman", "docker"):
        done = run([tool, "--version"], timeout=10) if has(tool) else None
        if done is not None and done.ok:
            version = re.search(r"\d+(\.\d+)+", done.output)
            return {"runtime": tool, "version": version.group(0) if version else ""}
    return {"runtime": "", "version": ""}


def virtualization(root: Path = ROOT) -> str:
    """``none`` on bare metal, else what it runs in, by systemd-detect-virt or by what the firmware says."""
    if root == ROOT and has("systemd-detect-virt"):
        said = run(["systemd-detect-virt"], timeout=10).output.strip()
        if re.fullmatch(r"[a-z0-9-]+", said):
            return said
    maker = (read(root / "sys/class/dmi/id/sys_vendor") + " " + read(root / "sys/class/dmi/id/product_name")).lower()
    for word, name in (
        ("kvm", "kvm"),
        ("qemu", "qemu"),
        ("vmware", "vmware"),
        ("xen", "xen"),
        ("virtualbox", "oracle"),
    ):
        if word in maker:
            return name
    guest = re.search(r"^flags\s*:.*\bhypervisor\b", read(root / "proc/cpuinfo"), re.MULTILINE)
    return "vm-other" if guest else "none"


def hashed(text: str) -> str:
    """SHA-256 in hex, "" for nothing."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def read(path: Path) -> str:
    """A small file without the blanks around it, "" when it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace").strip("\0 \t\r\n")
    except OSError:
        return ""


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
