"""Celery entry points about people."""

from celery import shared_task
from django.utils import timezone

from accounts import outbox


@shared_task
def send_mails() -> int:
    """Sweep: send the mails that wait."""
    return outbox.send_due(now=timezone.now())
