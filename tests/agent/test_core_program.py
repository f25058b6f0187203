"""The program as a provider runs it: one file, given its commands, killed, stopped and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.building import build
from agent.enrolling import tidy
from tests.agent.standin import LOST, served, until

SOURCE = Path(__file__).resolve().parents[2]

#: Another Python to run the program with, such as the oldest that it promises to run on.
PYTHON = os.environ.get("AGENT_TEST_PYTHON", sys.executable)

#: What the work does here: it notes that it was begun, and takes as long as the order says.
HANDLERS = """
from __future__ import annotations

import time

from agent import inventory

def note(context, what):
    with open(context.config.folder / "noted", "a") as file:
        file.write(what + "\\n")

def slow(context, entry):
    note(context, "begun")
    entry.note("account")
    time.sleep(entry.payload.get("seconds", 0) if entry.work["attempt"] == 1 else 0)
    note(context, "done")
    return {"inventory": inventory.collect()}

def undo(context, entry):
    note(context, "undone")

def lock_expired(context):
    return []

HANDLERS = {"inventory": slow, "provision": slow}
UNDO = {"provision": undo}
"""


class Program:
    """The zipapp with a state folder of its own."""

    def __init__(self, folder, url):
        self.path = folder / "rsm-agent.pyz"
        self.state = folder / "state"
        self.url = url
        copy = folder / "source"
        shutil.copytree(SOURCE / "agent", copy / "agent", ignore=shutil.ignore_patterns("__pycache__"))
        (copy / "agent" / "handlers.py").write_text(HANDLERS)
        (copy / "agent" / "benchmark.py").write_text(
            "def measure(payload, context): return {'values': {'cpu_score': 1.5}}\n"
        )
        self.path.write_bytes(build(copy))
        self.begun = []

    def __call__(self, *arguments, status=0):
        command = [PYTHON, self.path, "--state", self.state, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def enroll(self, *more, code="abcd-efgh-jklm", status=0):
        return self("enroll", "--server", self.url, "--code", code, *more, status=status)

    def start(self, **environment):
        log = (self.state.parent / f"log{len(self.begun)}").open("w")
        command = [PYTHON, self.path, "run", "--state", self.state]
        self.begun.append(subprocess.Popen(command, stderr=log, env={**os.environ, **environment}))
        return self.begun[-1]

    def log(self, number=-1):
        return (self.state.parent / f"log{range(len(self.begun))[number]}").read_text()

    @property
    def noted(self):
        path = self.state / "noted"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def marketplace():
    with served() as (marketplace, url):
        marketplace.url = url
        yield marketplace


@pytest.fixture
def program(tmp_path, marketplace):
    program = Program(tmp_path, marketplace.url)
    yield program
    for process in program.begun:
        if process.poll() is None:
            process.kill()
        process.wait()


def stopped(process, number=signal.SIGTERM):
    begun = time.monotonic()
    process.send_signal(number)
    assert process.wait(15) == 0
    return time.monotonic() - begun


def test_it_enrolls_works_and_stops(program, marketplace):
    said = program.enroll("--ssh-host", "gpu-1.example", "--ssh-port", "2222")
    assert "Enrolled for gpu-1." in said
    assert "SHA256:" in said
    enrolment, self_test = marketplace.messages
    assert enrolment["ssh"] == {"host": "gpu-1.example", "port": 2222}
    assert enrolment["inventory"]["cpu"]["threads"] >= 1
    assert "agent" not in enrolment
    assert {check["status"] for check in self_test["checks"]} <= {"pass", "warn", "fail"}
    assert {"server", "clock"} <= {check["id"] for check in self_test["checks"]}

    process = program.start()
    order = marketplace.order("inventory")
    until(lambda: marketplace.reports and (program.state / "heartbeat.json").exists())
    assert marketplace.reports[0]["result"]["inventory"]["memory_mb"] > 0
    assert marketplace.reports[0]["nonce"] == order["nonce"]
    assert stopped(process) < 6

    said = json.loads(program("status", "--json"))
    assert (said["machine"], said["unfinished"], said["last_error"]) == ("gpu-1", [], "")
    assert said["last_heartbeat"]
    assert "gpu-1" in program("status")
    modes = {path.name: oct(path.stat().st_mode & 0o077) for path in program.state.iterdir() if path.is_file()}
    del modes["noted"]
    assert set(modes.values()) == {"0o0"}


def test_killed_in_the_middle_it_does_the_work_again(program, marketplace):
    program.enroll()
    process = program.start()
    marketplace.order("provision", {"seconds": 60})
    until(lambda: program.noted == ["begun"])
    process.kill()
    process.wait()
    assert len(json.loads(program("status", "--json"))["unfinished"]) == 1
    program.start()
    until(lambda: marketplace.reports)
    assert marketplace.reports[0]["attempt"] == 2
    assert program.noted == ["begun", "begun", "done"]


def test_killed_before_its_report_arrives_it_repeats_only_the_report(program, marketplace):
    program.enroll()
    marketplace.fail("/report", *[(503, {"Retry-After": "30"}, {})] * 2)
    process = program.start()
    marketplace.order("provision")
    until(lambda: len(marketplace.faults["/report"]) == 1)
    process.kill()
    process.wait()
    marketplace.faults.clear()
    program.start()
    until(lambda: marketplace.reports)
    assert marketplace.reports[0]["status"] == "done"
    assert program.noted == ["begun", "done"]


def test_killed_after_its_report_arrived_nothing_happens_twice(program, marketplace):
    program.enroll()
    marketplace.fail("/report", LOST, *[(503, {"Retry-After": "30"}, {})] * 2)
    process = program.start()
    marketplace.order("provision")
    until(lambda: len(marketplace.faults["/report"]) == 1)
    process.kill()
    process.wait()
    marketplace.faults.clear()
    program.start()
    until(lambda: len(marketplace.calls("/report")) == 2)
    until(lambda: json.loads(program("status", "--json"))["unfinished"] == [])
    assert len(marketplace.reports) == 1
    assert program.noted == ["begun", "done"]


def test_killed_in_the_middle_of_work_that_is_then_taken_back_it_undoes_it(program, marketplace):
    program.enroll()
    process = program.start()
    order = marketplace.order("provision", {"seconds": 60})
    until(lambda: program.noted == ["begun"])
    process.kill()
    process.wait()
    marketplace.gone.add(marketplace.leased.pop(order["id"])["id"])
    program.start()
    until(lambda: program.noted == ["begun", "undone"])


def test_killed_again_and_again_it_comes_through_and_its_sequence_only_grows(program, marketplace):
    program.enroll()
    for _ in range(3):
        marketplace.order("provision", {"seconds": 0.3})
    for pause in (0.35, 0.5, 0.6, 0.7, 0.8):
        process = program.start()
        time.sleep(pause)
        process.kill()
        process.wait()
    program.start()
    until(lambda: len(marketplace.reports) == 3)
    assert "bad_sequence" not in marketplace.refusals
    assert {report["status"] for report in marketplace.reports} == {"done"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_seconds_in_the_middle_of_work_which_stays_in_the_journal(program, marketplace, number):
    program.enroll()
    process = program.start()
    marketplace.order("provision", {"seconds": 60})
    until(lambda: program.noted == ["begun"])
    assert stopped(process, number) < 8
    assert len(json.loads(program("status", "--json"))["unfinished"]) == 1


def test_under_systemd_its_lines_have_their_priority(program, marketplace):
    program.enroll()
    marketplace.revoked = True
    process = program.start(JOURNAL_STREAM="8:1234")
    until(lambda: "DOES NOT LET" in program.log())
    stopped(process)
    lines = program.log().splitlines()
    assert all(line.startswith("<") for line in lines)
    assert any(line.startswith("<3>THE MARKETPLACE DOES NOT LET") for line in lines)
    assert any(line.startswith("<6>rsm-agent 1.0.0") for line in lines)


def test_a_second_run_is_refused(program):
    program.enroll()
    program.start()
    until(lambda: "begins" in program.log())
    assert "Another rsm-agent" in program("run", status=1)


def test_an_enrolment_whose_answer_is_lost_is_sent_again_with_the_same_key(program, marketplace):
    marketplace.fail("/enroll", LOST)
    assert "Once more" in program.enroll()
    keys = {message["public_key"] for message in marketplace.messages if message["kind"] == "enroll"}
    assert len(keys) == 1
    assert len(marketplace.calls("/enroll")) == 2
    program.start()
    until(lambda: marketplace.calls("/heartbeat"))


def test_an_enrolment_that_failed_keeps_the_key_for_the_next_try(program, marketplace):
    assert "too_late" in program.enroll(code="XXXX-XXXX-XXXX", status=1)
    key = (program.state / "key").read_bytes()
    assert "Not enrolled" in program("run", status=78)
    program.enroll()
    assert (program.state / "key").read_bytes() == key


def test_the_same_code_again_is_no_mistake_but_another_is(program, marketplace):
    program.enroll()
    assert "already with this code" in program.enroll()
    assert len(marketplace.calls("/enroll")) == 1
    assert "unenroll" in program.enroll(code="NEWC-NEWC-NEWC", status=1)


def test_codes_may_be_typed_in_small_letters():
    assert tidy(" abcd-EFGH-jklm\n") == "ABCD-EFGH-JKLM"


def test_an_address_that_is_not_encrypted_is_refused_before_anything_is_said(program):
    program.url = "http://marketplace.example"
    assert "not encrypted" in program.enroll(status=1)
    assert not (program.state / "key").exists()


def test_unenrolling_tells_the_marketplace_and_forgets_everything(program, marketplace):
    program.enroll()
    (program.state / "mine.txt").write_text("not the agent's")
    program("unenroll")
    assert marketplace.messages[-1]["kind"] == "unenroll"
    assert [path.name for path in program.state.iterdir()] == ["mine.txt"]
    assert "Not enrolled" in program("unenroll", status=78)
    assert "Not enrolled" in program("status", status=78)


def test_unenrolling_is_refused_while_work_is_unfinished_or_the_marketplace_says_no(program, marketplace):
    program.enroll()
    (program.state / "journal").mkdir(exist_ok=True)
    work = {"id": "0b1e", "kind": "wipe", "nonce": "n", "attempt": 1, "payload": {}}
    entry = program.state / "journal" / "0b1e.jsonl"
    entry.write_text(json.dumps({"work": work}) + "\n")
    assert "wipe" in program("unenroll", status=1)
    entry.unlink()
    marketplace.fail("/unenroll", *[(409, {}, {"error": "too_late", "detail": "A booking runs on this machine."})] * 2)
    assert "A booking runs" in program("unenroll", status=1)
    assert (program.state / "key").exists()
    assert "not told" in program("unenroll", "--force")
    assert not program.state.exists()


def test_unenrolling_what_was_revoked_forgets_it(program, marketplace):
    program.enroll()
    marketplace.revoked = True
    program("unenroll")
    assert not program.state.exists()


def test_the_self_test_is_printed_and_sent(program, marketplace):
    program.enroll()
    command = [PYTHON, program.path, "self-test", "--state", program.state, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == any(check["status"] == "fail" for check in found)
    assert marketplace.messages[-1]["checks"] == found


def test_the_benchmark_by_hand_needs_no_enrolment(program):
    assert json.loads(program("benchmark", "--json"))["values"] == {"cpu_score": 1.5}
    assert "cpu_score" in program("benchmark")


def test_a_state_folder_that_cannot_be_made_is_said(program, tmp_path):
    (tmp_path / "file").write_text("")
    program.state = tmp_path / "file" / "state"
    assert "Traceback" not in program.enroll(status=1)
