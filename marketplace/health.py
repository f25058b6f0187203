"""Whether the marketplace works, for whoever watches over it: ``/healthz``.

Answers within a few seconds whatever is away, needs no session, and says which part it is without saying
where that part is or how one gets in.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

PATH = "/healthz"
HEARTBEAT = "marketplace:heartbeat"
# A worker that ran no task for this long is away.
HEARTBEAT_SECONDS = max(30, 3 * int(settings.SWEEP_SECONDS))
OK = "ok"

_checks = ThreadPoolExecutor(max_workers=8, thread_name_prefix="healthz")


def note_heartbeat() -> None:
    """Remember that a worker ran a task just now. The cache forgets it, so no two clocks are compared."""
    cache.set(HEARTBEAT, 1, timeout=HEARTBEAT_SECONDS)


def healthz(request: HttpRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    database = _checks.submit(_state, "database", check_database)
    answer = {"database": "", **_state_of_cache_and_worker()}
    answer["database"] = database.result()
    well = all(state == OK for state in answer.values())
    response = JsonResponse({"status": OK if well else "unavailable", **answer}, status=200 if well else 503)
    response["Cache-Control"] = "no-store"
    response._has_been_logged = True  # type: ignore[attr-defined]  # who asks every second knows already
    return response


def check_database() -> None:
    """Connect anew: a connection that is kept might still be fine when no new one can be had, and the other way round.

    Raises psycopg.Error.
    """
    parameters = {**connection.get_connection_params(), "connect_timeout": 2}
    parameters.pop("cursor_factory", None)
    parameters["options"] = "-c statement_timeout=2000"
    with psycopg.connect(**parameters) as probe:
        probe.execute("SELECT 1")


def _state(part: str, check: Callable[[], None]) -> str:
    try:
        check()
    except (psycopg.Error, OSError) as error:
        log.warning("%s: %s", part, type(error).__name__)
        return "no answer"
    return OK


def _state_of_cache_and_worker() -> dict[str, str]:
    try:
        beats = cache.get(HEARTBEAT) is not None
    except (RedisError, OSError) as error:
        log.warning("cache: %s", type(error).__name__)
        return {"cache": "no answer", "worker": "not known while the cache does not answer"}
    return {"cache": OK, "worker": OK if beats else f"no sign of a worker for {HEARTBEAT_SECONDS} s"}
