"""What the worker does for the marketplace itself."""

from typing import Any

from celery import shared_task
from celery.signals import worker_ready

from marketplace.health import note_heartbeat


@shared_task
def heartbeat() -> None:
    """Say that tasks are being asked for and done: beat sent this one, a worker ran it."""
    note_heartbeat()


@worker_ready.connect
def first_heartbeat(**_: Any) -> None:
    """Do not let the site look ill until beat's first message: a worker that has just come up is there."""
    heartbeat.apply_async(retry=False)
