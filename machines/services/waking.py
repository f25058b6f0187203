"""Telling an agent that waits for work that there is some. Only a hint: who misses it asks again."""

import logging
from functools import cache
from uuid import UUID

import redis
from django.conf import settings

log = logging.getLogger(__name__)

#: A hint that nobody waited for is dropped after this many seconds.
STALE_SECONDS = 60


@cache
def _client() -> redis.Redis:
    # An agent waits up to 20 s for an answer; the cache may take a little longer to say that there is none.
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=25)


def _key(agent_id: UUID) -> str:
    return f"agent-work:{agent_id.hex}"


def wake(agent_id: UUID) -> None:
    """There is work for this agent."""
    try:
        pipe = _client().pipeline(transaction=False)
        pipe.lpush(_key(agent_id), b"1")
        pipe.ltrim(_key(agent_id), 0, 0)
        pipe.expire(_key(agent_id), STALE_SECONDS)
        pipe.execute()
    except redis.RedisError as error:
        log.warning("An agent waits for its next question, the cache is away: %s", error)


def wait(agent_id: UUID, seconds: float) -> bool:
    """Wait up to ``seconds`` for :func:`wake`. Returns whether it came.

    Raises:
        redis.RedisError: the cache is away.
    """
    return _client().blpop([_key(agent_id)], timeout=seconds) is not None
