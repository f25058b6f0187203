"""Following a plan: the processor is asked, and what it says is written down.

Any number of times, in any order, from a click, a webhook and the sweep at once: each paid invoice is recorded once,
and what a process that died had begun is carried out or forgotten (see ``subscriptions``).
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from billing.errors import PaymentError, ProcessorAway
from billing.gateway import subscriptions as processor
from billing.models import IN_FORCE, Subscription, SubscriptionStatus, Tier
from billing.plans import RANK
from billing.services import plan_news, plan_prices
from billing.services.plan_at_processor import Told, ask, end_unpaid, give_up, lower, price_for
from billing.services.plan_payments import billing_of, record_given_back, record_payment, tax_due
from common.leases import Clock

log = logging.getLogger(__name__)

#: What was asked of the processor this long ago and is not there was left by a process that died. Longer than every
#: time limit of the gateway together.
LEFT_BEHIND = timedelta(minutes=2)
#: How long after it was asked something may be asked after again, by how much depends on it.
WHILE_WAITING = timedelta(minutes=5)
WHILE_OVERDUE = timedelta(hours=1)
AFTER_RENEWAL = timedelta(minutes=10)
EVERY = timedelta(days=1)
#: Plans that have ended are looked after this long: what they cost may still be given back.
AFTER_THE_END = timedelta(days=180)

UNDER_WAY = _("A change of your plan is under way already. Wait a moment, then look at this page again.")


class _Overtaken(Exception):
    """Somebody else has written while we asked: what we know may be older than what they know."""


def synchronise_subscription(
    *, subscription: Subscription, now: datetime, answered: UUID | None = None
) -> Subscription:
    """Ask the processor about a person's plan and write down what it says, each paid invoice once.

    Args:
        answered: the attempt that the processor has answered, so that what is not there will not come any more.

    Raises:
        ProcessorAway: no answer.
    """
    for _attempt in range(5):
        Subscription.objects.filter(pk=subscription.pk).update(asked_at=now)
        row = Subscription.objects.select_related("user").get(pk=subscription.pk)
        told = ask(row) if row.stripe_customer_id else Told(None, Tier.FREE, None, None, None, [], {})
        failure = told.declined if told.waits_for_payment else ""
        if failure:
            _forget_declined(told)
            told = ask(row)
        elif _is_left_undone(row, told, now=now):
            assert told.remote is not None
            assert row.attempt is not None
            lower(told.remote, Tier(row.wanted_tier), row.user, row.attempt)
            told = ask(row)
        try:
            row = _write_down(row, told, now=now, answered=answered, failure=failure)
        except _Overtaken:
            continue
        _follow_tax(row, told, now=now)
        return row
    raise PaymentError(str(UNDER_WAY))


def ask_after_subscriptions(*, now: datetime, limit: int = 50) -> int:
    """Sweep: bring plans up to date that are not settled, or have been quiet. Stops when the processor is away."""
    clock, asked = Clock(now), 0
    for row in list(_to_ask_after(now)[:limit]):
        try:
            synchronise_subscription(subscription=row, now=clock.now())
            asked += 1
        except ProcessorAway:
            break
        except PaymentError:
            log.exception("subscription %s could not be brought up to date", row.pk)
    return asked


def _to_ask_after(now: datetime) -> QuerySet[Subscription]:
    waiting = [SubscriptionStatus.INCOMPLETE]
    overdue = [SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID]
    return (
        Subscription.objects.filter(
            Q(attempt__isnull=False, wanted_at__lte=now - LEFT_BEHIND, asked_at__lte=now - LEFT_BEHIND)
            | Q(Q(status__in=waiting) | ~Q(wanted_tier=""), attempt=None, asked_at__lte=now - WHILE_WAITING)
            | Q(status__in=overdue, asked_at__lte=now - WHILE_OVERDUE)
            | Q(
                status__in=IN_FORCE,
                stripe_subscription_id__isnull=False,
                current_period_end__lte=now,
                asked_at__lte=now - AFTER_RENEWAL,
            )
            | Q(
                Q(status__in=IN_FORCE) | Q(cancelled_at__gte=now - AFTER_THE_END),
                stripe_subscription_id__isnull=False,
                asked_at__lte=now - EVERY,
            )
        )
        .select_related("user")
        .order_by("asked_at")
    )


def _forget_declined(told: Told) -> None:
    """What waited for a payment that was declined is taken away, so that the next try begins anew."""
    assert told.remote is not None
    if told.remote.status == "incomplete":
        end_unpaid(told.remote)
    elif told.invoice is not None:
        give_up(told.invoice.id)


def _is_left_undone(row: Subscription, told: Told, *, now: datetime) -> bool:
    """Whether a process died that was to make the plan less, before the processor had done it."""
    return (
        row.attempt is not None
        and row.wanted_at is not None
        and row.wanted_at <= now - LEFT_BEHIND
        and told.is_live
        and RANK[Tier(row.wanted_tier)] < RANK[told.tier]
        and not told.fulfils(row.wanted_tier)
    )


@transaction.atomic
def _write_down(seen: Subscription, told: Told, *, now: datetime, answered: UUID | None, failure: str) -> Subscription:
    """
    Raises:
        _Overtaken: somebody else has written since ``seen`` was read.
    """
    row = Subscription.objects.select_for_update(of=("self",)).select_related("user").get(pk=seen.pk)
    if row.updated_at != seen.updated_at:
        raise _Overtaken
    before = Subscription(
        tier=row.tier, status=row.status, stripe_subscription_id=row.stripe_subscription_id, next_tier=row.next_tier
    )
    _take_over(row, told)
    _settle_wish(row, told, now=now, answered=answered)
    row.needs_authentication = told.intent is not None and told.intent.status == "requires_action"
    if failure:
        row.failure = failure[:300]
    elif told.intent is not None:
        row.failure = told.intent.error[:300] if told.intent.status == "requires_payment_method" else ""
    elif row.is_in_force and not row.wanted_tier and row.status != before.status:
        row.failure = ""
    row.save()
    for invoice, tier in reversed(told.paid):
        record_payment(row, invoice, tier, now=now)
    record_given_back(row, told.given_back, now=now)
    if told.remote is not None:
        plan_news.tell(row, before, told.remote, told.invoice, now=now)
    return row


def _take_over(row: Subscription, told: Told) -> None:
    remote = told.remote
    if remote is None:
        return
    row.stripe_subscription_id, row.stripe_schedule_id = remote.id, remote.schedule
    row.status = remote.status
    row.tier, row.next_tier = told.tier, told.next_tier or ""
    row.monthly_price = remote.priced.amount if told.is_live else Decimal(0)
    row.currency = remote.currency
    row.current_period_start, row.current_period_end = remote.period_start, remote.period_end
    row.cancelled_at = remote.canceled_at if remote.is_over else None
    overdue = told.invoice
    row.billing_details = row.billing_details | {
        "payment_method": remote.payment_method,
        "open_invoice": {
            "id": overdue.id,
            "amount": str(overdue.remaining),
            "next_attempt": overdue.next_attempt.isoformat() if overdue.next_attempt else None,
        }
        if overdue
        else None,
    }


def _settle_wish(row: Subscription, told: Told, *, now: datetime, answered: UUID | None) -> None:
    if not row.wanted_tier:
        return
    in_flight = (
        row.attempt is not None
        and row.attempt != answered
        and row.wanted_at is not None
        and row.wanted_at > now - LEFT_BEHIND
    )
    if told.fulfils(row.wanted_tier) or not (in_flight or told.waits_for_payment):
        row.wanted_tier, row.wanted_at, row.attempt = "", None, None
    elif not in_flight:
        row.attempt = None  # the processor has it, and waits for the payment


def _follow_tax(row: Subscription, told: Told, *, now: datetime) -> None:
    """Where other tax is due from this person than when the price was made, take the right amount from next time on.

    Raises:
        ProcessorAway: no answer; it is tried again when the plan is asked after the next time.
    """
    due = tax_due(row.user)
    if not told.is_live or row.billing_details.get("tax") == due:
        return
    listed = plan_prices.on_sale().get(told.tier)
    settled = row.status == SubscriptionStatus.ACTIVE and not row.wanted_tier and not row.stripe_schedule_id
    if row.billing_details.get("tax") and listed is not None:
        if not settled:
            return
        assert told.remote is not None
        key = f"subscription-{row.pk}-{due['kind']}-{due['rate']}-{int(told.remote.period_start.timestamp())}"
        processor.reprice_subscription(told.remote, price=price_for(listed, row.user), key=key)
    with transaction.atomic():
        locked = Subscription.objects.select_for_update(of=("self",)).get(pk=row.pk)
        locked.billing_details = locked.billing_details | billing_of(row.user)
        locked.save(update_fields=["billing_details", "updated_at"])
        row.billing_details, row.updated_at = locked.billing_details, locked.updated_at
