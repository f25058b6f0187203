"""One simulated server: what a real agent would have on its disk, and what it would say about its machine."""

import hashlib
import json
import math
import random
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.sshsig import public_key
from machines.models import Machine, Node
from marketplace.embedded.keeping import write_private

DAY_SECONDS = 86_400


@dataclass
class Hardware:
    """What the server claims to be: the machine's own columns, or those of its node."""

    name: str
    gpu_driver_name: str
    gpu_count: int
    gpu_memory_gb: int
    cpu_model: str
    cpu_cores: int
    ram_gb: int
    disk_size_gb: int
    disk_kind: str
    os: str
    #: What a run comes out at, by the value's name; nothing where the machine's data sheet says nothing.
    figures: dict[str, float] = field(default_factory=dict)


@dataclass
class Server:
    """A simulated server. ``save`` keeps what an agent keeps: its key, its token, its sequence."""

    hardware: Hardware
    private_key: str
    agent: str = ""
    machine: str = ""
    token: str = ""
    sequence: int = 0
    #: A buyer is on it: from a provision to the wipe.
    is_used: bool = False

    @classmethod
    def new(cls, hardware: Hardware) -> "Server":
        raw = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return cls(hardware, raw.hex())

    @classmethod
    def load(cls, file: Path, hardware: Hardware) -> "Server | None":
        """The server that was kept here, or ``None``. Its hardware is what the marketplace says now."""
        try:
            kept = json.loads(file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        return cls(**{**kept, "hardware": hardware})

    def save(self, file: Path) -> None:
        kept = {name: value for name, value in asdict(self).items() if name != "hardware"}
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, json.dumps(kept))

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.private_key))

    @property
    def public_key(self) -> str:
        return public_key(self.key.public_key()).text

    @property
    def host_key_fingerprint(self) -> str:
        digest = hashlib.sha256(f"host key of {self.hardware.name}".encode()).digest()
        return "SHA256:" + b64encode(digest).decode().rstrip("=")

    def inventory(self) -> dict[str, Any]:
        """As the protocol writes it, from what the machine claims: a simulated server is what it says it is."""
        own = self.hardware
        return {
            "version": 1,
            "hostname": own.name,
            "os": {"name": own.os, "kernel": "6.1.0-25-amd64", "architecture": "x86_64"},
            "cpu": {"model": own.cpu_model, "sockets": 1, "cores": own.cpu_cores, "threads": own.cpu_cores},
            "memory_mb": round(own.ram_gb * 1024 * 0.985),
            "swap_mb": 0,
            "gpus": [
                {
                    "index": index,
                    "model": own.gpu_driver_name,
                    "memory_mb": own.gpu_memory_gb * 1024,
                    "uuid": f"GPU-{hashlib.sha256(f'{own.name} {index}'.encode()).hexdigest()[:32]}",
                    "driver": "550.54.15",
                }
                for index in range(own.gpu_count)
            ],
            "gpu_tool": "nvidia-smi" if own.gpu_count else "",
            "disks": [
                {
                    "name": "nvme0n1",
                    "model": "Simulated disk",
                    "serial_sha256": hashlib.sha256(f"disk of {own.name}".encode()).hexdigest(),
                    "size_gb": own.disk_size_gb,
                    "kind": own.disk_kind,
                }
            ],
            "filesystems": [
                {"mount": "/", "type": "ext4", "size_gb": own.disk_size_gb, "free_gb": round(own.disk_size_gb * 0.7)}
            ],
            "network": [
                {"name": "eth0", "speed_mbps": 10_000, "mac_sha256": hashlib.sha256(own.name.encode()).hexdigest()}
            ],
            "host_keys": [{"type": "ssh-ed25519", "fingerprint": self.host_key_fingerprint}],
            "ssh_port": 22,
            "containers": {"runtime": "", "version": ""},
            "virtualization": "none",
        }

    def health(self, *, at: datetime) -> dict[str, Any]:
        """Figures of a server at a moment: a slow wave over the day with some noise, higher while somebody is on it."""
        is_used = self.is_used
        draw = random.Random(f"{self.hardware.name} {at.timestamp():.0f}")  # noqa: S311 no secret
        phase = hashlib.sha256(self.hardware.name.encode()).digest()[0] / 256 * math.tau
        wave = (1 + math.sin(at.timestamp() / DAY_SECONDS * math.tau + phase)) / 2
        load = (0.55 + 0.4 * wave if is_used else 0.02 + 0.04 * wave) + draw.uniform(-0.02, 0.03)
        gpus = [
            {
                "index": index,
                "percent": round(100 * max(0.0, min(1.0, load + draw.uniform(-0.05, 0.05))), 1) if is_used else 0.0,
                "memory_percent": round(70 * load, 1) if is_used else 0.5,
                "temperature_c": round(32 + 40 * load + draw.uniform(-1, 1), 1),
            }
            for index in range(self.hardware.gpu_count)
        ]
        return {
            "cpu_percent": round(100 * max(0.0, min(1.0, load * 0.6)), 1),
            "memory_percent": round(8 + 50 * load, 1),
            "gpu_percent": round(sum(gpu["percent"] for gpu in gpus) / len(gpus), 1) if gpus else None,
            "gpu_memory_percent": round(sum(gpu["memory_percent"] for gpu in gpus) / len(gpus), 1) if gpus else None,
            "temperature_c": max((gpu["temperature_c"] for gpu in gpus), default=round(35 + 20 * load, 1)),
            "disk_percent": round(30 + 10 * wave, 1),
            "network_rx_mbps": round(400 * load + draw.uniform(0, 20), 1),
            "network_tx_mbps": round(150 * load + draw.uniform(0, 10), 1),
            "load_1m": round(self.hardware.cpu_cores * load * 0.6, 2),
            "gpus": gpus,
        }


