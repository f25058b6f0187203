"""Measures one GPU. A script of its own: the agent runs it with whatever Python of the machine has PyTorch.

    python gpu_bench.py '{"device": "cuda:0", "seed": "...", "index": 0, "memory_gb": 80, "seconds": 5}'

It prints ``ready`` once PyTorch has loaded, waits for a line, so that all GPUs begin together, and prints one JSON
object last. ``device`` is ``cpu`` to try it without a GPU. Works with CUDA and ROCm alike.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable

#: Rows and columns of the matrices that the digest is of. Their entries are -1 to 2: a product is at most
#: 4 x 256, which even half-precision numbers hold exactly, in whatever order they are added.
CHECK_SIZE = 256

#: The least and the most rows of the matrices that are timed, and what their number is a multiple of.
SMALLEST, LARGEST, STEP = 2048, 16384, 256

#: The largest of single precision: without tensor cores a product takes much longer.
LARGEST_SINGLE = 8192

#: The share of the claimed memory that is filled, and how much of it at a time, in bytes.
MEMORY_SHARE = 0.8
CHUNK = 1 << 28


def draw(seed: str, index: int, name: str) -> list[list[int]]:
    """The matrix ``name`` (``a`` or ``b``) of a GPU: two bits an entry, low bits first, less one.

    The bits are those of SHA-256 over ``seed:index:name:counter`` for counter = 0, 1, 2 and so on.
    """
    entries: list[int] = []
    counter = 0
    while len(entries) < CHECK_SIZE * CHECK_SIZE:
        for byte in hashlib.sha256(f"{seed}:{index}:{name}:{counter}".encode()).digest():
            entries += [(byte >> shift & 3) - 1 for shift in (0, 2, 4, 6)]
        counter += 1
    return [entries[row * CHECK_SIZE : (row + 1) * CHECK_SIZE] for row in range(CHECK_SIZE)]


def digest(product: list[list[int]]) -> str:
    """SHA-256 over the entries, row by row, each as two bytes, low byte first, signed."""
    return hashlib.sha256(
        b"".join(int(entry).to_bytes(2, "little", signed=True) for row in product for entry in row)
    ).hexdigest()


def size_for(memory_gb: float, entry_bytes: int, most: int) -> int:
    """The rows of square matrices of which three take a tenth of the memory, within what is sensible."""
    fits = int((memory_gb * 1e9 / 10 / 3 / entry_bytes) ** 0.5)
    return max(SMALLEST, min(most, fits // STEP * STEP))


def main(arguments: list[str]) -> int:
    job = json.loads(arguments[1])
    import torch

    device = torch.device(job["device"])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(measure(torch, device, job)), flush=True)
    return 0


def measure(torch: Any, device: Any, job: dict[str, Any]) -> dict[str, Any]:
    """All of one GPU: who it is, the digest, both speeds, the memory."""
    # Single precision is measured as such: no tensor cores with numbers of 19 bits in its stead.
    torch.set_float32_matmul_precision("highest")
    on_gpu = device.type != "cpu"
    if on_gpu:
        torch.cuda.set_device(device)
    half = size_for(job["memory_gb"], 2, job.get("largest", LARGEST))
    single = size_for(job["memory_gb"], 4, min(LARGEST_SINGLE, job.get("largest", LARGEST)))
    found: dict[str, Any] = {"index": job["index"], "torch": torch.__version__, **about(torch, device)}
    found["check"] = check(torch, device, job["seed"], job["index"])
    found["fp16"] = timed(torch, device, torch.float16, half, job)
    found["fp32"] = timed(torch, device, torch.float32, single, job)
    if on_gpu:
        torch.cuda.empty_cache()
    found["memory"] = memory(torch, device, job)
    return found


def about(torch: Any, device: Any) -> dict[str, Any]:
    if device.type == "cpu":
        return {"name": "CPU", "memory_gb": None, "cuda": None, "hip": None}
    facts = torch.cuda.get_device_properties(device)
    return {
        "name": facts.name,
        "memory_gb": round(facts.total_memory / 1e9, 2),
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
    }


def check(torch: Any, device: Any, seed: str, index: int) -> str:
    """The digest of the product of the two matrices of this GPU; RuntimeError if half and single precision differ."""
    a, b = draw(seed, index, "a"), draw(seed, index, "b")
    digests = []
    for kind in (torch.float16, torch.float32):
        product = torch.tensor(a, dtype=kind, device=device) @ torch.tensor(b, dtype=kind, device=device)
        digests.append(digest(product.to(torch.int32).cpu().tolist()))
    if digests[0] != digests[1]:
        raise RuntimeError("The product of small whole numbers differs between half and single precision.")
    return digests[0]


def timed(torch: Any, device: Any, kind: Any, size: int, job: dict[str, Any]) -> dict[str, Any]:
    """The median speed of square matrix products, in TFLOPS: 2 N^3 operations over the time of each."""
    number = int.from_bytes(hashlib.sha256(f"{job['seed']}:{job['index']}".encode()).digest()[:7], "big")
    generator = torch.Generator(device=device).manual_seed(number)
    a, b = (torch.rand((size, size), generator=generator, device=device, dtype=torch.float32) * 2 - 1 for _ in "ab")
    a, b = a.to(kind), b.to(kind)
    out = torch.empty((size, size), device=device, dtype=kind)

    def multiply() -> None:
        torch.matmul(a, b, out=out)

    clock = events(torch, multiply) if device.type != "cpu" else stopwatch(multiply)
    warm_until = time.monotonic() + job["seconds"] / 5
    while next(clock) and time.monotonic() < warm_until:
        pass
    times: list[float] = []
    until = time.monotonic() + job["seconds"]
    while not times or time.monotonic() < until:
        times.append(next(clock))
    speeds = sorted(2 * size**3 / seconds / 1e12 for seconds in times)
    return {
        "tflops": statistics.median(speeds),
        "slowest_tflops": speeds[0],
        "fastest_tflops": speeds[-1],
        "products": len(times),
        "size": size,
        "seconds": sum(times),
    }


def events(torch: Any, multiply: Callable[[], None]) -> Iterator[float]:
    """Seconds of one product after the other by the GPU's own clock."""
    while True:
        begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begun.record()
        multiply()
        ended.record()
        ended.synchronize()
        yield begun.elapsed_time(ended) / 1000


