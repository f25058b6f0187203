"""Celery entry points about money."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing.services import payments, refunds, webhooks


@shared_task
def process_webhook(event_pk: str) -> None:
    webhooks.process_event(event_pk=UUID(event_pk), now=timezone.now())


@shared_task
def process_webhooks() -> int:
    """Sweep: webhooks whose message was lost or that failed."""
    return webhooks.process_due_events(now=timezone.now())


@shared_task
def ask_after_payments() -> int:
    """Sweep: payments that are begun and quiet."""
    return payments.ask_after_open_payments(now=timezone.now())


@shared_task
def make_refund(refund_id: str) -> None:
    refunds.make_refund(refund_id=UUID(refund_id), now=timezone.now())


@shared_task
def make_refunds() -> int:
    """Sweep: refunds that wait."""
    return refunds.make_due_refunds(now=timezone.now())
