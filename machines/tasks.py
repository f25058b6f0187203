"""Celery entry points about machines: the sweeps. Each asks the database what is due; lost messages cost nothing."""

from celery import shared_task
from django.utils import timezone

from machines import partitions
from machines.services import refusals, reliability, silence, suspension


@shared_task
def call_silent_agents() -> int:
    """Sweep: machines that are not heard any more go offline, and their providers are told."""
    return silence.sweep(now=timezone.now())


@shared_task
def roll_up_hours() -> int:
    """Heartbeats become hours."""
    return partitions.roll_up(now=timezone.now())


@shared_task
def keep_days() -> None:
    """Make room for the samples of the days to come, and forget what is too old."""
    now = timezone.now()
    partitions.keep_partitions(now=now)
    partitions.drop_hours(now=now)


@shared_task
def follow_reliability() -> int:
    """Compute every machine's figure, and suspend or bring back what follows from it."""
    now = timezone.now()
    reliability.recompute_all(now=now)
    return suspension.suspend_and_lift(now=now)


@shared_task
def forget_refusals() -> int:
    """Messages that were refused are kept for a while, then forgotten."""
    return refusals.forget_refusals(now=timezone.now())
