"""How long to wait before the marketplace is asked again."""

from __future__ import annotations

import random


class Backoff:
    """Doubles from ``first`` to ``most`` seconds, with jitter of ±25 %, or waits as long as the marketplace asked."""

    def __init__(self, first: float = 2, most: float = 60) -> None:
        self.first = first
        self.most = most
        self._next = first

    def after_failure(self, retry_after: float | None = None) -> float:
        """Seconds to wait now. Without jitter all agents would come back in the same moment after an outage."""
        wait = self._next if retry_after is None else retry_after
        self._next = min(self._next * 2, self.most)
        return wait * random.uniform(0.75, 1.25) if retry_after is None else wait * random.uniform(1, 1.25)  # noqa: S311

    def reset(self) -> None:
        """It answered."""
        self._next = self.first
