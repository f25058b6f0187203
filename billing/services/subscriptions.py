"""A person's plan: begun, changed, ended, paid for.

The processor is the truth: what our row says is what ``plan_following`` found there. Whoever changes something writes
first what is wanted (``wanted_tier``) and under which name it is asked for (``attempt``, of which the idempotency keys
are made), then asks, then finds out. So a process may die anywhere: the next one that asks sees what came of it. A wish
to pay less is carried out then, if it was not; a wish to pay more is forgotten, since nobody should be charged long
after they clicked.

Upgrades take place at once, for the difference, if that is paid. Downgrades and cancellations wait for the end of the
period that is paid for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import User
from billing.errors import CardDeclined, PaymentError, ProcessorAway, ProcessorRefused
from billing.gateway import subscriptions as processor
from billing.models import SavedCard, Subscription, SubscriptionStatus, Tier
from billing.plans import RANK
from billing.services import plan_prices
from billing.services.cards import customer_of
from billing.services.plan_at_processor import ask, end_unpaid, give_up, listed_price, lower, price_for
from billing.services.plan_following import UNDER_WAY, synchronise_subscription
from billing.services.plan_payments import billing_of
from common.ids import uuid7


def subscribe(*, user: User, tier: Tier, card: SavedCard, now: datetime) -> Subscription:
    """Begin a plan and pay its first month with this card.

    Where the bank wants to see the person, the plan is *incomplete* and ``needs_authentication`` is set.

    Raises:
        CardDeclined: the bank said no. Nothing has begun.
        PaymentError: there is a plan already, the plan is not on sale, or a change is under way.
        ProcessorAway: no answer; the sweep finds out.
    """
    listed = listed_price(tier)
    _check_card(card, user)
    row = _settled(user, now=now)
    if row.is_in_force and row.tier != Tier.FREE:
        raise PaymentError(
            gettext("You have the plan %(name)s already. Change it instead.") % {"name": row.get_tier_display()}
        )
    if row.status in (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.UNPAID):
        # Begun and never paid: with that one out of the way, never two can take money.
        if not end_unpaid(processor.get_subscription(row.stripe_subscription_id or "")):
            raise PaymentError(gettext("Your plan has just been paid. Look at this page again."))
        row = synchronise_subscription(subscription=row, now=now)
    customer = customer_of(user)
    attempt = _want(row, tier, now=now, customer=customer)
    with _refusals_end(row, attempt):
        processor.create_subscription(
            customer=customer,
            price=price_for(listed, user),
            payment_method=card.stripe_payment_method,
            row=row.pk,
            user=str(user.pk),
            attempt=attempt,
        )
    return _answered(row, attempt, now=now)


def change_plan(*, user: User, tier: Tier, now: datetime, at: datetime | None = None) -> Subscription:
    """Go up at once, for the difference; go down, or end, when the period does; stay, and take such a change back.

    Args:
        at: from when the difference is counted, as it was shown; now, if not given.

    Raises:
        CardDeclined: the bank said no. The plan stays as it was.
        PaymentError: there is no plan to change, or not like this.
        ProcessorAway: no answer; the sweep finds out.
    """
    if tier == Tier.FREE:
        return cancel(user=user, now=now)
    listed = listed_price(tier)
    row = _settled(user, now=now)
    _check_running(row)
    if tier == row.tier:
        return resume(user=user, now=now)
    if row.status == SubscriptionStatus.PAST_DUE:
        raise PaymentError(gettext("A payment for your plan is overdue. Pay it first, then change the plan."))
    if RANK[tier] < RANK[Tier(row.tier)]:
        return _go_down(row, tier, now=now)
    if row.next_tier:
        raise PaymentError(
            gettext("Your plan becomes %(name)s when the period ends. Take that back first, then upgrade.")
            % {"name": row.get_next_tier_display()}
        )
    remote = processor.get_subscription(row.stripe_subscription_id or "")
    if remote.has_pending_update:
        give_up(remote.latest_invoice)  # another upgrade that was never paid
        row = synchronise_subscription(subscription=row, now=now)
    attempt = _want(row, tier, now=now)
    with _refusals_end(row, attempt):
        if remote.schedule:  # its change has taken place
            processor.release_schedule(remote.schedule)
        processor.upgrade_subscription(remote, price=price_for(listed, user), at=at or now, attempt=attempt)
    return _answered(row, attempt, now=now)


def cancel(*, user: User, now: datetime) -> Subscription:
    """End the plan when the period does that is paid for; one that is not paid ends now.

    Raises:
        PaymentError: there is no plan, or a change is under way.
        ProcessorAway: no answer; the sweep carries it out.
    """
    row = _settled(user, now=now)
    if row.stripe_subscription_id is None or row.tier == Tier.FREE:
        raise PaymentError(gettext("You have no plan that could be canceled."))
    return _go_down(row, Tier.FREE, now=now)


def resume(*, user: User, now: datetime) -> Subscription:
    """Keep the plan as it is: what was to change when the period ends does not.

    Raises:
        PaymentError: there is no plan, or a change is under way.
        ProcessorAway: no answer; the plan may still be about to change.
    """
    row = _settled(user, now=now)
    _check_running(row)
    if not row.next_tier:
        return row
    attempt = _want(row, Tier(row.tier), now=now)
    remote = processor.get_subscription(row.stripe_subscription_id or "")
    if remote.schedule:
        processor.release_schedule(remote.schedule)
    if remote.cancels_at_period_end:
        processor.end_with_period(remote, ends=False, attempt=attempt)
    return _answered(row, attempt, now=now)


def use_card(*, user: User, card: SavedCard, now: datetime) -> Subscription:
    """Charge the plan to this card from now on, and what is overdue at once.

    Raises:
        CardDeclined: the bank said no.
        PaymentError: there is no plan, or the card is not theirs.
        ProcessorAway: no answer; the sweep finds out.
    """
    _check_card(card, user)
    row = _settled(user, now=now)
    if row.stripe_subscription_id is None or row.status in processor.ENDED:
        raise PaymentError(gettext("You have no plan that could be charged to a card."))
    remote = processor.get_subscription(row.stripe_subscription_id)
    processor.charge_another_card(remote, payment_method=card.stripe_payment_method)
    told = ask(row)
    if told.invoice is None:
        return synchronise_subscription(subscription=row, now=now)
    try:
        processor.pay_invoice(told.invoice.id, payment_method=card.stripe_payment_method)
    except CardDeclined as declined:
        row = synchronise_subscription(subscription=row, now=now)
        if not row.needs_authentication:
            raise CardDeclined(row.failure or declined.message) from declined
    except ProcessorRefused:
        row = synchronise_subscription(subscription=row, now=now)
        if row.status != SubscriptionStatus.ACTIVE:  # else it was paid in the meantime: a second click, another tab
            raise
    return synchronise_subscription(subscription=row, now=now)


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade costs, counted from ``at``: ``today`` for the rest of the period, ``monthly`` from the next."""

    today: Decimal
    monthly: Decimal
    currency: str
    at: datetime


