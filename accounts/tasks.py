"""Celery entry points about people."""

from celery import shared_task
from django.utils import timezone

from accounts import outbox
from accounts.services import (
    deletions,
    digests,
    exports,
    notifications,
    retention,
    verification_documents,
    verification_ends,
    webhooks,
)
from accounts.services.tokens import forget_uses
from accounts.services.webhook_delivery import deliver_due


@shared_task
def send_mails() -> int:
    """Sweep: send the mails that wait."""
    return outbox.send_due(now=timezone.now())


@shared_task
def gather_digests() -> int:
    """Sweep: make one mail of what waits for each person whose digest is due."""
    return digests.gather_due(now=timezone.now())


@shared_task
def deliver_webhooks() -> int:
    """Sweep: send what webhooks and Discord are to hear."""
    return deliver_due(now=timezone.now())


@shared_task
def tidy_messages() -> int:
    """Forget old notifications that nobody keeps, and what was sent to webhooks long ago."""
    now = timezone.now()
    return notifications.tidy(now=now) + webhooks.tidy(now=now)


@shared_task
def forget_token_uses() -> int:
    """Uses of API tokens are kept for a while, then forgotten."""
    return forget_uses(now=timezone.now())


@shared_task
def follow_verifications() -> int:
    """Sweep: warn of approvals that end, end them, and close requests that nobody goes on with."""
    return verification_ends.follow(now=timezone.now())


@shared_task
def forget_documents() -> int:
    """Sweep: delete documents that nobody wants, and those whose retention time is over."""
    return verification_documents.forget_due(now=timezone.now())


@shared_task(soft_time_limit=1800, time_limit=1860)
def make_exports() -> int:
    """Sweep: make the copies of their data that people asked for."""
    return exports.make_due(now=timezone.now())


@shared_task
def forget_exports() -> int:
    """Sweep: delete copies of data whose time is over."""
    return exports.forget_due(now=timezone.now())


@shared_task
def delete_accounts() -> int:
    """Sweep: delete the accounts whose time to reconsider is over."""
    return deletions.delete_due(now=timezone.now())


@shared_task
def forget_old() -> int:
    """Sweep: forget old mails, sessions, and accounts that nobody ever used."""
    return retention.forget_old(now=timezone.now())
