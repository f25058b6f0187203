"""Measuring the GPUs: finding a Python with PyTorch and running ``gpu_bench`` with it, one process a GPU, all at once."""

from __future__ import annotations

import glob
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import shell

#: Seconds that PyTorch may take to load, and that a GPU may take beyond what it was asked to measure for.
LOADING = 120
GRACE = 120

PROBE = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json, torch
there = torch.cuda.is_available()
print(json.dumps({"torch": torch.__version__, "gpus": torch.cuda.device_count() if there else 0}))
"""


@dataclass(frozen=True)
class Torch:
    """A Python that has PyTorch, its version, and how many GPUs it sees."""

    python: str
    version: str
    gpus: int


def find_torch() -> Torch | None:
    """The first Python whose PyTorch sees a GPU, else the first that has PyTorch, else none."""
    found = [torch for torch in map(_probe, interpreters()) if torch is not None]
    return next((torch for torch in found if torch.gpus), found[0] if found else None)


def interpreters() -> Iterator[str]:
    """The Pythons to ask, each once: the one that is named in RSM_TORCH_PYTHON first."""
    named = [os.environ.get("RSM_TORCH_PYTHON", ""), sys.executable or ""]
    named.append(shutil.which("python3", path=shell.ENVIRONMENT["PATH"]) or "")
    seen = set()
    for python in [*named, *sorted(glob.glob("/opt/*/bin/python"))]:
        if python and python not in seen and os.access(python, os.X_OK):
            seen.add(python)
            yield python


def _probe(python: str) -> Torch | None:
    done = shell.run([python, "-c", PROBE], timeout=LOADING)
    answer = _last_object(done.output) if done.ok else None
    return Torch(python, str(answer["torch"]), int(answer["gpus"])) if answer else None


def measure(torch: Torch, *, seed: str, memory_gb: float, seconds: float) -> tuple[list[dict[str, Any]], str]:
    """What ``gpu_bench`` found for each GPU, ``{"index", "error"}`` for one that failed, and all that was printed."""
    jobs = [
        {"device": f"cuda:{index}", "seed": seed, "index": index, "memory_gb": memory_gb, "seconds": seconds}
        for index in range(torch.gpus)
    ]
    return run_together(torch.python, jobs, seconds=2.4 * seconds + GRACE)


def run_together(python: str, jobs: list[dict[str, Any]], *, seconds: float) -> tuple[list[dict[str, Any]], str]:
    """Run the script once for each job; all begin when the last has loaded. ``seconds``: how long they may take then."""
    with tempfile.TemporaryDirectory(prefix="rsm-benchmark-") as name:
        folder = Path(name)
        script = folder / "gpu_bench.py"
        script.write_bytes(pkgutil.get_data("agent", "gpu_bench.py") or b"")
        runs: list[_Run] = []
        try:
            runs += [_Run(python, script, job, folder) for job in jobs]
            _until(runs, _Run.ready, LOADING)
            for run in runs:
                run.go()
            _until(runs, _Run.ended, seconds)
        finally:
            for run in runs:
                run.stop()
        return [run.found() for run in runs], "\n".join(run.printed() for run in runs)


def _until(runs: list[_Run], done: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not all(done(run) for run in runs):
        time.sleep(0.05)


class _Run:
    """The script at work on one GPU, in a process group of its own."""

    def __init__(self, python: str, script: Path, job: dict[str, Any], folder: Path) -> None:
        self._job = job
        self._out = folder / f"{job['index']}.out"
        self._errors = folder / f"{job['index']}.err"
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - a Python of this machine
                [python, str(script), json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=errors,
                cwd=folder,
                env=shell.ENVIRONMENT,
                start_new_session=True,
            )

    def ended(self) -> bool:
        return self._process.poll() is not None

    def ready(self) -> bool:
        return self.ended() or _text(self._out).startswith("ready")

    def go(self) -> None:
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(b"go\n")
            self._process.stdin.close()
        except OSError:
            pass  # it has ended; its output says why

    def stop(self) -> None:
        """End it, if it has not ended by itself."""
        if not self.ended():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def found(self) -> dict[str, Any]:
        answer = _last_object(_text(self._out)) if self._process.returncode == 0 else None
        return answer or {"index": self._job["index"], "error": self._why()}

    def printed(self) -> str:
        parts = (f"# {self._job['device']} [{self._process.returncode}]", _text(self._out), _text(self._errors))
        return "\n".join(part.strip() for part in parts if part.strip())

    def _why(self) -> str:
        if self._process.returncode == -signal.SIGKILL:
            return "It took too long and was ended."
        said = _text(self._errors).strip().splitlines()
        return said[-1][:500] if said else f"It ended with status {self._process.returncode}."


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _last_object(text: str) -> dict[str, Any] | None:
    """The last line that is a JSON object: libraries print what they like before it."""
    for line in reversed(text.splitlines()):
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            return parsed
    return None
