"""What the agent is in the middle of, on disk: an agent that dies finishes or undoes it when it starts again.

One file a piece of work, one JSON object a line, each line on the disk before the step that it announces is begun.
A last line that was cut off by a crash is as if it had not been begun to be written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.files import sync_folder


class Entry:
    """A piece of work and what has been noted about it."""

    def __init__(self, path: Path, lines: list[dict[str, Any]]) -> None:
        self._path = path
        self._lines = lines

    @property
    def work(self) -> dict[str, Any]:
        """The work as the marketplace gave it, with the newest nonce and attempt: ``id kind nonce attempt payload``."""
        return next(line["work"] for line in reversed(self._lines) if "work" in line)

    @property
    def id(self) -> str:
        return str(self.work["id"])

    @property
    def kind(self) -> str:
        return str(self.work["kind"])

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.work["payload"])

    def note(self, step: str, **facts: Any) -> None:
        """Write down that ``step`` is begun or done. On the disk when this returns."""
        self._append({"step": step, **facts})

    def noted(self, step: str) -> dict[str, Any] | None:
        """The newest note of this step, or ``None``."""
        return next((line for line in reversed(self._lines) if line.get("step") == step), None)

    def again(self, work: dict[str, Any]) -> None:
        """The marketplace has handed the same work out once more."""
        if work != self.work:
            self._append({"work": work})

    def _append(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, sort_keys=True) + "\n"
        with self._path.open("ab+") as file:
            file.write(self._mend(file.tell(), file) + text.encode())
            file.flush()
            os.fsync(file.fileno())
        self._lines.append(line)

    @staticmethod
    def _mend(size: int, file: Any) -> bytes:
        """What ends a line that a crash has cut off: written onto its rest, the next line would be lost with it."""
        if size == 0:
            return b""
        file.seek(size - 1)
        return b"" if file.read(1) == b"\n" else b"\n"


class Journal:
    """The folder of unfinished work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, work: dict[str, Any]) -> Entry:
        """The entry of this work: the one that is there, or a new one. ValueError for an id that is none."""
        path = self._path(str(work["id"]))
        found = self._read(path)
        if found is None:
            found = Entry(path, [])
            found._append({"work": work})
            sync_folder(self._folder)
        else:
            found.again(work)
        return found

    def unfinished(self) -> list[Entry]:
        """All that was begun and not finished, oldest first."""
        entries = [self._read(path) for path in sorted(self._folder.glob("*.jsonl"), key=_modified)]
        return [entry for entry in entries if entry is not None]

    def close(self, entry: Entry) -> None:
        """The marketplace knows the outcome: nothing of it is left to do."""
        entry._path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _path(self, work_id: str) -> Path:
        if not work_id or not all(letter in "0123456789abcdefABCDEF-" for letter in work_id):
            raise ValueError(f"{work_id!r} is no id of a piece of work")
        return self._folder / f"{work_id}.jsonl"

    def _read(self, path: Path) -> Entry | None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        lines = list(_lines(text))
        return Entry(path, lines) if any("work" in line for line in lines) else None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # finished since the folder was read
        return 0.0


def _lines(text: str) -> Iterator[dict[str, Any]]:
    for line in text.split("\n"):
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed
