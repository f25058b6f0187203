"""Working through rows that talk to somebody outside: who has a row, when to try again, what time it is by now."""

from datetime import datetime, timedelta
from time import monotonic


def growing_pause(attempts: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """How long to wait after so many failed attempts: twice as long each time, up to ``longest``."""
    return min(first * (1 << min(max(attempts, 1) - 1, 20)), longest)


class Clock:
    """The caller's ``now``, going on by the second while a sweep works: a lease counts from when its row was taken."""

    def __init__(self, now: datetime) -> None:
        self._now, self._began = now, monotonic()

    def now(self) -> datetime:
        return self._now + timedelta(seconds=int(monotonic() - self._began))
