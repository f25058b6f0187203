"""Measuring the machine with the real tools; where a machine lacks one, null with a reason.

No GPU and no PyTorch is needed: a small program stands in for a Python that has PyTorch. What it stands in for is
how the processes are run, not what a GPU computes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from agent import benchmark, gpu_bench, gpu_runs, shell
from agent.config import Config
from agent.wire import Wire
from common.benchmark_check import expected

SEED = "9f2c"


def needs(tool: str) -> None:
    if not shell.has(tool):
        pytest.skip(f"{tool} is not installed")


@pytest.fixture
def no_tools(tmp_path, monkeypatch):
    """A machine on which nothing is installed."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setitem(shell.ENVIRONMENT, "PATH", str(tmp_path / "empty"))


class Speed:
    """The marketplace's ``/agent/v1/speed/``."""

    def __init__(self):
        self.down, self.up, self.status, self.short = [], [], 200, 0

    def handler(speed):  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                size = int(parse_qs(urlsplit(self.path).query)["bytes"][0])
                speed.down.append(size)
                self._send(b"\x7f" * (size - speed.short))

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                while size:
                    size -= len(self.rfile.read(min(size, 1 << 20)))
                speed.up.append(int(self.headers["Content-Length"]))
                self._send(json.dumps({"bytes": speed.up[-1]}).encode())

            def _send(self, body):
                if speed.status != 200:
                    body = json.dumps({"error": "too_often", "detail": "Not so often."}).encode()
                self.send_response(speed.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def speed():
    return Speed()


@pytest.fixture
def context(speed, tmp_path):
    """What a part of the agent is given, with a marketplace at the other end that only knows how to be measured."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), speed.handler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = Config(tmp_path / "state", server=f"http://127.0.0.1:{server.server_port}")
    yield SimpleNamespace(wire=Wire(config), now=lambda: datetime(2026, 11, 21, 14, tzinfo=UTC))
    server.shutdown()
    thread.join()
    server.server_close()


def payload(**more):
    return {
        "benchmark": "0197",
        "seed": SEED,
        "gpu_count": 2,
        "gpu_memory_gb": 80,
        "values": [*benchmark.GPU, *benchmark.CPU, *benchmark.DISK, *benchmark.NETWORK],
        "download_url": "/agent/v1/speed/",
        "upload_url": "/agent/v1/speed/",
        "iperf3": None,
        "seconds": 12,
        **more,
    }


# The whole --------------------------------------------------------------------------------------------------


def test_it_measures_with_what_is_there_and_says_why_the_rest_is_missing(context, monkeypatch):
    needs("sysbench")
    needs("fio")
    monkeypatch.setattr(gpu_runs, "find_torch", lambda: None)
    found = benchmark.measure(payload(), context)
    assert found["values"]["cpu_score"] > 0
    assert found["values"]["network_bandwidth_gbps"] > 0
    assert found["values"]["gpu_throughput_fp16"] is None
    assert "PyTorch is not installed" in found["reasons"]["gpu_throughput_fp16"]
    assert {name for name, value in found["values"].items() if value is None} == set(found["reasons"])
    assert set(found["values"]) == set(payload()["values"])
    assert set(found["raw"]) == {"gpu", "cpu", "disk", "network"}
    assert "events per second" in found["raw"]["cpu"]
    assert found["tools"]["sysbench"].startswith("1.")
    assert found["seed"] == SEED
    assert found["collected_at"] == "2026-11-21T14:00:00Z"
    json.dumps(found, allow_nan=False)


def test_nothing_is_invented_on_a_machine_without_tools(context, speed, no_tools, monkeypatch):
    monkeypatch.setattr(gpu_runs, "interpreters", lambda: iter(()))
    speed.status = 503
    found = benchmark.measure(payload(), context)
    assert all(value is None for value in found["values"].values())
    assert found["reasons"]["cpu_score"] == "sysbench is not installed."
    assert found["reasons"]["disk_read_mb_s"] == "fio is not installed."
    assert "Not so often." in found["reasons"]["network_bandwidth_gbps"]
    assert found["tools"] == {}


def test_only_what_is_asked_for_is_measured(context, speed):
    found = benchmark.measure(payload(values=["network_bandwidth_gbps", "length_of_cable"]), context)
    assert set(found["values"]) == {"network_bandwidth_gbps", "length_of_cable"}
    assert found["values"]["length_of_cable"] is None
    assert "does not measure" in found["reasons"]["length_of_cable"]
    assert set(found["raw"]) == {"network"}


def test_one_part_that_breaks_takes_nothing_from_the_others(context, monkeypatch):
    def breaks(*_, **__):
        raise OSError("the disk is on fire")

    monkeypatch.setattr(benchmark, "measure_disk", breaks)
    found = benchmark.measure(payload(values=[*benchmark.DISK, *benchmark.NETWORK]), context)
    assert found["values"]["network_bandwidth_gbps"] > 0
    assert "the disk is on fire" in found["reasons"]["disk_read_mb_s"]


def test_the_handler_answers_with_the_measurement(context):
    entry = SimpleNamespace(payload=payload(values=["network_bandwidth_gbps"]))
    assert benchmark.run(context, entry)["values"]["network_bandwidth_gbps"] > 0


# CPU and disk -------------------------------------------------------------------------------------------------


def test_sysbench_counts_events_on_all_processors():
    needs("sysbench")
    part = benchmark.measure_cpu(1)
    assert part.values["cpu_score"] > 0
    assert part.details["threads"] >= 1
    assert "--cpu-max-prime=20000" in part.raw[0]


def test_sysbench_output_is_read():
    recorded = "CPU speed:\n    events per second: 12873.92\n\nGeneral statistics:\n    total time: 10.0004s\n"
    assert benchmark.events_per_second(recorded) == 12873.92
    assert benchmark.events_per_second("FATAL: unrecognized option") is None


def test_fio_reads_and_writes_and_leaves_nothing(tmp_path):
    needs("fio")
    (tmp_path / f"{benchmark.FOLDER}left").mkdir()
    (tmp_path / f"{benchmark.FOLDER}left" / "file").write_bytes(b"left by one that was killed")
    part = benchmark.measure_disk(1, tmp_path, largest=64 << 20)
    assert list(tmp_path.iterdir()) == []
    assert part.details["file_bytes"] == 64 << 20
    if not part.values:  # a file system that cannot pass by the cache
        assert "fio" in part.reasons["disk_write_mb_s"]
        return
    assert part.values["disk_read_mb_s"] > 0
    assert part.values["disk_write_mb_s"] > 0
    assert '"direct" : "1"' in part.raw[0]


def test_fio_leaves_nothing_when_it_fails(tmp_path, monkeypatch):
    needs("fio")
    failed = shell.Done("fio", 1, "", "fio: engine libaio not loadable")
    monkeypatch.setattr(benchmark, "run_tool", lambda *_, **__: failed)
    part = benchmark.measure_disk(1, tmp_path, largest=64 << 20)
    assert part.values == {}
    assert part.reasons["disk_read_mb_s"] == "fio ended with status 1: fio: engine libaio not loadable"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_not_filled_further(tmp_path, monkeypatch):
    needs("fio")
    full = SimpleNamespace(f_bavail=1000, f_frsize=4096)
    monkeypatch.setattr(benchmark.os, "statvfs", lambda _: full)
    part = benchmark.measure_disk(1, tmp_path)
    assert "too little" in part.reasons["disk_write_mb_s"]
    assert list(tmp_path.iterdir()) == []


def test_what_was_not_written_is_not_read(tmp_path, monkeypatch):
    needs("fio")
    commands = []

    def slow(command, **_):
        commands.append(list(command))
        job = {"bw_bytes": 5_000_000, "io_bytes": 5 << 20}
        return shell.Done("fio", 0, json.dumps({"jobs": [{"error": 0, "read": job, "write": job}]}), "")

    monkeypatch.setattr(benchmark, "run_tool", slow)
    part = benchmark.measure_disk(1, tmp_path, largest=64 << 20)
    assert f"--size={64 << 20}" in commands[-2]
    assert f"--size={5 << 20}" in commands[-1]
    assert part.values == {"disk_write_mb_s": 5.0, "disk_read_mb_s": 5.0}


def test_fio_output_is_read():
    job = {
        "error": 0,
        "read": {"bw_bytes": 6_912_345_678, "io_bytes": 1 << 30},
        "write": {"bw_bytes": 0, "io_bytes": 0},
    }
    recorded = "note: both iodepth >= 1 and synchronous I/O engine are selected\n" + json.dumps({"jobs": [job]})
    assert benchmark.fio_job(recorded, "read") == job["read"]
    assert benchmark.fio_job(recorded, "write") is None
    assert benchmark.fio_job(json.dumps({"jobs": [{**job, "error": 22}]}), "read") is None
    assert benchmark.fio_job("fio: looks like your file system does not support direct=1", "read") is None


# Network --------------------------------------------------------------------------------------------------------


def test_the_slower_direction_counts(context, speed):
    part = benchmark.measure_network(payload(), context, 1)
    assert part.details["method"] == "https"
    both = part.details["download_gbps"], part.details["upload_gbps"]
    assert part.values["network_bandwidth_gbps"] == min(both) > 0
    assert max(speed.down + speed.up) <= 64 * 10**6
    assert sum(speed.down) + sum(speed.up) <= 256 * 10**6


def test_less_than_was_asked_for_is_no_measurement(context, speed):
    speed.short = 1
    part = benchmark.measure_network(payload(), context, 1)
    assert part.values == {}
    assert "were asked for" in part.reasons["network_bandwidth_gbps"]


def test_the_first_request_is_not_counted():
    sizes, took = [], []

    def send(size):
        began = time.monotonic()
        sizes.append(size)
        time.sleep(0.2 if len(sizes) == 1 else 0.02)
        took.append(time.monotonic() - began)
        return size

    measured, _ = benchmark.timed_requests(send, 0.05)
    assert measured == pytest.approx(sum(sizes[1:]) * 8 / 1e9 / sum(took[1:]), rel=0.3)


def test_iperf3_measures_both_directions(context):
    needs("iperf3")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        port = other.server_port
    command = ["iperf3", "-s", "-p", str(port), "--forceflush"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while "listening" not in (line := server.stdout.readline()):
            assert line, "the iperf3 server has ended"
        target = {"host": "127.0.0.1", "port": port}
        part = benchmark.measure_network(payload(iperf3=target), context, 1)
    finally:
        server.kill()
        server.communicate()
    assert part.details["method"] == "iperf3"
    assert part.values["network_bandwidth_gbps"] > 0
    assert part.tools["iperf3"].startswith("3.")


def test_without_the_iperf3_server_the_marketplace_is_measured(context):
    part = benchmark.measure_network(payload(iperf3={"host": "127.0.0.1", "port": 1}), context, 1)
    assert part.details["method"] == "https"
    assert "iperf3" in part.details["iperf3_error"]
    assert part.values["network_bandwidth_gbps"] > 0


# GPUs -----------------------------------------------------------------------------------------------------------


def interpreter(folder, *, gpus=2, body="print(json.dumps(answer))"):
    """A program that answers as a Python with PyTorch would; ``body`` is what it does for each GPU."""
    path = folder / "python-with-torch"
    path.write_text(f"""#!{sys.executable}
import json, os, sys, time
if sys.argv[1] == "-c":
    print("a library greets")
    print(json.dumps({{"torch": "2.13.0", "gpus": {gpus}}}))
    sys.exit()
assert sys.argv[1].endswith("gpu_bench.py") and "def draw" in open(sys.argv[1]).read()
job = json.loads(sys.argv[2])
place = os.path.join({str(folder)!r}, "started-")
open(place + str(job["index"]), "w").close()
time.sleep(0.3 * job["index"])
print("ready", flush=True)
assert sys.stdin.readline() == "go\\n"
answer = {{"index": job["index"], "check": "check-" + job["seed"], "fp16": {{"tflops": 700.25}},
          "fp32": {{"tflops": 60.5}}, "memory": {{"checked_gb": 0.8 * job["memory_gb"], "error": ""}}}}
{body}
""")
    path.chmod(0o755)
    return str(path)


def gpus_of(monkeypatch, python):
    monkeypatch.setattr(gpu_runs, "interpreters", lambda: iter([python]))
    return benchmark.measure_gpu(payload(), 1)


def test_the_sum_over_all_gpus_counts(tmp_path, monkeypatch):
    part = gpus_of(monkeypatch, interpreter(tmp_path))
    assert part.values == {"gpu_throughput_fp16": 1400.5, "gpu_throughput_fp32": 121.0}
    assert part.details["check"] == [f"check-{SEED}", f"check-{SEED}"]
    assert part.details["memory_checked_gb"] == [64.0, 64.0]
    assert (part.details["claimed"], part.details["found"]) == (2, 2)
    assert part.tools["torch"] == "2.13.0"


def test_all_gpus_begin_together(tmp_path, monkeypatch):
    body = "answer['at'] = time.monotonic(); print(json.dumps(answer))"
    part = gpus_of(monkeypatch, interpreter(tmp_path, gpus=4, body=body))
    moments = [gpu["at"] for gpu in part.details["gpus"]]
    assert max(moments) - min(moments) < 0.3  # one after the other they were ready within 0.9 s


def test_one_gpu_that_fails_makes_the_sum_worth_nothing(tmp_path, monkeypatch):
    body = "assert job['index'] == 0, 'CUDA error: out of memory'\nprint(json.dumps(answer))"
    part = gpus_of(monkeypatch, interpreter(tmp_path, body=body))
    assert part.values == {}
    assert "GPU 1: AssertionError: CUDA error: out of memory" in part.reasons["gpu_throughput_fp16"]
    assert part.details["gpus"][0]["fp16"] == {"tflops": 700.25}
    assert "Traceback" in part.raw[0]


def test_a_gpu_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_runs, "GRACE", -1.5)
    part = gpus_of(monkeypatch, interpreter(tmp_path, gpus=1, body="time.sleep(600)"))
    assert "took too long" in part.reasons["gpu_throughput_fp32"]


def test_pytorch_without_a_gpu_is_said(tmp_path, monkeypatch):
    part = gpus_of(monkeypatch, interpreter(tmp_path, gpus=0))
    assert part.reasons["gpu_throughput_fp16"] == "PyTorch 2.13.0 sees no GPU."


def test_a_python_without_pytorch_is_passed_over(tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/sh\necho 'ModuleNotFoundError: torch' >&2\nexit 1\n")
    bare.chmod(0o755)
    with_torch = interpreter(tmp_path)
    monkeypatch.setattr(gpu_runs, "interpreters", lambda: iter([str(bare), with_torch]))
    found = gpu_runs.find_torch()
    assert found is not None
    assert found.python == with_torch


def test_the_python_that_is_named_is_asked_first(monkeypatch):
    named = shutil.which("true")
    monkeypatch.setenv("RSM_TORCH_PYTHON", named)
    assert next(gpu_runs.interpreters()) == named


def test_matrices_fit_the_claimed_memory():
    for memory_gb in (1, 4, 8, 24, 80, 192):
        size = gpu_bench.size_for(memory_gb, 2, gpu_bench.LARGEST)
        assert size % 256 == 0
        assert 2048 <= size <= 16384
        assert size == 2048 or 3 * 2 * size**2 <= memory_gb * 1e8
    assert gpu_bench.size_for(80, 2, gpu_bench.LARGEST) == 16384


# The check ------------------------------------------------------------------------------------------------------


def product(seed, index):
    columns = list(zip(*gpu_bench.draw(seed, index, "b"), strict=True))
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns]
        for row in gpu_bench.draw(seed, index, "a")
    ]


def test_the_marketplace_expects_what_the_script_computes():
    whole = product(SEED, 1)
    assert gpu_bench.digest(whole) == expected(SEED, 1)
    assert max(abs(entry) for row in whole for entry in row) <= 2048  # exact in half precision


def test_the_digest_is_of_this_seed_and_this_gpu():
    assert len({expected(SEED, 0), expected(SEED, 1), expected("9f2d", 0)}) == 3
    assert {entry for row in gpu_bench.draw(SEED, 0, "a") for entry in row} == {-1, 0, 1, 2}


def test_the_digest_stays_what_it_was():
    """What a real PyTorch answered on a CPU, in half and in single precision: agents in the field compute the same."""
    assert expected("abc", 3) == "dac8332bcd8a2d1b3ba7318b3b85d321d2aff1018b5d7ae895f78f9c0d76f9f9"


def test_the_script_reads_on_the_oldest_python_that_is_supported():
    source = Path(gpu_bench.__file__).read_text()
    compile(source, "gpu_bench.py", "exec")
    assert source.index("from __future__ import annotations") < source.index("\nimport ")
    assert "from agent" not in source


def test_by_hand_before_the_enrolment_there_is_no_line_to_measure():
    """``rsm-agent benchmark`` on a machine that is not enrolled yet."""
    payload = {"seed": "ab", "seconds": 1, "values": ["network_bandwidth_gbps"], "iperf3": None}

    result = benchmark.measure(payload, None)

    assert result["values"] == {"network_bandwidth_gbps": None}
    assert "not enrolled" in result["reasons"]["network_bandwidth_gbps"]
