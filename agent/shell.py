"""Running the system's own tools."""

from __future__ import annotations

import os
import select
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

#: Where tools are. A path that is empty, or has an empty part, would mean the folder that the agent happens to be in.
_PATH = [
    *os.environ.get("PATH", "").split(":"),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
]

#: Tools speak English and need not be on the caller's path.
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "PATH": ":".join(part for part in _PATH if part)}

#: Bytes that are kept of what a command prints, of each of its two outputs: a buyer's shell may print without end.
MOST_OUTPUT = 1_000_000


@dataclass(frozen=True)
class Done:
    """How a command ended. ``status`` is -1 when it took too long and 127 when there is no such tool."""

    command: str
    status: int
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        return self.status == 0

    def __str__(self) -> str:
        said = "\n".join(part for part in (self.output.strip(), self.errors.strip()) if part)
        return f"$ {self.command}  [{self.status}]" + (f"\n{said}" if said else "")


def run(command: Sequence[str], *, timeout: float = 60, stdin: str = "") -> Done:
    """Run a command without a shell and wait for it, ``timeout`` in seconds. Never raises for what the command does.

    It runs in a session of its own: it cannot ask at a terminal, a Ctrl-C for the agent does not reach it in the
    middle, and when it takes too long all that it started ends with it.
    """
    words = [str(word) for word in command]
    text = " ".join(words)
    try:
        process = subprocess.Popen(  # noqa: S603 - a list of words, no shell
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Done(text, 127, "", str(error))
    with _Talk(process, stdin.encode("utf-8", "replace")) as talk:
        if talk.ended_within(timeout):
            return Done(text, process.returncode, talk.output, talk.errors)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # One that escaped into another session may hold the pipe open: it is not waited for.
        talk.ended_within(2)
        said = f"{talk.errors}\nIt took longer than {timeout:.0f} s and was ended.".strip()
        return Done(text, -1, talk.output, said)


class _Talk:
    """Gives a process what it is to read, and keeps what it says, up to :data:`MOST_OUTPUT`."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        self._process = process
        self._left = memoryview(stdin)
        self._said = {process.stdout: bytearray(), process.stderr: bytearray()}
        self._pipes = selectors.DefaultSelector()
        self._pipes.register(process.stdin, selectors.EVENT_WRITE)  # type: ignore[arg-type]
        for pipe in self._said:
            self._pipes.register(pipe, selectors.EVENT_READ)  # type: ignore[arg-type]

    def __enter__(self) -> _Talk:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._pipes.get_map().values()):
            self._close(key.fileobj)
        self._pipes.close()

    @property
    def output(self) -> str:
        return self._text(self._process.stdout)

    @property
    def errors(self) -> str:
        return self._text(self._process.stderr)

    def ended_within(self, seconds: float) -> bool:
        """Whether it has said all and ended, ``seconds`` from now at the latest."""
        deadline = time.monotonic() + seconds
        while self._pipes.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._pipes.select(left):
                self._go_on(key.fileobj)
        try:
            self._process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _go_on(self, pipe: Any) -> None:
        if pipe is self._process.stdin:
            self._write(pipe)
            return
        chunk = os.read(pipe.fileno(), 65536)
        if chunk:
            said = self._said[pipe]
            said += chunk[: MOST_OUTPUT - len(said)]
        else:
            self._close(pipe)

    def _write(self, pipe: Any) -> None:
        try:
            # So little can always be written to a pipe that is ready.
            written = os.write(pipe.fileno(), self._left[: select.PIPE_BUF]) if self._left else 0
        except BrokenPipeError:
            written = len(self._left)
        self._left = self._left[written:]
        if not self._left:
            self._close(pipe)

    def _close(self, pipe: Any) -> None:
        self._pipes.unregister(pipe)
        with suppress(OSError):
            pipe.close()

    def _text(self, pipe: Any) -> str:
        return self._said[pipe].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def has(tool: str) -> bool:
    """Whether a tool of this name can be run."""
    return shutil.which(tool, path=ENVIRONMENT["PATH"]) is not None
