"""Messages that were refused: kept for a while, so that attacks can be told from mistakes."""

from datetime import datetime, timedelta

from django.conf import settings

from common.clearing import delete_in_parts
from machines.models import Refusal


def forget_refusals(*, now: datetime) -> int:
    """Delete those that are older than the settings say. Returns how many."""
    oldest = now - timedelta(days=settings.MARKETPLACE_REFUSALS_DAYS)
    return delete_in_parts(Refusal.objects.filter(at__lt=oldest))