def quote_upgrade(*, subscription: Subscription, tier: Tier, now: datetime) -> Upgrade:
    """The processor's own calculation of what :func:`change_plan` would charge.

    Raises:
        PaymentError: not on sale.
        ProcessorAway: no answer.
    """
    listed = listed_price(tier)
    at = now.replace(microsecond=0)
    remote = processor.get_subscription(subscription.stripe_subscription_id or "")
    preview = processor.preview_upgrade(remote, price=price_for(listed, subscription.user), at=at)
    monthly = plan_prices.payable(listed, user=subscription.user)
    return Upgrade(max(preview.remaining, Decimal(0)), monthly.amount, monthly.currency, at)


def secret_to_authenticate(subscription: Subscription) -> str:
    """With which the browser lets the person's bank see them; empty if no bank wants that.

    Raises:
        ProcessorAway: no answer.
    """
    if not subscription.needs_authentication:
        return ""
    told = ask(subscription)
    return told.intent.client_secret if told.intent is not None and told.intent.status == "requires_action" else ""


# The steps of a change ---------------------------------------------------------------------------------


def _check_card(card: SavedCard, user: User) -> None:
    if card.user_id != user.pk or card.removed_at is not None:
        raise PaymentError(gettext("Choose one of your saved cards."))


def _check_running(row: Subscription) -> None:
    if not row.is_in_force or row.tier == Tier.FREE or row.stripe_subscription_id is None:
        raise PaymentError(gettext("You have no plan that could be changed. Choose one first."))


def _settled(user: User, *, now: datetime) -> Subscription:
    """The person's row as the processor sees it now.

    Raises:
        PaymentError: something is being asked of the processor at this moment.
        ProcessorAway: no answer.
    """
    row, _ = Subscription.objects.get_or_create(user=user, defaults={"created_at": now, "asked_at": now})
    row = synchronise_subscription(subscription=row, now=now)
    if row.attempt is not None:
        raise PaymentError(str(UNDER_WAY))
    return row


@transaction.atomic
def _want(row: Subscription, tier: Tier, *, now: datetime, customer: str = "") -> UUID:
    """Write down what is about to be asked of the processor. Returns the name of the attempt.

    Args:
        customer: for a plan that begins, with the tax that is due from the person now.
    """
    locked = Subscription.objects.select_for_update(of=("self",)).select_related("user").get(pk=row.pk)
    if locked.attempt is not None or locked.updated_at != row.updated_at:
        raise PaymentError(str(UNDER_WAY))
    locked.wanted_tier, locked.wanted_at, locked.attempt, locked.failure = tier, now, uuid7(), ""
    locked.asked_at = now
    if customer:
        locked.stripe_customer_id = customer
        locked.billing_details = locked.billing_details | billing_of(locked.user)
    locked.save(
        update_fields=[
            "billing_details",
            "wanted_tier",
            "wanted_at",
            "attempt",
            "failure",
            "asked_at",
            "stripe_customer_id",
            "updated_at",
        ]
    )
    return locked.attempt


@contextmanager
def _refusals_end(row: Subscription, attempt: UUID) -> Iterator[None]:
    """Around asking for money: what was refused is not wanted any more; where that is not known, the wish stays."""
    try:
        yield
    except ProcessorAway:
        raise
    except PaymentError as error:
        failure = error.message if isinstance(error, CardDeclined) else ""
        Subscription.objects.filter(pk=row.pk, attempt=attempt).update(
            wanted_tier="", wanted_at=None, attempt=None, failure=failure[:300]
        )
        raise


def _answered(row: Subscription, attempt: UUID, *, now: datetime) -> Subscription:
    """The processor has answered: find out what came of it.

    Raises:
        CardDeclined: the bank said no.
    """
    row = synchronise_subscription(subscription=row, now=now, answered=attempt)
    if row.failure:
        raise CardDeclined(row.failure)
    return row


def _go_down(row: Subscription, tier: Tier, *, now: datetime) -> Subscription:
    if row.next_tier == tier:
        return row
    attempt = _want(row, tier, now=now)
    remote = processor.get_subscription(row.stripe_subscription_id or "")
    lower(remote, tier, row.user, attempt)
    return _answered(row, attempt, now=now)
