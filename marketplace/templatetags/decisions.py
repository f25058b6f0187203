"""What waits for a platform administrator, for the first page of the administration."""

from django import template
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.models import Decision, OutgoingMail, User, Verification
from billing.models import Chargeback, Difference, Payout, PayoutStatus, Refund, RefundStatus, WebhookEvent
from bookings.models import Booking
from machines.models import Benchmark

register = template.Library()


@register.simple_tag
def decisions(user: User) -> list[dict[str, object]]:
    """Each kind of thing that waits: words, how many, where, and whether it is trouble rather than routine."""
    waiting: list[tuple[str, QuerySet[Model], str, bool]] = [
        (
            "To confirm as a second administrator",
            Decision.objects.waiting(now=timezone.now()).exclude(asked_by=user),
            "state__exact=waiting",
            False,
        ),
        ("Verifications to decide", Verification.objects.pending(), "status__exact=pending", False),
        ("Benchmarks to decide", Benchmark.objects.pending(), "status__exact=pending", False),
        ("Machines waiting for a wipe", Booking.objects.awaiting_wipe(), "stage=wipe", False),
        ("Refunds that failed", Refund.objects.filter(status=RefundStatus.FAILED), "status__exact=failed", True),
        ("Chargebacks to answer", Chargeback.objects.undecided(), "state=undecided", True),
        (
            "Payouts that failed",
            Payout.objects.filter(status=PayoutStatus.FAILED, retry=None),
            "status__exact=failed",
            True,
        ),
        ("SEPA payouts to send", Payout.objects.for_the_bank(), "status__exact=scheduled&method__exact=sepa", False),
        ("Differences from the processor", Difference.objects.newest(), "of=newest", True),
        (
            "Webhooks that could not be processed",
            WebhookEvent.objects.filter(processed_at=None, attempts__gt=0),
            "state=failing",
            True,
        ),
        (
            "Mails that could not be sent",
            OutgoingMail.objects.filter(sent_at=None, attempts__gt=0),
            "state=failing",
            True,
        ),
    ]
    return [
        {"words": words, "count": rows.count(), "url": _address(rows.model, query), "is_trouble": is_trouble}
        for words, rows, query, is_trouble in waiting
        if user.has_perm(f"{rows.model._meta.app_label}.view_{rows.model._meta.model_name}")
    ]


def _address(model: type[Model], query: str) -> str:
    return f"{reverse(f'admin:{model._meta.app_label}_{model._meta.model_name}_changelist')}?{query}"
