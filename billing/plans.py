"""What the plans are for, and which one a person has.

What a plan costs is not said here: the processor's Price objects do (``STRIPE_PRICES``, billing.services.plan_prices).
Limits are those of the reference (hosting-intelligence-data-model, Business Rules); market intelligence will ask for
them. Renting servers needs no plan.
"""

from dataclasses import dataclass
from enum import Enum, auto

from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing.models import Subscription, SubscriptionStatus, Tier


@dataclass(frozen=True)
class Plan:
    """What a plan lets somebody do; ``None`` is without limit."""

    tier: Tier
    purpose: str | Promise
    portfolios: int | None
    conversations: int | None
    messages: int | None
    alerts: int | None

    @property
    def name(self) -> str:
        return str(self.tier.label)

    @property
    def rank(self) -> int:
        return RANK[self.tier]

    @property
    def lines(self) -> list[str]:
        """Its limits, for people."""
        return [
            _portfolios(self.portfolios),
            _alerts(self.alerts),
            _conversations(self.conversations),
            _messages(self.messages),
        ]


#: The reference names the alerts of *free* only; individuals have the same rule with room for more. It says nothing
#: of *enterprise*, which has no limits either.
PLANS = {
    plan.tier: plan
    for plan in (
        Plan(Tier.FREE, _("A look at the market."), portfolios=1, conversations=5, messages=50, alerts=3),
        Plan(Tier.INDIVIDUAL, _("For a few machines of your own."), 3, 50, 500, 30),
        Plan(Tier.PROFESSIONAL, _("For hosting as a business."), None, None, None, None),
        Plan(Tier.ENTERPRISE, _("For whole organizations."), None, None, None, None),
    )
}
RANK = {tier: rank for rank, tier in enumerate(Tier)}


def _portfolios(count: int | None) -> str:
    if count is None:
        return gettext("Unlimited portfolios")
    return ngettext("%(count)d portfolio", "%(count)d portfolios", count) % {"count": count}


def _alerts(count: int | None) -> str:
    if count is None:
        return gettext("Unlimited alerts")
    return ngettext("%(count)d alert", "%(count)d alerts", count) % {"count": count}


def _conversations(count: int | None) -> str:
    if count is None:
        return gettext("Unlimited conversations")
    return ngettext("%(count)d conversation", "%(count)d conversations", count) % {"count": count}


def _messages(count: int | None) -> str:
    if count is None:
        return gettext("Unlimited messages in each")
    return ngettext("%(count)d message in each", "%(count)d messages in each", count) % {"count": count}


def subscription_of(user: User | AnonymousUser) -> Subscription | None:
    """The person's row, or ``None`` if they never had a plan."""
    return getattr(user, "subscription", None)


def tier_of(user: User | AnonymousUser) -> Tier:
    """The plan whose features a person has at the moment. While a payment is overdue they are still there."""
    subscription = subscription_of(user)
    return Tier(subscription.tier) if subscription is not None and subscription.is_in_force else Tier.FREE


def plan_of(user: User | AnonymousUser) -> Plan:
    return PLANS[tier_of(user)]


class Move(Enum):
    """What choosing a plan would mean for somebody."""

    SUBSCRIBE = auto()
    UPGRADE = auto()
    DOWNGRADE = auto()
    CANCEL = auto()
    KEEP = auto()


#: With these a plan has been begun and is not paid: it can be begun anew.
_NOT_PAID = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.UNPAID)
_OVER = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


def has_plan(subscription: Subscription | None) -> bool:
    """Whether there is one at the processor's, paid or not."""
    return (
        subscription is not None
        and subscription.stripe_subscription_id is not None
        and subscription.tier != Tier.FREE
        and subscription.status not in _OVER
    )


def move_to(tier: Tier, subscription: Subscription | None) -> Move | None:
    """What choosing ``tier`` means now, or ``None`` where it means nothing or cannot be."""
    if subscription is None or not has_plan(subscription):
        return None if tier == Tier.FREE else Move.SUBSCRIBE
    if tier == Tier.FREE:
        return None if subscription.next_tier == Tier.FREE else Move.CANCEL
    if subscription.status in _NOT_PAID:
        return Move.SUBSCRIBE
    if subscription.status == SubscriptionStatus.PAST_DUE or subscription.next_tier == tier:
        return None
    if tier == subscription.tier:
        return Move.KEEP if subscription.next_tier else None
    if RANK[tier] < RANK[Tier(subscription.tier)]:
        return Move.DOWNGRADE
    return None if subscription.next_tier else Move.UPGRADE
