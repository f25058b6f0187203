"""Who changes something, and why: facts that every change in a block bears.

They travel with each statement that writes, as a setting of its transaction, and the triggers put them beside the change.
A block that only reads costs nothing.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pghistory
from django.db import connection

#: The person (their id), the administrator who acted as them, the task of the background, the agent, the page's path,
#: and the reason in words.
FACTS = ("user", "acting", "task", "agent", "address", "why")
#: A reason is a sentence or two, not a file.
LONGEST_REASON = 1000


@contextmanager
def recorded(**facts: object) -> Iterator[None]:
    """Every change in the block bears these of :data:`FACTS`, beside those of the blocks around it."""
    known = _checked(facts)
    with pghistory.context() as around:
        before = dict(around.metadata)
        around.metadata.update(known)
        try:
            yield
        finally:
            around.metadata.clear()
            around.metadata.update(before)
        if not before:
            _forget()


def also(**facts: object) -> None:
    """Add to what the block around bears, from here to its end. Outside of any block nothing happens."""
    pghistory.context(**_checked(facts))


def because(why: str) -> AbstractContextManager[None]:
    """Every change in the block was made for this reason: ``with because("The papers have expired."):``."""
    return recorded(why=" ".join(why.split()))


def _checked(facts: dict[str, object]) -> dict[str, str]:
    if unknown := facts.keys() - set(FACTS):
        raise TypeError(f"History has no fact called {', '.join(sorted(unknown))}.")
    return {name: str(value)[:LONGEST_REASON] for name, value in facts.items() if value}


def _forget() -> None:
    """The setting lives as long as its transaction: what else it does was not part of the block."""
    if connection.in_atomic_block and not connection.needs_rollback:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('pghistory.context_id', '', true), set_config('pghistory.context_metadata', '', true)"
            )
