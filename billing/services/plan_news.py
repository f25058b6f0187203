"""What people are told about their plans: in the page and by mail, in the transaction of what it tells of."""

from datetime import datetime

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from accounts.services.telling import tell as tell_one
from billing.gateway.subscriptions import RemoteInvoice, RemoteSubscription
from billing.models import Subscription, SubscriptionStatus, Tier
from common.formats import day, money

PLAN_PAGE = "/billing/plan/"
PAY_PAGE = "/billing/plan/pay/"


def tell(
    row: Subscription,
    before: Subscription,
    remote: RemoteSubscription,
    invoice: RemoteInvoice | None,
    *,
    now: datetime,
) -> None:
    """What has changed from ``before`` to ``row``, whose subscription is ``remote`` and waits for ``invoice``."""
    same = before.stripe_subscription_id == remote.id
    with written_for(row.user):
        if row.status == SubscriptionStatus.PAST_DUE and invoice is not None:
            _tell_overdue(row, invoice, now=now)
        elif row.status == SubscriptionStatus.ACTIVE and (
            not same or before.tier != row.tier or not before.is_in_force
        ):
            _tell_begun(row, now=now)
        elif row.status == SubscriptionStatus.ACTIVE and before.status == SubscriptionStatus.PAST_DUE:
            tell_one(
                user=row.user,
                event=EventKind.PLAN_PAID,
                key=f"plan-paid:{remote.latest_invoice}",
                subject=f"Your plan {row.get_tier_display()} is paid",
                title=f"Your plan {row.get_tier_display()} is paid.",
                paragraphs=["Nothing is overdue any more."],
                action=("Your plan", PLAN_PAGE),
                tone=Notification.Tone.GOOD,
                now=now,
            )
        elif same and before.is_in_force and not row.is_in_force:
            _tell_ended(row, before, remote, now=now)


def _tell_overdue(row: Subscription, invoice: RemoteInvoice, *, now: datetime) -> None:
    amount = money(invoice.remaining, invoice.currency)
    if row.needs_authentication:
        why = "Your bank wants you to confirm it yourself."
    else:
        why = f"The bank said: {row.failure}" if row.failure else "The bank did not say why."
    again = f" It is tried again on {day(invoice.next_attempt, now=now)}." if invoice.next_attempt else ""
    title = f"A payment for your plan {row.get_tier_display()} did not succeed."
    text = f"{amount} could not be charged. {why}{again}"
    key = f"plan-overdue:{invoice.id}"
    tell_one(
        user=row.user,
        event=EventKind.UNPAID,
        key=key,
        subject=title.rstrip("."),
        title=title,
        paragraphs=[
            text,
            "Your plan goes on for now. Pay with another card, or confirm the payment, to keep it.",
            "If it stays unpaid, the plan ends and you are on the free one. Bookings of servers are not touched by this.",
        ],
        action=("Pay for your plan", PAY_PAGE),
        tone=Notification.Tone.BAD,
        now=now,
    )


def _tell_begun(row: Subscription, *, now: datetime) -> None:
    name, price = row.get_tier_display(), money(row.monthly_price, row.currency)
    key = f"plan:{row.stripe_subscription_id}:{row.tier}:{row.current_period_start:%Y%m%d}"
    until = day(row.current_period_end, now=now)
    text = f"{price} a month. The next payment is on {until}, unless you cancel before."
    tell_one(
        user=row.user,
        event=EventKind.PLAN,
        key=key,
        subject=f"Your plan: {name}",
        paragraphs=[f"Your plan is {name} now: {text}", "It can be changed or canceled at any time."],
        action=("Your plan", PLAN_PAGE),
        title=f"Your plan is {name}.",
        text=text,
        tone=Notification.Tone.GOOD,
        now=now,
    )


def _tell_ended(row: Subscription, before: Subscription, remote: RemoteSubscription, *, now: datetime) -> None:
    name = before.get_tier_display()
    asked_for = before.next_tier == Tier.FREE or remote.cancels_at_period_end
    why = "You asked for that." if asked_for else "Its last payment could not be charged."
    key, title = f"plan-ended:{remote.id}:{row.status}", f"Your plan {name} has ended."
    text = f"{why} You are on the free plan now, and nothing more is charged."
    tell_one(
        user=row.user,
        event=EventKind.PLAN,
        key=key,
        subject=title.rstrip("."),
        title=title,
        paragraphs=[text],
        action=("See the plans", PLAN_PAGE),
        tone=Notification.Tone.WARN,
        now=now,
    )
