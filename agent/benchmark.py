"""Measuring the machine: GPUs, CPU, disk, line. What cannot be measured is null with a reason, never a guess."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from agent import gpu_runs
from agent.context import Context, stamp
from agent.errors import AgentError, Away
from agent.inventory import local_filesystems
from agent.journal import Entry
from agent.shell import Done, has
from agent.shell import run as run_tool

GPU = ("gpu_throughput_fp16", "gpu_throughput_fp32")
CPU = ("cpu_score",)
DISK = ("disk_read_mb_s", "disk_write_mb_s")
NETWORK = ("network_bandwidth_gbps",)

#: Seconds that all of it takes when the marketplace does not say.
SECONDS = 60

#: Bytes of the file that the disk is measured with; less than twice the least must not be left over.
LARGEST_FILE, SMALLEST_FILE = 4 * 10**9, 10**9
FOLDER = ".rsm-benchmark-"

#: Bytes of the first request, of the largest, and of all in one direction: the marketplace hands out 256 MB a minute.
FIRST_REQUEST, LARGEST_REQUEST, ONE_WAY = 1 << 20, 64 * 10**6, 110 * 10**6

#: Seconds between two tries where the marketplace is busy with others.
LONGEST_PAUSE = 10

#: Letters of a tool's output that are sent.
LONGEST_OUTPUT = 200_000


@dataclass
class Part:
    """What one part found: values, why some are missing, more about it, what the tools printed, their versions."""

    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)

    def missing(self, names: Iterable[str], why: str) -> Part:
        self.reasons.update({name: why for name in names if name not in self.values})
        return self


def run(context: Context, entry: Entry) -> dict[str, Any]:
    """The handler of the work ``benchmark``."""
    return measure(entry.payload, context)


def measure(payload: dict[str, Any], context: Context | None) -> dict[str, Any]:
    """Measure what ``payload["values"]`` names; the protocol's result. Takes about ``payload["seconds"]``.

    Without a context (by hand, before the enrolment) there is no marketplace to measure the line against.
    """
    seconds = float(payload.get("seconds") or SECONDS)
    parts: dict[str, tuple[tuple[str, ...], Callable[[], Part]]] = {
        "gpu": (GPU, lambda: measure_gpu(payload, _within(seconds / 8, 1, 10))),
        "cpu": (CPU, lambda: measure_cpu(_within(seconds / 6, 1, 10))),
        "disk": (DISK, lambda: measure_disk(_within(seconds / 10, 1, 10))),
        "network": (NETWORK, lambda: measure_network(payload, context, _within(seconds / 12, 1, 10))),
    }
    asked = set(payload.get("values") or [name for names, _ in parts.values() for name in names])
    done = {name: _safely(names, take) for name, (names, take) in parts.items() if asked & set(names)}
    values = {name: value for part in done.values() for name, value in part.values.items()}
    reasons = {name: why for part in done.values() for name, why in part.reasons.items()}
    unknown = dict.fromkeys(asked - values.keys() - reasons.keys(), "This version of the agent does not measure it.")
    return {
        "values": {name: values.get(name) for name in sorted(asked)},
        "reasons": {name: why for name, why in {**reasons, **unknown}.items() if name in asked},
        "details": {name: part.details for name, part in done.items()},
        "raw": {name: "\n".join(part.raw)[-LONGEST_OUTPUT:] for name, part in done.items()},
        "seed": payload["seed"],
        "collected_at": stamp(context.now() if context else datetime.now(timezone.utc)),
        "tools": {tool: version for part in done.values() for tool, version in part.tools.items()},
    }


def _within(seconds: float, least: float, most: float) -> float:
    return max(least, min(most, seconds))


def _safely(names: tuple[str, ...], take: Callable[[], Part]) -> Part:
    """One part that cannot be measured takes nothing from the others."""
    try:
        return take()
    except (AgentError, OSError, ValueError, KeyError, TypeError, MemoryError) as error:
        return Part().missing(names, f"It could not be measured: {error}")


# GPUs ------------------------------------------------------------------------------------------------


def measure_gpu(payload: dict[str, Any], seconds: float) -> Part:
    """Teraflops of half (tensor cores) and single precision (without them), summed over all GPUs measured at once."""
    part = Part()
    torch = gpu_runs.find_torch()
    if torch is None:
        return part.missing(GPU, "PyTorch is not installed for any Python that was found.")
    part.tools["torch"] = torch.version
    part.details.update(python=torch.python, claimed=payload.get("gpu_count"), found=torch.gpus)
    if not torch.gpus:
        return part.missing(GPU, f"PyTorch {torch.version} sees no GPU.")
    memory_gb = float(payload.get("gpu_memory_gb") or 8)
    gpus, printed = gpu_runs.measure(torch, seed=str(payload["seed"]), memory_gb=memory_gb, seconds=seconds)
    part.raw.append(printed)
    return gpu_part(part, gpus)


def gpu_part(part: Part, gpus: list[dict[str, Any]]) -> Part:
    """The sums and what is told of each GPU. One that failed makes the sum worth nothing."""
    part.details.update(gpus=gpus, check=[gpu.get("check") for gpu in gpus])
    part.details["memory_checked_gb"] = [gpu.get("memory", {}).get("checked_gb") for gpu in gpus]
    failed = [f"GPU {gpu['index']}: {gpu['error']}" for gpu in gpus if "error" in gpu]
    if failed:
        return part.missing(GPU, " ".join(failed))
    for name, kind in zip(GPU, ("fp16", "fp32")):
        part.values[name] = round(sum(gpu[kind]["tflops"] for gpu in gpus), 3)
    return part


# CPU -------------------------------------------------------------------------------------------------


def measure_cpu(seconds: float) -> Part:
    """Events a second of sysbench's prime numbers on all processors that the agent may use."""
    part = Part()
    if not has("sysbench"):
        return part.missing(CPU, "sysbench is not installed.")
    part.tools["sysbench"] = version_of(run_tool(["sysbench", "--version"]).output)
    threads = len(os.sched_getaffinity(0))
    command = ["sysbench", "cpu", f"--threads={threads}", f"--time={seconds:.0f}", "--cpu-max-prime=20000", "run"]
    done = run_tool(command, timeout=seconds + 60)
    part.raw.append(str(done))
    part.details["threads"] = threads
    score = events_per_second(done.output)
    if not done.ok or score is None:
        return part.missing(CPU, failure("sysbench", done))
    part.values["cpu_score"] = score
    return part


