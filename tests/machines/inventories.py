"""Inventories in the protocol's form, as agents read them on real servers."""

from copy import deepcopy
from typing import Any


def gpus(count: int, model: str = "NVIDIA H100 80GB HBM3", memory_mb: int = 81559) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "model": model,
            "memory_mb": memory_mb,
            "uuid": f"GPU-{index:08x}-0000-4000-8000-000000000000",
            "driver": "550.54.15",
        }
        for index in range(count)
    ]


def disks(count: int, size_gb: int = 3840, kind: str = "NVMe") -> list[dict[str, Any]]:
    return [
        {
            "name": f"nvme{number}n1",
            "model": "SAMSUNG MZQL23T8HCLS-00A07",
            "serial_sha256": f"{number:064x}",
            "size_gb": size_gb,
            "kind": kind,
        }
        for number in range(count)
    ]


#: Eight H100 in a server of two sockets: what people.make_machine claims, but for what firmware keeps of the memory.
H100 = {
    "version": 1,
    "hostname": "node-1",
    "os": {"name": "Ubuntu 24.04.1 LTS", "kernel": "6.8.0-45-generic", "architecture": "x86_64"},
    "cpu": {"model": "AMD EPYC 9654 96-Core Processor", "sockets": 1, "cores": 96, "threads": 192},
    "memory_mb": 1547000,
    "swap_mb": 0,
    "gpus": gpus(8),
    "gpu_tool": "nvidia-smi",
    "disks": disks(2),
    "filesystems": [{"mount": "/", "type": "ext4", "size_gb": 3700, "free_gb": 3000}],
    "network": [{"name": "eth0", "speed_mbps": 10000, "mac_sha256": "ab" * 32}],
    "host_keys": [{"type": "ssh-ed25519", "fingerprint": "SHA256:" + "A" * 43}],
    "ssh_port": 22,
    "containers": {"runtime": "podman", "version": "5.2.1"},
    "virtualization": "none",
}

#: A virtual server without GPUs, of which the board does not tell the disks' serial numbers.
VIRTUAL = {
    "version": 1,
    "hostname": "small",
    "os": {"name": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-25-amd64", "architecture": "x86_64"},
    "cpu": {"model": "AMD EPYC 7B13", "sockets": 1, "cores": 4, "threads": 8},
    "memory_mb": 32105,
    "swap_mb": 0,
    "gpus": [],
    "gpu_tool": "",
    "disks": [
        {"name": "sda", "model": "PersistentDisk", "serial_sha256": "", "size_gb": 214, "kind": "SSD"},
        {"name": "sdb", "model": "PersistentDisk", "serial_sha256": "", "size_gb": 214, "kind": "SSD"},
    ],
    "filesystems": [],
    "network": [{"name": "ens4", "speed_mbps": None, "mac_sha256": "cd" * 32}],
    "host_keys": [],
    "ssh_port": 22,
    "containers": {"runtime": "", "version": ""},
    "virtualization": "kvm",
}


def inventory(base: dict[str, Any] = H100, **changes: Any) -> dict[str, Any]:
    return deepcopy(base) | changes
