"""Statements that read whole tables, and may take longer than anything that a page waits for."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def no_hurry(minutes: int = 30) -> Iterator[None]:
    """Let statements take so long meanwhile, instead of what settings allow them (``DATABASE_STATEMENT_TIMEOUT``)."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = %s", [f"{minutes}min"])
    try:
        yield
    finally:
        if not connection.needs_rollback:  # else it is taken back with everything
            with connection.cursor() as cursor:
                cursor.execute("RESET statement_timeout")