def hardware_of(machine: Machine, node: Node | None) -> Hardware:
    """What a server of this machine claims to be."""
    part = node or machine
    share = part.gpu_count / machine.gpu_count if machine.gpu_count else 1 / max(machine.nodes.count(), 1)
    run = machine.verified_benchmark
    figures = {}
    for name, is_shared in FIGURES.items():
        value = getattr(run, name) if run else _estimate(machine, name)
        if value is not None:
            figures[name] = value * share if is_shared else value
    return Hardware(
        name=f"{machine.name}-{node.name}" if node else machine.name,
        gpu_driver_name=f"{machine.gpu.manufacturer} {machine.gpu.name}" if machine.gpu else machine.gpu_model,
        gpu_count=part.gpu_count,
        gpu_memory_gb=machine.gpu_memory_gb,
        cpu_model=machine.cpu_model,
        cpu_cores=part.cpu_cores or 1,
        ram_gb=part.ram_gb,
        disk_size_gb=part.disk_size_gb,
        disk_kind=machine.disk_type if machine.disk_type in ("NVMe", "SSD", "HDD") else "SSD",
        os=machine.os,
        figures=figures,
    )


#: What a run measures, and whether the nodes of a cluster share it.
FIGURES = {
    "gpu_throughput_fp16": True,
    "gpu_throughput_fp32": True,
    "cpu_score": True,
    "disk_read_mb_s": False,
    "disk_write_mb_s": False,
    "network_bandwidth_gbps": False,
}


def _estimate(machine: Machine, name: str) -> float | None:
    """About what such a machine comes out at, where nobody has measured it yet."""
    if name == "gpu_throughput_fp16" and machine.gpu and machine.gpu.fp16_tflops:
        return 0.75 * machine.gpu.fp16_tflops * machine.gpu_count
    if name == "gpu_throughput_fp32" and machine.gpu and machine.gpu.fp32_tflops:
        return 0.85 * machine.gpu.fp32_tflops * machine.gpu_count
    if name == "cpu_score":
        return 1100.0 * max(machine.cpu_cores, 1)
    if name == "network_bandwidth_gbps" and machine.network_mbps:
        return machine.network_mbps / 1000
    return None
