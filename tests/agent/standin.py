"""A marketplace that does what ``docs/agent-protocol.md`` says, small enough to fail on demand.

It checks every signature with ``ssh-keygen``, every sequence, time and nonce, as the real one does.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
import uuid
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STAMP = "%Y-%m-%dT%H:%M:%SZ"

#: As a fault: the request is dealt with, and its answer gets lost.
LOST = "lost"


class Marketplace:
    """What the server knows. Tests look at it and put work and faults into it."""

    def __init__(self):
        self.code = "ABCD-EFGH-JKLM"
        self.agent = str(uuid.uuid4())
        self.key = ""
        self.tokens: list[str] = []
        self.sequence = 0
        self.clock_ahead = 0.0
        self.heartbeat_seconds = 1
        self.rotate = False
        self.revoked = False
        self.work: list[dict] = []
        self.leased: dict[str, dict] = {}
        self.gone: set[str] = set()
        self.faults: dict[str, deque] = {}
        self.requests: list[tuple[str, dict]] = []
        self.messages: list[dict] = []
        self.reports: list[dict] = []
        self.refusals: list[str] = []
        self.lock = threading.RLock()

    # What tests do

    def order(self, kind, payload=None, **more):
        work = {"id": str(uuid.uuid4()), "kind": kind, "nonce": uuid.uuid4().hex, "attempt": 0, "lease_seconds": 60}
        self.work.append({**work, "payload": payload or {}, **more})
        return self.work[-1]

    def fail(self, part, *faults):
        """The next requests whose path ends so fail: (status, headers, body) or LOST."""
        self.faults.setdefault(part, deque()).extend(faults)

    def calls(self, part):
        return [body for path, body in list(self.requests) if path.endswith(part)]

    # What the server does

    def now(self):
        return datetime.fromtimestamp(time.time() + self.clock_ahead, tz=UTC)

    def error(self, status, code, **more):
        self.refusals.append(code)
        return status, {"error": code, "detail": f"It is {code}.", "server_time": self.now().strftime(STAMP), **more}

    def answer(self, path, body, token):
        with self.lock:
            self.requests.append((path, body))
            if path == "/agent/v1/enroll":
                return self.enroll(body)
            if self.revoked or token not in self.tokens:
                return self.error(401, "unauthorized")
            self.tokens = self.tokens[self.tokens.index(token) :]
            name = path.removeprefix("/agent/v1/").strip("/").split("/")
            if name == ["heartbeat"]:
                return 200, self.heartbeat()
            if name == ["work", "next"]:
                return 200, {"work": self.next(body), "retry_after": 0, "server_time": self.now().strftime(STAMP)}
            if name[0] == "work" and name[2] == "ack":
                return self.ack(name[1], body)
            message = self.checked(body)
            if not isinstance(message, dict):
                return message
            if name[0] == "work":
                return self.report(name[1], message)
            if name == ["rotate"]:
                self.rotate = False
                self.tokens.append(uuid.uuid4().hex)
                return 200, {"token": self.tokens[-1]}
            return 200, {"accepted": True}

    def enroll(self, body):
        message = json.loads(body["message"])
        if message["code"] != self.code or (self.key and self.key != message["public_key"]):
            return self.error(409, "too_late")
        self.key = message["public_key"]
        checked = self.checked(body)
        if not isinstance(checked, dict):
            return checked
        self.tokens = [uuid.uuid4().hex]
        return 200, {
            "agent": self.agent,
            "machine": str(uuid.uuid4()),
            "machine_name": "gpu-1",
            "node": "",
            "token": self.tokens[-1],
            "sequence": self.sequence,
            "server_time": self.now().strftime(STAMP),
            "heartbeat_seconds": self.heartbeat_seconds,
            "page": "https://marketplace.example/machines/1/agent/",
            "access_kind": "agent",
            "platform_key": "ssh-ed25519 AAAA",
        }

    def checked(self, body):
        """The message of a signed body, or the refusal."""
        if set(body) != {"message", "signature"}:
            return self.error(400, "malformed")
        text = body["message"]
        message = json.loads(text)
        assert text == json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "canonical"
        if not verified(self.key, "rsm-report", text.encode(), body["signature"]):
            return self.error(403, "bad_signature")
        sent = datetime.strptime(message["sent_at"], STAMP).replace(tzinfo=UTC)
        if abs((sent - self.now()).total_seconds()) > 300:
            return self.error(403, "bad_time")
        if message["sequence"] <= self.sequence:
            return self.error(403, "bad_sequence", sequence=self.sequence)
        self.sequence = message["sequence"]
        if message["kind"] != "enroll" and message["agent"] != self.agent:
            return self.error(403, "not_yours")
        self.messages.append(message)
        return message

    def heartbeat(self):
        return {
            "server_time": self.now().strftime(STAMP),
            "work": len(self.work),
            "rotate": self.rotate,
            "latest_version": "1.0.0",
            "heartbeat_seconds": self.heartbeat_seconds,
        }

    def next(self, body):
        for work_id in body["have"]:
            if work_id in self.leased:
                self.leased[work_id]["attempt"] += 1
                return self.leased[work_id]
        if not self.work:
            # A long poll in small, so that tests are quick.
            self.lock.release()
            time.sleep(0.1)
            self.lock.acquire()
            return None
        work = self.work.pop(0)
        work["attempt"] += 1
        self.leased[work["id"]] = work
        return work

    def ack(self, work_id, body):
        if work_id in self.gone or work_id not in self.leased:
            return self.error(404, "unknown")
        if body["attempt"] != self.leased[work_id]["attempt"]:
            return self.error(409, "too_late")
        return 200, {"lease_seconds": 120}

    def report(self, work_id, message):
        if work_id in self.gone or message["work"] != work_id:
            return self.error(404, "unknown")
        known = [report for report in self.reports if report["work"] == work_id]
        if known:
            return 200, {"accepted": True, "already": True}
        if work_id not in self.leased:
            return self.error(404, "unknown")
        work = self.leased[work_id]
        if message["attempt"] != work["attempt"]:
            return self.error(409, "too_late")
        if message["nonce"] != work["nonce"]:
            return self.error(403, "bad_nonce")
        self.reports.append(message)
        del self.leased[work_id]
        return 200, {"accepted": True, "already": False}


def verified(key, namespace, data, signature):
    """By OpenSSH itself."""
    with tempfile.TemporaryDirectory() as folder:
        allowed, armored = Path(folder) / "allowed", Path(folder) / "signature"
        allowed.write_text(f"agent {key}\n")
        armored.write_text(signature)
        command = ["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "agent", "-n", namespace, "-s", armored]
        return subprocess.run(command, input=data, capture_output=True, check=False).returncode == 0


@contextmanager
def served():
    """The marketplace and its address."""
    marketplace = Marketplace()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._send(200, {}, b"00  rsm-agent.pyz\n")

        def do_POST(self):
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path
            faults = next((kept for part, kept in marketplace.faults.items() if path.endswith(part) and kept), None)
            fault = faults.popleft() if faults else None
            if fault not in (None, LOST):
                status, headers, body = fault
                self._send(status, headers, json.dumps(body).encode() if isinstance(body, dict) else body)
                return
            body = json.loads(raw) if self.headers["Content-Type"] == "application/json" else {"bytes": len(raw)}
            token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            assert self.headers["User-Agent"].startswith("rsm-agent/")
            status, answer = marketplace.answer(path, body, token)
            if fault == LOST:
                self.close_connection = True
                return
            self._send(status, {}, json.dumps(answer).encode())

        def _send(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield marketplace, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def until(true, seconds=20.0):
    """Wait until it is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "It did not come true in time."
        time.sleep(0.02)