def events_per_second(text: str) -> float | None:
    """From what ``sysbench cpu run`` prints."""
    found = re.search(r"^\s*events per second:\s*([0-9]+(?:\.[0-9]+)?)\s*$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


# Disk ------------------------------------------------------------------------------------------------


def measure_disk(seconds: float, mount: Path | None = None, largest: int = LARGEST_FILE) -> Part:
    """Reading and writing 1 MiB after 1 MiB past the system's cache, in MB (10^6 bytes) a second."""
    part = Part()
    if not has("fio"):
        return part.missing(DISK, "fio is not installed.")
    part.tools["fio"] = version_of(run_tool(["fio", "--version"]).output)
    mount = mount or largest_filesystem()
    if mount is None:
        return part.missing(DISK, "No local file system can be written to.")
    status = os.statvfs(mount)
    free = status.f_bavail * status.f_frsize
    if free < 2 * min(largest, SMALLEST_FILE):
        return part.missing(DISK, f"{mount} has {free / 1e9:.1f} GB left, which is too little to measure with.")
    size = max(min(largest, SMALLEST_FILE), min(largest, free // 4)) >> 20 << 20
    part.details.update(mount=str(mount), file_bytes=size)
    _clear(mount)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir=mount))
    try:
        return _fio(part, folder / "file", size, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fio(part: Part, file: Path, size: int, seconds: float) -> Part:
    for name, direction in (("disk_write_mb_s", "write"), ("disk_read_mb_s", "read")):
        command = ["fio", "--name=sequential", f"--filename={file}", f"--rw={direction}", "--bs=1M", f"--size={size}"]
        command += ["--direct=1", "--ioengine=libaio", "--iodepth=16", "--thread", "--time_based"]
        command += [f"--runtime={seconds:.0f}", "--output-format=json"]
        done = run_tool(command, timeout=seconds + 180)
        part.raw.append(str(done))
        job = fio_job(done.output, direction)
        if not done.ok or not job:
            return part.missing(DISK, failure("fio", done))
        part.values[name] = round(job["bw_bytes"] / 1e6, 1)
        # What a slow disk did not get round to writing would be read as nothing, very fast.
        size = min(size, int(job["io_bytes"]) >> 20 << 20)
    return part


def fio_job(text: str, direction: str) -> dict[str, Any] | None:
    """One direction of the first job in fio's JSON, which warnings may stand before; none where nothing was moved."""
    try:
        job = json.loads(text[text.index("{") : text.rindex("}") + 1])["jobs"][0]
        found: dict[str, Any] = job[direction]
        return found if not job.get("error") and found["bw_bytes"] > 0 and found["io_bytes"] > 0 else None
    except (ValueError, KeyError, IndexError, TypeError):
        return None


def largest_filesystem() -> Path | None:
    """Where the largest local file system that can be written to is mounted."""
    mounts = [(status.f_blocks * status.f_frsize, mount) for mount, _, status in local_filesystems()]
    usable = [Path(mount) for _, mount in sorted(mounts, reverse=True) if os.path.isdir(mount)]
    return next((mount for mount in usable if os.access(mount, os.W_OK)), None)


def _clear(mount: Path) -> None:
    """Remove what a benchmark left that was killed."""
    for old in mount.glob(f"{FOLDER}*"):
        # No more than what it makes: where anybody may write, somebody may have given another's folder this name.
        if old.is_symlink():
            continue
        with suppress(OSError):
            (old / "file").unlink(missing_ok=True)
            old.rmdir()


# Network ---------------------------------------------------------------------------------------------


def measure_network(payload: dict[str, Any], context: Context | None, seconds: float) -> Part:
    """The slower of the two directions, in Gbit/s: with iperf3 where the marketplace has a server for it, else over HTTPS."""
    part = Part()
    target = payload.get("iperf3")
    if target and has("iperf3"):
        part.tools["iperf3"] = version_of(run_tool(["iperf3", "--version"]).output)
        _iperf3(part, target, seconds)
    elif target:
        part.details["iperf3_error"] = "iperf3 is not installed."
    if not part.values and context is None:
        part.reasons["network_bandwidth_gbps"] = (
            "This machine is not enrolled: there is no marketplace to measure against."
        )
    elif not part.values and context is not None:
        _over_https(part, payload, context, seconds)
    return part


def _iperf3(part: Part, target: dict[str, Any], seconds: float) -> None:
    speeds = {}
    for name, more in (("upload_gbps", []), ("download_gbps", ["-R"])):
        command = ["iperf3", "-J", "-c", str(target["host"]), "-p", str(int(target["port"])), "-t", f"{seconds:.0f}"]
        done = run_tool([*command, *more], timeout=seconds + 30)
        part.raw.append(str(done))
        speed = iperf3_speed(done.output)
        if speed is None:
            part.details["iperf3_error"] = iperf3_error(done)
            return
        speeds[name] = speed
    part.details.update(speeds, method="iperf3")
    part.values["network_bandwidth_gbps"] = min(speeds.values())


def iperf3_speed(text: str) -> float | None:
    """Gbit/s that arrived, from the JSON of iperf3."""
    try:
        return round(float(json.loads(text)["end"]["sum_received"]["bits_per_second"]) / 1e9, 3)
    except (ValueError, KeyError, TypeError):
        return None


def iperf3_error(done: Done) -> str:
    """iperf3 says in its JSON what went wrong."""
    try:
        return f"iperf3: {json.loads(done.output)['error']}"
    except (ValueError, KeyError, TypeError):
        return failure("iperf3", done)


def _over_https(part: Part, payload: dict[str, Any], context: Context, seconds: float) -> None:
    down, up = str(payload["download_url"]), str(payload["upload_url"])

    def download(size: int) -> int:
        return len(context.wire.get_bytes(f"{down}{'&' if '?' in down else '?'}bytes={size}"))

    noise = os.urandom(LARGEST_REQUEST)

    def upload(size: int) -> int:
        return int(context.wire.post_bytes(up, noise[:size]).get("bytes", 0))

    speeds = {}
    for name, send in (("download_gbps", download), ("upload_gbps", upload)):
        speed, told = timed_requests(send, seconds)
        part.raw.append(f"{name}: {told}")
        if speed is None:
            part.missing(NETWORK, f"The line could not be measured: {told}")
            return
        speeds[name] = speed
    part.details.update(speeds, method="https")
    part.values["network_bandwidth_gbps"] = min(speeds.values())


def timed_requests(send: Callable[[int], int], seconds: float) -> tuple[float | None, str]:
    """Gbit/s over requests that grow as the line allows, and an account of them. The first one only opens the line."""
    size, sent, spent, told = FIRST_REQUEST, 0, 0.0, []
    first, patience = True, 6
    while spent < seconds and sent < ONE_WAY:
        size = min(size, ONE_WAY - sent) if sent else size
        begun = time.perf_counter()
        try:
            arrived = send(size)
        except Away as error:
            told.append(str(error))
            patience -= 1
            if not patience:
                break
            # Machines are measured together, and only a few at a time over the line.
            time.sleep(min(2 if error.retry_after is None else error.retry_after, LONGEST_PAUSE))
            continue
        except AgentError as error:
            told.append(str(error))
            break
        took = max(time.perf_counter() - begun, 1e-9)
        told.append(f"{arrived} bytes in {took:.4f} s")
        if arrived != size:
            told.append(f"{size} were asked for")
            return None, "; ".join(told)
        if not first:
            sent, spent = sent + arrived, spent + took
        first = False
        size = max(FIRST_REQUEST, min(LARGEST_REQUEST, int(arrived / took * seconds / 4)))
    return (round(sent * 8 / spent / 1e9, 4) if spent else None), "; ".join(told)


# Words -----------------------------------------------------------------------------------------------


def version_of(text: str) -> str:
    """The first thing that looks like a version: ``fio-3.33`` → ``3.33``."""
    found = re.search(r"[0-9]+(?:\.[0-9]+)+", text)
    return found.group(0) if found else text.strip()[:40]


def failure(tool: str, done: Done) -> str:
    """Why a tool told nothing, in one sentence."""
    said = [line.strip() for line in (done.errors or done.output).splitlines() if line.strip()]
    return f"{tool} ended with status {done.status}: {said[-1][:300] if said else 'it said nothing.'}"
