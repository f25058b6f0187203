"""The fleet at work: heartbeats on time, work when there is some, over connections that stay open."""

import http.client
import json
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent import VERSION
from common.sshsig import canonical, sign
from machines.services.messages import MOMENT, NAMESPACE
from marketplace.fleet.servers import Server
from marketplace.fleet.work import outcome

log = logging.getLogger(__name__)

#: Seconds that the marketplace may take for an answer.
TIMEOUT = 30
PIECES_AT_A_TIME = 20


class Away(Exception):
    """The marketplace does not answer."""


class Refused(Exception):
    """The marketplace answers, and says no."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        super().__init__(f"{status} {answer.get('error')}: {answer.get('detail')}")
        self.status, self.answer = status, answer


class Wire:
    """JSON to the marketplace, one open connection a thread."""

    def __init__(self, url: str) -> None:
        self.url = urlsplit(url)
        self._local = threading.local()

    def post(self, path: str, body: dict[str, Any], *, token: str = "") -> dict[str, Any]:
        """
        Raises:
            Away, Refused: see there.
        """
        headers = {"Content-Type": "application/json", "User-Agent": f"rsm-fleet/{VERSION}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = json.dumps(body)
        for is_last in (False, True):  # a connection that was kept open may have been closed meanwhile
            connection = self._connection()
            try:
                connection.request("POST", path, body=data, headers=headers)
                response = connection.getresponse()
                text = response.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                if is_last:
                    raise Away(str(error)) from error
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise Away(f"{response.status}, and no JSON") from error
        if response.status != 200:
            raise Refused(response.status, answer)
        return dict(answer)

    def _connection(self) -> http.client.HTTPConnection:
        if getattr(self._local, "connection", None) is None:
            kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
            self._local.connection = kind(self.url.hostname or "", self.url.port, timeout=TIMEOUT)
        return self._local.connection  # type: ignore[no-any-return]

    def _forget(self) -> None:
        self._local.connection.close()
        self._local.connection = None


@dataclass
class Fleet:
    """Servers with what they keep on disk, sending heartbeats every ``interval`` seconds."""

    wire: Wire
    interval: float
    threads: int
    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    def enroll(self, server: Server, *, code: str, file: Path) -> None:
        """As an agent does it: a code, a key of its own, a signed message."""
        message = {
            "code": code,
            "public_key": server.public_key,
            "version": VERSION,
            "hostname": server.hardware.name,
            "inventory": server.inventory(),
            "ssh": {"host": f"{server.hardware.name}.hosts.example", "port": 22},
            "simulated": True,
        }
        answer = self.wire.post("/agent/v1/enroll", self._signed(server, "enroll", message))
        server.agent, server.machine, server.token = answer["agent"], answer["machine"], answer["token"]
        server.save(file)
        self.counts["enrolled"] += 1

    def run(self, servers: Iterable[tuple[Server, Path]], *, until: Callable[[], bool]) -> None:
        """Heartbeats and work until ``until()``."""
        fleet = list(servers)
        due: list[tuple[float, int]] = []
        for number in range(len(fleet)):
            heappush(due, (time.monotonic() + random.random() * self.interval, number))  # noqa: S311
        with ThreadPoolExecutor(self.threads) as pool:
            while not until():
                wait = due[0][0] - time.monotonic() if due else 1
                if wait > 0:
                    time.sleep(min(wait, 0.5))
                    continue
                at, number = heappop(due)
                # What is late is not made up for: a real agent would not either.
                heappush(due, (max(at + self.interval * random.uniform(0.9, 1.1), time.monotonic()), number))  # noqa: S311
                pool.submit(self._beat, *fleet[number])

    def _beat(self, server: Server, file: Path) -> None:
        try:
            began = time.monotonic()
            answer = self.wire.post("/agent/v1/heartbeat", _heartbeat(server), token=server.token)
            self.seconds.append(time.monotonic() - began)
            self.counts["heartbeats"] += 1
            if answer["rotate"]:
                self._rotate(server, file)
            if answer["work"]:
                self._work(server, file)
        except Away as error:
            self.counts["unanswered"] += 1
            log.debug("%s: %s", server.hardware.name, error)
        except Refused as error:
            self.counts["refused"] += 1
            log.warning("%s: %s", server.hardware.name, error)
        except Exception:
            self.counts["failed"] += 1
            log.exception("%s", server.hardware.name)

    def _rotate(self, server: Server, file: Path) -> None:
        answer = self.wire.post("/agent/v1/rotate", self._signed(server, "rotate", {}, file), token=server.token)
        server.token = answer["token"]
        server.save(file)

    def _work(self, server: Server, file: Path) -> None:
        for _ in range(PIECES_AT_A_TIME):
            work = self.wire.post("/agent/v1/work/next", {"wait": 0, "have": []}, token=server.token)["work"]
            if work is None:
                return
            path = f"/agent/v1/work/{work['id']}"
            self.wire.post(f"{path}/ack", {"attempt": work["attempt"]}, token=server.token)
            message = {
                "work": work["id"],
                "work_kind": work["kind"],
                "attempt": work["attempt"],
                "status": "done",
                "error": "",
                "result": outcome(server, work, now=datetime.now(UTC).replace(microsecond=0)),
            }
            body = self._signed(server, "report", message, file, nonce=work["nonce"])
            self.wire.post(f"{path}/report", body, token=server.token)
            server.is_used = {"provision": True, "wipe": False}.get(work["kind"], server.is_used)
            self.counts[work["kind"]] += 1
            log.info("%s: %s done (simulated)", server.hardware.name, work["kind"])

    def _signed(
        self, server: Server, kind: str, message: dict[str, Any], file: Path | None = None, *, nonce: str = ""
    ) -> dict[str, Any]:
        server.sequence += 1
        if file:
            server.save(file)
        whole = {
            **message,
            "kind": kind,
            "sequence": server.sequence,
            "sent_at": datetime.now(UTC).strftime(MOMENT),
            "nonce": nonce,
        }
        if server.agent:
            whole["agent"] = server.agent
        text = canonical(whole)
        return {"message": text, "signature": sign(private_key=server.key, namespace=NAMESPACE, data=text.encode())}


def _heartbeat(server: Server) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "at": now.strftime(MOMENT),
        "version": VERSION,
        "boot_id": server.agent,
        "uptime_seconds": int(time.monotonic()),
        "busy": [],
        "health": server.health(at=now),
        "simulated": True,
    }
