"""The number that every signed message carries: it only ever grows, also over crashes and between processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.files import held, write_whole


class Sequence:
    """``sequence`` in the state folder holds the last number that was given out."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sequence"
        self._lock = folder / "sequence.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Held from taking a number until the answer is there: messages arrive in the order of their numbers."""
        with held(self._lock):
            yield

    def take(self, above: int = 0) -> int:
        """The next number, greater than ``above`` too. On the disk when it returns."""
        number = max(self.last(), above) + 1
        write_whole(self._path, f"{number}\n")
        return number

    def last(self) -> int:
        """The last number given out. 0 when none was or the file is spoilt: the marketplace's refusal tells the right one."""
        try:
            return int(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return 0
