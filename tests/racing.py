"""Doing the same thing many times at the same moment, as processes would: each thread has connections of its own."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


def at_once(calls: Iterable[Callable[[], Any]]) -> list[Any]:
    """Make the calls together; what each returned or, where it raised, the exception. In order."""
    calls = list(calls)
    ready = threading.Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        try:
            connections["default"].ensure_connection()
            ready.wait(30)
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def twice_at_once(call: Callable[[], Any]) -> list[Any]:
    """Two at the same moment, then once more. Raises what any of them raised."""
    results = at_once([call, call])
    for result in results:
        if isinstance(result, Exception):
            raise result
    return [*results, call()]


def until(true: Callable[[], Any], what: str, *, seconds: float = 30) -> Any:
    """Wait until ``true()`` is, and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.02)
    return found
