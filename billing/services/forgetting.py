"""What of money is forgotten in time: messages of the processor, and its customers whose accounts are deleted."""

import logging
from datetime import datetime, timedelta

from django.conf import settings

from billing import gateway
from billing.errors import PaymentError
from billing.models import StripeCustomer, WebhookEvent
from common.clearing import delete_in_parts

log = logging.getLogger(__name__)


def forget_events(*, now: datetime) -> int:
    """Delete messages that have been processed and are older than the settings say. Returns how many."""
    oldest = now - timedelta(days=settings.MARKETPLACE_PROCESSOR_EVENTS_DAYS)
    return delete_in_parts(WebhookEvent.objects.filter(processed_at__isnull=False, received_at__lt=oldest))


def forget_customers(*, limit: int = 50) -> int:
    """Have the processor delete the customers whose accounts are deleted, with their cards. Returns how many went.

    One that could not be is met by the next sweep again.
    """
    gone = StripeCustomer.objects.filter(user__deletion_requests__done_at__isnull=False).order_by("pk")[:limit]
    return sum(_forget_customer(row) for row in gone)


def _forget_customer(row: StripeCustomer) -> bool:
    try:
        gateway.delete_customer(row.stripe_id)
    except PaymentError as error:
        log.warning("customer %s is still at the processor: %s", row.stripe_id, error)
        return False
    row.delete()
    return True
