"""Which part does which kind of work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent import benchmark, inventory
from agent.context import Context
from agent.journal import Entry
from agent.work import provision, revoke, wipe
from agent.worker import Handler, Undo


def _inventory(context: Context, entry: Entry) -> dict[str, Any]:
    return {"inventory": inventory.collect()}


HANDLERS: Mapping[str, Handler] = {
    "provision": provision.run,
    "revoke": revoke.run,
    "wipe": wipe.run,
    "benchmark": benchmark.run,
    "inventory": _inventory,
}

#: What is done when work is taken back that was begun.
UNDO: Mapping[str, Undo] = {"provision": provision.undo}

lock_expired = provision.lock_expired