def stopwatch(multiply: Callable[[], None]) -> Iterator[float]:
    """Seconds of one product after the other on the CPU."""
    while True:
        begun = time.perf_counter()
        multiply()
        yield time.perf_counter() - begun


def memory(torch: Any, device: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Fill most of the claimed memory with numbers drawn for each part, then look whether all of them are still there."""
    wanted = int(job["memory_gb"] * 1e9 * MEMORY_SHARE)
    size = min(CHUNK, wanted // 16) // 4
    chunks: list[Any] = []
    why = ""
    try:
        while (len(chunks) + 1) * size * 4 <= wanted:
            chunk = torch.empty(size, dtype=torch.int32, device=device)
            chunks.append(pattern(torch, chunk, job, len(chunks)))
        again = torch.empty(size, dtype=torch.int32, device=device)
    except RuntimeError as error:  # out of memory is one
        why = str(error).splitlines()[0]
        again = chunks.pop() if chunks else None
    same = sum(torch.equal(pattern(torch, again, job, number), chunk) for number, chunk in enumerate(chunks))
    if not why and same < len(chunks):
        why = f"{len(chunks) - same} of {len(chunks)} parts did not hold what was written to them."
    return {"checked_gb": round(same * size * 4 / 1e9, 2), "wanted_gb": round(wanted / 1e9, 2), "error": why}


def pattern(torch: Any, chunk: Any, job: dict[str, Any], number: int) -> Any:
    """Fill a part with the numbers that are drawn for it."""
    text = f"{job['seed']}:{job['index']}:memory:{number}".encode()
    generator = torch.Generator(device=chunk.device)
    generator.manual_seed(int.from_bytes(hashlib.sha256(text).digest()[:7], "big"))
    return chunk.random_(generator=generator)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
