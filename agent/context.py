"""What every part of the agent is given: where things lie, the key, the clock, the way to the marketplace."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.config import Config
    from agent.journal import Journal
    from agent.signing import Key
    from agent.wire import Wire


@dataclass
class Context:
    config: Config
    key: Key
    wire: Wire
    journal: Journal
    #: Set when the agent is told to end: what waits may stop waiting.
    stopping: threading.Event = field(default_factory=threading.Event)
    #: Held while accounts are made or locked, so that an end that is just being moved is not taken for one that passed.
    accounts: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """The time by the marketplace's clock, in UTC and whole seconds."""
        return datetime.fromtimestamp(self.wire.server_clock(), tz=timezone.utc).replace(microsecond=0)


def stamp(moment: datetime) -> str:
    """As the protocol writes moments: ``2026-11-21T14:00:00Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_stamp(text: str) -> datetime:
    """The moment that :func:`stamp` wrote. Raises ValueError for anything else."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
