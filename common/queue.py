"""Handing work to Celery.

A message only makes work start sooner: what is due is a question to the database, which the sweeps ask
every few seconds. So a broker that is away must never fail the request that wanted to be quick. Tasks are
named, not imported: services stand below the tasks that call them.
"""

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

#: A hint that has waited this long is dropped: the sweep has been by in the meantime.
STALE_SECONDS = 30


def soon(task: str, *args: str) -> None:
    """Ask for the task of this name (``"billing.tasks.make_refund"``) once the running transaction has committed."""
    transaction.on_commit(partial(_send, task, *args))


def _send(task: str, *args: str) -> None:
    try:
        current_app.send_task(task, args=args, retry=False, expires=STALE_SECONDS)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("%s waits for its sweep, the broker is away: %s", task, error)
