"""Identifiers."""

import uuid

from uuid_utils import compat


def uuid7() -> uuid.UUID:
    """A version 7 UUID (RFC 9562): ordered by time, so that new rows stay together in the index."""
    return compat.uuid7()


def short(id: uuid.UUID) -> str:
    """The last eight hexadecimal digits: what people read out and what account names are made from.

    The *last* ones, because a version 7 UUID begins with the time and neighbours begin alike.
    """
    return id.hex[-8:]
