"""What people are told about their plans: in the page and by mail, in the transaction of what it tells of."""

from datetime import datetime

from django.utils.translation import gettext as _

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
                subject=_("Your plan %(name)s is paid") % {"name": row.get_tier_display()},
                title=_("Your plan %(name)s is paid.") % {"name": row.get_tier_display()},
                paragraphs=[_("Nothing is overdue any more.")],
                action=(_("Your plan"), PLAN_PAGE),
                tone=Notification.Tone.GOOD,
                now=now,
            )
        elif same and before.is_in_force and not row.is_in_force:
            _tell_ended(row, before, remote, now=now)


def _tell_overdue(row: Subscription, invoice: RemoteInvoice, *, now: datetime) -> None:
    amount = money(invoice.remaining, invoice.currency)
    if row.needs_authentication:
        why = _("Your bank wants you to confirm it yourself.")
    else:
        why = (
            _("The bank said: %(words)s") % {"words": _(row.failure)} if row.failure else _("The bank did not say why.")
        )
    again = (
        _("It is tried again on %(day)s.") % {"day": day(invoice.next_attempt, now=now)} if invoice.next_attempt else ""
    )
    title = _("A payment for your plan %(name)s did not succeed.") % {"name": row.get_tier_display()}
    charged = _("%(amount)s could not be charged.") % {"amount": amount}
    text = " ".join(filter(None, [charged, why, again]))
    key = f"plan-overdue:{invoice.id}"
    tell_one(
        user=row.user,
        event=EventKind.UNPAID,
        key=key,
        subject=title.rstrip("."),
        title=title,
        paragraphs=[
            text,
            _("Your plan goes on for now. Pay with another card, or confirm the payment, to keep it."),
            _(
                "If it stays unpaid, the plan ends and you are on the free one. Bookings of servers are not touched by this."
            ),
        ],
        action=(_("Pay for your plan"), PAY_PAGE),
        tone=Notification.Tone.BAD,
        now=now,
    )


def _tell_begun(row: Subscription, *, now: datetime) -> None:
    name, price = row.get_tier_display(), money(row.monthly_price, row.currency)
    key = f"plan:{row.stripe_subscription_id}:{row.tier}:{row.current_period_start:%Y%m%d}"
    until = day(row.current_period_end, now=now)
    words = {"name": name, "price": price, "day": until}
    text = _("%(price)s a month. The next payment is on %(day)s, unless you cancel before.") % words
    tell_one(
        user=row.user,
        event=EventKind.PLAN,
        key=key,
        subject=_("Your plan: %(name)s") % words,
        paragraphs=[
            _("Your plan is %(name)s now: %(text)s") % {"name": name, "text": text},
            _("It can be changed or canceled at any time."),
        ],
        action=(_("Your plan"), PLAN_PAGE),
        title=_("Your plan is %(name)s.") % words,
        text=text,
        tone=Notification.Tone.GOOD,
        now=now,
    )


def _tell_ended(row: Subscription, before: Subscription, remote: RemoteSubscription, *, now: datetime) -> None:
    name = before.get_tier_display()
    asked_for = before.next_tier == Tier.FREE or remote.cancels_at_period_end
    why = _("You asked for that.") if asked_for else _("Its last payment could not be charged.")
    key, title = f"plan-ended:{remote.id}:{row.status}", _("Your plan %(name)s has ended.") % {"name": name}
    text = f"{why} {_('You are on the free plan now, and nothing more is charged.')}"
    tell_one(
        user=row.user,
        event=EventKind.PLAN,
        key=key,
        subject=title.rstrip("."),
        title=title,
        paragraphs=[text],
        action=(_("See the plans"), PLAN_PAGE),
        tone=Notification.Tone.WARN,
        now=now,
    )
