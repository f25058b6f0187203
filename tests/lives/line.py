"""What goes wrong between us and the processor: crashes before and after each call, lost answers, lost and mixed-up events."""

import heapq
import random
from datetime import datetime, timedelta

from billing.services import webhooks
from tests.stripe_server.client import Answer, Asked, lost, said
from tests.stripe_server.fixtures import Processor

MINUTE = timedelta(minutes=1)


class Crash(BaseException):
    """Our process is gone, from one instruction to the next."""


class Line:
    """Injects faults into calls and events, as ``rng`` decides. ``rate`` is the share of calls that go wrong."""

    def __init__(self, processor: Processor, rng: random.Random, *, rate: float) -> None:
        self.processor, self.rng, self.rate = processor, rng, rate
        #: The share of events that never come.
        self.losing = 0.15
        self.faults: dict[str, int] = {}
        self._told = 0
        self._under_way: list[tuple[datetime, int, int]] = []
        processor.fault = self._fault

    def _fault(self, asked: Asked, answer: Answer | None) -> Answer | None:
        if self.rng.random() >= self.rate:
            return None
        when = "before" if answer is None else "after"
        what = self.rng.choice(("crash", "lost", "500", "429") if answer is None else ("crash", "lost", "500"))
        self._count(f"{what} {when}")
        if what == "crash":
            raise Crash
        if what == "lost":
            raise lost()
        return said(429, "rate_limit_error") if what == "429" else said(500)

    def _count(self, what: str) -> None:
        self.faults[what] = self.faults.get(what, 0) + 1

    def quiet(self) -> None:
        """From now on nothing goes wrong, and what was told and not lost arrives."""
        self.rate = 0.0

    def carry(self, now: datetime) -> None:
        """Take what the processor has told since: some of it is lost, some comes twice, all of it when it likes."""
        for place in range(self._told, len(self.processor.events)):
            if self.rate and self.rng.random() < self.losing:
                self._count("event lost")
                continue
            for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
                delay = self.rng.choice((0, 0, 1, 10, 600, 3000)) * MINUTE if self.rate else 0 * MINUTE
                heapq.heappush(self._under_way, (now + delay, self.rng.randrange(1_000_000), place))
        self._told = len(self.processor.events)
        while self._under_way and (self._under_way[0][0] <= now or not self.rate):
            _, _, place = heapq.heappop(self._under_way)
            webhooks.store_event(self.processor.events[place].event, now=now)
