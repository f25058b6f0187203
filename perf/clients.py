"""Clients in processes of their own, each with one connection that stays open.

A plain socket instead of an HTTP library: on a machine that serves and asks at the same time, whatever a client
needs is taken from the server.
"""

import multiprocessing
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol

#: How long everybody races for one window before going on to the next.
WINDOW_SECONDS = 0.5
START_DELAY = 0.1


class Share(Protocol):
    """What one client does in a round."""

    def run(self, number: int, port: int, begin: float, seconds: float) -> "Outcome":
        """From ``begin`` (of the monotonic clock) on, for so long. Raises OSError when a server breaks off."""


class Work(Protocol):
    """What all clients do in a round."""

    def share(self, number: int) -> Share: ...


@dataclass(frozen=True)
class Job:
    """What each client asks for, again and again: ``requests[client]``, from the first to the last and round again.

    With ``by_clock`` all clients ask for the same one at the same time, and go on to the next every half second.
    """

    requests: Sequence[Sequence[bytes]]
    by_clock: bool = False

    def share(self, number: int) -> "Asking":
        return Asking(self.requests[number % len(self.requests)], self.by_clock)


@dataclass
class Outcome:
    """``steps``: of what has several, how long each took."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    steps: dict[str, list[float]] = field(default_factory=dict)

    def add(self, other: "Outcome") -> None:
        self.seconds += other.seconds
        self.latencies += other.latencies
        for answer, count in other.answers.items():
            self.answers[answer] = self.answers.get(answer, 0) + count
        for step, latencies in other.steps.items():
            self.steps.setdefault(step, []).extend(latencies)


class Clients:
    """``with Clients(port, 8) as clients: clients.run(job, seconds)``"""

    def __init__(self, port: int, count: int) -> None:
        self.port, self.count = port, count

    def __enter__(self) -> "Clients":
        context = multiprocessing.get_context("spawn")
        self.ends, self.processes = [], []
        for number in range(self.count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_client, args=(number, self.port, theirs), daemon=True)
            process.start()
            theirs.close()
            self.ends.append(ours)
            self.processes.append(process)
        return self

    def __exit__(self, *_: object) -> None:
        for end in self.ends:
            end.close()
        for process in self.processes:
            process.join(5)
            process.kill()

    def run(self, job: Work, seconds: float) -> Outcome:
        begin = time.monotonic() + START_DELAY
        for number, end in enumerate(self.ends):
            end.send((job.share(number), begin, seconds))
        answers = [end.recv() for end in self.ends]
        outcome = Outcome()
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(answer)
            outcome.add(answer)
        outcome.seconds = max(answer.seconds for answer in answers)  # until the last answer was there
        return outcome


def _client(number: int, port: int, orders: Connection) -> None:
    while True:
        try:
            share, begin, seconds = orders.recv()
        except EOFError:
            return
        try:
            orders.send(share.run(number, port, begin, seconds))
        except OSError as error:
            orders.send(f"client {number}: {error}")


@dataclass(frozen=True)
class Asking:
    """One client's share of a :class:`Job`."""

    requests: Sequence[bytes]
    by_clock: bool

    def run(self, number: int, port: int, begin: float, seconds: float) -> Outcome:
        outcome = Outcome()
        with connected(port) as connection:
            time.sleep(max(0.0, begin - time.monotonic()))
            asked = number * 7  # not everybody the same page at the same time
            while (before := time.monotonic()) < begin + seconds:
                turn = int((before - begin) / WINDOW_SECONDS) if self.by_clock else asked
                connection.sendall(self.requests[turn % len(self.requests)])
                answer = str(read(connection))
                outcome.latencies.append(time.monotonic() - before)
                outcome.answers[answer] = outcome.answers.get(answer, 0) + 1
                asked += 1
            outcome.seconds = time.monotonic() - begin
        return outcome


def connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@dataclass(frozen=True)
class Answer:
    """As words its status and, of a redirect, where it leads: ``302 /bookings``."""

    status: int
    location: str
    body: bytes
    cookies: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} /{self.location.split('/', 2)[1]}" if self.location else f"{self.status}"


def read(connection: socket.socket) -> Answer:
    """One answer to its end.

    Raises:
        OSError: there is none, or it has no length.
    """
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            raise OSError("the server closed the connection")
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    _, _, rest = head.lower().partition(b"content-length:")
    if not rest:
        raise OSError(f"an answer without a length: {head[:200]!r}")
    missing = int(rest.split(b"\r\n", 1)[0]) - len(body)
    chunks = [body]
    while missing > 0:
        chunk = connection.recv(min(missing, 1 << 20))
        if not chunk:
            raise OSError("the server closed the connection in the middle of an answer")
        chunks.append(chunk)
        missing -= len(chunk)
    _, _, location = head.lower().partition(b"\r\nlocation: ")
    cookies = dict(
        row.decode().partition(":")[2].partition(";")[0].strip().partition("=")[::2]
        for row in head.split(b"\r\n")
        if row.lower().startswith(b"set-cookie:")
    )
    return Answer(int(head[9:12]), location.split(b"\r\n", 1)[0].decode(), b"".join(chunks), cookies)
