"""Which ids the copies of a row have: said to the database by :mod:`perf.money`, and to the processor's lists."""

import hashlib
from uuid import UUID


def copy_of(row: str, number: int) -> UUID:
    """The id of the copy with this number; 0 is the row itself."""
    return UUID(hashlib.md5(f"{row}{number}".encode()).hexdigest()) if number else UUID(row)
