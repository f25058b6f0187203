"""Celery entry points about money."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing.services import (
    catching_up,
    forgetting,
    payments,
    payouts,
    plan_following,
    printing,
    refunds,
    stages,
    statements,
    webhooks,
)
from billing.services import reconcile as reconciliation


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
def charge_stages() -> int:
    """Sweep: later stages of long bookings whose time to be charged has come."""
    return stages.charge_due_stages(now=timezone.now())


@shared_task
def make_refund(refund_id: str) -> None:
    refunds.make_refund(refund_id=UUID(refund_id), now=timezone.now())


@shared_task
def make_refunds() -> int:
    """Sweep: refunds that wait."""
    return refunds.make_due_refunds(now=timezone.now())


@shared_task
def catch_up() -> int:
    """Sweep: refunds and disputes that somebody else began, and that nobody told us of."""
    return catching_up.catch_up(now=timezone.now())


@shared_task
def print_invoice(invoice_id: str) -> None:
    printing.print_one(invoice_id=UUID(invoice_id))


@shared_task
def print_invoices() -> int:
    """Sweep: invoices that are not printed yet."""
    return printing.print_invoices(now=timezone.now())


@shared_task
def mail_statements() -> int:
    """Sweep: monthly statements of businesses."""
    return statements.mail_statements(now=timezone.now())


@shared_task
def schedule_payouts() -> int:
    """Sweep: what providers have earned and is due."""
    return payouts.schedule_payouts(now=timezone.now())


@shared_task
def send_payout(payout_id: str) -> None:
    payouts.send_payout(payout_id=UUID(payout_id), now=timezone.now())


@shared_task
def send_payouts() -> int:
    """Sweep: scheduled payouts that go through the processor."""
    return payouts.send_due_payouts(now=timezone.now())


@shared_task
def ask_after_payouts() -> int:
    """Sweep: payouts that are on their way through the processor."""
    return payouts.ask_after_payouts(now=timezone.now())


@shared_task
def ask_after_subscriptions() -> int:
    """Sweep: plans that are not settled, or have been quiet."""
    return plan_following.ask_after_subscriptions(now=timezone.now())


@shared_task(soft_time_limit=2 * 3600, time_limit=2 * 3600 + 60)
def reconcile(what: str = "") -> None:
    """Every day: compare the last days with the processor; everything if asked for ``all``."""
    now = timezone.now()
    reconciliation.reconcile(now=now, since=None if what == "all" else now - reconciliation.EVERY_DAY)


@shared_task
def forget_events() -> int:
    """What the processor told us is kept for a while, then forgotten."""
    return forgetting.forget_events(now=timezone.now())


@shared_task
def forget_customers() -> int:
    """Sweep: have the processor forget people whose accounts are deleted."""
    return forgetting.forget_customers()
