"""A person's plan: begun, changed, ended, paid for.

The processor is the truth: what our row says is what :func:`synchronise_subscription` found there. Whoever changes
something writes first what is wanted (``wanted_tier``) and under which name it is asked for (``attempt``, of which the
idempotency keys are made), then asks, then finds out. So a process may die anywhere: the next one that asks sees what
came of it. A wish to pay less is carried out then, if it was not; a wish to pay more is forgotten, since nobody should
be charged long after they clicked.

Upgrades take place at once, for the difference, if that is paid. Downgrades and cancellations wait for the end of the
period that is paid for.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.tax import details_of, treatment_of
from billing import gateway
from billing.errors import CardDeclined, PaymentError, ProcessorAway, ProcessorRefused
from billing.gateway import Intent
from billing.gateway import subscriptions as processor
from billing.gateway.subscriptions import PlanPrice, RemoteInvoice, RemoteSubscription
from billing.models import IN_FORCE, SavedCard, Subscription, SubscriptionPayment, SubscriptionStatus, Tier
from billing.plans import RANK
from billing.services import invoices, plan_news, plan_prices, postings
from billing.services.cards import customer_of
from common.ids import uuid7
from common.leases import Clock
from common.money import Currency, from_minor

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
#: Refunds of what was paid longer ago are heard of by webhook alone.
LOOKING_BACK = timedelta(days=60)

UNDER_WAY = "A change of your plan is under way already. Wait a moment, then look at this page again."


class _Overtaken(Exception):
    """Somebody else has written while we asked: what we know may be older than what they know."""


@dataclass(frozen=True)
class _Told:
    """What the processor holds of a person's plan, asked for at one moment.

    Attributes:
        remote: the subscription that counts, or ``None`` if there never was one.
        tier: the plan that it is for.
        next_tier: what it becomes when the period ends.
        invoice: what waits to be paid, and ``intent`` how far that is.
        paid: what has been paid and is not recorded yet, and for which plan.
        given_back: by PaymentIntent, what was refunded of late.
    """

    remote: RemoteSubscription | None
    tier: Tier
    next_tier: Tier | None
    invoice: RemoteInvoice | None
    intent: Intent | None
    paid: list[tuple[RemoteInvoice, Tier | None]]
    given_back: dict[str, Decimal]

    @property
    def is_live(self) -> bool:
        return self.remote is not None and not self.remote.is_over

    @property
    def waits_for_payment(self) -> bool:
        """Whether what was wanted comes about once an invoice is paid."""
        remote = self.remote
        return remote is not None and (remote.status == "incomplete" or remote.has_pending_update)

    @property
    def declined(self) -> str:
        """Why the payment that is waited for did not succeed, if it did not."""
        intent = self.intent
        return intent.error if intent is not None and intent.status == "requires_payment_method" else ""

    def fulfils(self, wanted: str) -> bool:
        if not self.is_live:
            return wanted == Tier.FREE
        assert self.remote is not None
        if self.next_tier is not None:
            return wanted == self.next_tier
        return wanted == self.tier and self.remote.status in IN_FORCE and not self.remote.has_pending_update


# What a person asks for --------------------------------------------------------------------------------


def subscribe(*, user: User, tier: Tier, card: SavedCard, now: datetime) -> Subscription:
    """Begin a plan and pay its first month with this card.

    Where the bank wants to see the person, the plan is *incomplete* and ``needs_authentication`` is set.

    Raises:
        CardDeclined: the bank said no. Nothing has begun.
        PaymentError: there is a plan already, the plan is not on sale, or a change is under way.
        ProcessorAway: no answer; the sweep finds out.
    """
    listed = _on_sale(tier)
    _check_card(card, user)
    row = _settled(user, now=now)
    if row.is_in_force and row.tier != Tier.FREE:
        raise PaymentError(f"You have the plan {row.get_tier_display()} already. Change it instead.")
    if row.status in (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.UNPAID):
        # Begun and never paid: with that one out of the way, never two can take money.
        if not _end_unpaid(processor.get_subscription(row.stripe_subscription_id or "")):
            raise PaymentError("Your plan has just been paid. Look at this page again.")
        row = synchronise_subscription(subscription=row, now=now)
    customer = customer_of(user)
    attempt = _want(row, tier, now=now, customer=customer)
    with _refusals_end(row, attempt):
        processor.create_subscription(
            customer=customer,
            price=_price_for(listed, user),
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
    listed = _on_sale(tier)
    row = _settled(user, now=now)
    _check_running(row)
    if tier == row.tier:
        return resume(user=user, now=now)
    if row.status == SubscriptionStatus.PAST_DUE:
        raise PaymentError("A payment for your plan is overdue. Pay it first, then change the plan.")
    if RANK[tier] < RANK[Tier(row.tier)]:
        return _go_down(row, tier, now=now)
    if row.next_tier:
        raise PaymentError(
            f"Your plan becomes {row.get_next_tier_display()} when the period ends. Take that back first, then upgrade."
        )
    remote = processor.get_subscription(row.stripe_subscription_id or "")
    if remote.has_pending_update:
        _give_up(remote.latest_invoice)  # another upgrade that was never paid
        row = synchronise_subscription(subscription=row, now=now)
    attempt = _want(row, tier, now=now)
    with _refusals_end(row, attempt):
        if remote.schedule:  # its change has taken place
            processor.release_schedule(remote.schedule)
        processor.upgrade_subscription(remote, price=_price_for(listed, user), at=at or now, attempt=attempt)
    return _answered(row, attempt, now=now)


def cancel(*, user: User, now: datetime) -> Subscription:
    """End the plan when the period does that is paid for; one that is not paid ends now.

    Raises:
        PaymentError: there is no plan, or a change is under way.
        ProcessorAway: no answer; the sweep carries it out.
    """
    row = _settled(user, now=now)
    if row.stripe_subscription_id is None or row.tier == Tier.FREE:
        raise PaymentError("You have no plan that could be canceled.")
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
        raise PaymentError("You have no plan that could be charged to a card.")
    remote = processor.get_subscription(row.stripe_subscription_id)
    processor.charge_another_card(remote, payment_method=card.stripe_payment_method)
    told = _ask(row)
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
    listed = _on_sale(tier)
    at = now.replace(microsecond=0)
    remote = processor.get_subscription(subscription.stripe_subscription_id or "")
    preview = processor.preview_upgrade(remote, price=_price_for(listed, subscription.user), at=at)
    monthly = plan_prices.payable(listed, user=subscription.user)
    return Upgrade(max(preview.remaining, Decimal(0)), monthly.amount, monthly.currency, at)


def secret_to_authenticate(subscription: Subscription) -> str:
    """With which the browser lets the person's bank see them; empty if no bank wants that.

    Raises:
        ProcessorAway: no answer.
    """
    if not subscription.needs_authentication:
        return ""
    told = _ask(subscription)
    return told.intent.client_secret if told.intent is not None and told.intent.status == "requires_action" else ""


# The steps of a change ---------------------------------------------------------------------------------


def _on_sale(tier: Tier) -> PlanPrice:
    price = plan_prices.on_sale().get(tier)
    if price is None:
        raise PaymentError(f"The plan {tier.label} is not on sale here.")
    return price


def _price_for(listed: PlanPrice, user: User) -> str:
    return processor.price_at(listed, plan_prices.payable(listed, user=user).amount)


def _check_card(card: SavedCard, user: User) -> None:
    if card.user_id != user.pk or card.removed_at is not None:
        raise PaymentError("Choose one of your saved cards.")


def _check_running(row: Subscription) -> None:
    if not row.is_in_force or row.tier == Tier.FREE or row.stripe_subscription_id is None:
        raise PaymentError("You have no plan that could be changed. Choose one first.")


def _settled(user: User, *, now: datetime) -> Subscription:
    """The person's row as the processor sees it now.

    Raises:
        PaymentError: something is being asked of the processor at this moment.
        ProcessorAway: no answer.
    """
    row, _ = Subscription.objects.get_or_create(user=user, defaults={"created_at": now, "asked_at": now})
    row = synchronise_subscription(subscription=row, now=now)
    if row.attempt is not None:
        raise PaymentError(UNDER_WAY)
    return row


@transaction.atomic
def _want(row: Subscription, tier: Tier, *, now: datetime, customer: str = "") -> UUID:
    """Write down what is about to be asked of the processor. Returns the name of the attempt.

    Args:
        customer: for a plan that begins, with the tax that is due from the person now.
    """
    locked = Subscription.objects.select_for_update(of=("self",)).select_related("user").get(pk=row.pk)
    if locked.attempt is not None or locked.updated_at != row.updated_at:
        raise PaymentError(UNDER_WAY)
    locked.wanted_tier, locked.wanted_at, locked.attempt, locked.failure = tier, now, uuid7(), ""
    locked.asked_at = now
    if customer:
        locked.stripe_customer_id = customer
        locked.billing_details = locked.billing_details | _billing_of(locked.user)
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
    _lower(remote, tier, row.user, attempt)
    return _answered(row, attempt, now=now)


def _lower(remote: RemoteSubscription, tier: Tier, user: User, attempt: UUID) -> None:
    """Have the plan become less when its period ends. Doing it again changes nothing."""
    if tier != Tier.FREE:
        if remote.cancels_at_period_end:
            processor.end_with_period(remote, ends=False, attempt=attempt)
        processor.schedule_price(remote, price=_price_for(_on_sale(tier), user), attempt=attempt)
        return
    if remote.schedule:
        processor.release_schedule(remote.schedule)
    if remote.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING):
        if _end_unpaid(remote):
            return
        remote = processor.get_subscription(remote.id)  # it has just been paid
    if not remote.cancels_at_period_end:
        processor.end_with_period(remote, ends=True, attempt=attempt)


def _end_unpaid(remote: RemoteSubscription) -> bool:
    """End what is not paid, now. Returns whether that could be: what has been paid in the meantime stays."""
    if remote.latest_invoice:
        _give_up(remote.latest_invoice)
        if processor.get_invoice(remote.latest_invoice).status == "paid":
            return False
    with suppress(ProcessorRefused):  # it is over already
        processor.cancel_subscription(remote.id)
    return True


def _give_up(invoice: str) -> None:
    with suppress(ProcessorRefused):  # paid, or given up already
        processor.void_invoice(invoice)


# Learning what the processor holds ---------------------------------------------------------------------


def synchronise_subscription(
    *, subscription: Subscription, now: datetime, answered: UUID | None = None
) -> Subscription:
    """Ask the processor about a person's plan and write down what it says, each paid invoice once.

    Args:
        answered: the attempt that the processor has answered, so that what is not there will not come any more.

    Raises:
        ProcessorAway: no answer.
    """
    for _ in range(5):
        Subscription.objects.filter(pk=subscription.pk).update(asked_at=now)
        row = Subscription.objects.select_related("user").get(pk=subscription.pk)
        told = _ask(row) if row.stripe_customer_id else _Told(None, Tier.FREE, None, None, None, [], {})
        failure = told.declined if told.waits_for_payment else ""
        if failure:
            _forget_declined(told)
            told = _ask(row)
        elif _is_left_undone(row, told, now=now):
            assert told.remote is not None
            assert row.attempt is not None
            _lower(told.remote, Tier(row.wanted_tier), row.user, row.attempt)
            told = _ask(row)
        try:
            row = _write_down(row, told, now=now, answered=answered, failure=failure)
        except _Overtaken:
            continue
        _follow_tax(row, told, now=now)
        return row
    raise PaymentError(UNDER_WAY)


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


def _ask(row: Subscription) -> _Told:
    """
    Raises:
        ProcessorAway: no answer.
    """
    customer = row.stripe_customer_id
    remote = _that_counts(processor.subscriptions_of(customer), row)
    tier, next_tier, invoice, intent = Tier.FREE, None, None, None
    if remote is not None and not remote.is_over:
        tier = _tier_of(remote, row)
        if remote.cancels_at_period_end:
            next_tier = Tier.FREE
        elif remote.schedule:
            later = processor.scheduled_price(remote.schedule, after=remote.period_end)
            next_tier = plan_prices.tier_of_price(later) if later is not None else None
        if remote.latest_invoice and (
            remote.has_pending_update or remote.status in ("incomplete", "past_due", "unpaid")
        ):
            invoice = processor.get_invoice(remote.latest_invoice)
            invoice = invoice if invoice.status == "open" else None
            intent = gateway.get_intent(invoice.payment_intent) if invoice and invoice.payment_intent else None
    return _Told(
        remote=remote,
        tier=tier,
        next_tier=next_tier,
        invoice=invoice,
        intent=intent,
        paid=[(invoice, _sold(invoice)) for invoice in _unrecorded(customer)],
        given_back=_given_back(row),
    )


def _unrecorded(customer: str) -> list[RemoteInvoice]:
    paid = processor.paid_invoices_of(customer)
    known = set(
        SubscriptionPayment.objects.filter(stripe_invoice__in=[invoice.id for invoice in paid]).values_list(
            "stripe_invoice", flat=True
        )
    )
    return [invoice for invoice in paid if invoice.id not in known]


def _sold(invoice: RemoteInvoice) -> Tier | None:
    priced = invoice.main_line.priced
    return plan_prices.tier_of_price(priced) if priced is not None else None


def _given_back(row: Subscription) -> dict[str, Decimal]:
    oldest = (
        SubscriptionPayment.objects.filter(subscription=row, paid_at__gte=row.asked_at - LOOKING_BACK)
        .order_by("paid_at")
        .first()
    )
    # Charges are made before they are paid.
    return processor.given_back_of(row.stripe_customer_id, since=oldest.paid_at - EVERY) if oldest else {}


def _that_counts(found: list[RemoteSubscription], row: Subscription) -> RemoteSubscription | None:
    """One of a customer's subscriptions: a live one before those that are over, ours before others, the newest."""
    live = [remote for remote in found if not remote.is_over]
    if len(live) > 1:
        log.critical("subscription %s: %s at the processor are live", row.pk, [remote.id for remote in live])
    return max(
        live or found,
        key=lambda remote: (remote.id == row.stripe_subscription_id and bool(live), remote.created),
        default=None,
    )


def _tier_of(remote: RemoteSubscription, row: Subscription) -> Tier:
    tier = plan_prices.tier_of_price(remote.priced)
    if tier is None:
        log.error("subscription %s is sold at %s, which is none of the plans' prices", row.pk, remote.priced.price)
        tier = Tier(row.wanted_tier or row.tier)
    return tier


def _forget_declined(told: _Told) -> None:
    """What waited for a payment that was declined is taken away, so that the next try begins anew."""
    assert told.remote is not None
    if told.remote.status == "incomplete":
        _end_unpaid(told.remote)
    elif told.invoice is not None:
        _give_up(told.invoice.id)


def _is_left_undone(row: Subscription, told: _Told, *, now: datetime) -> bool:
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
def _write_down(seen: Subscription, told: _Told, *, now: datetime, answered: UUID | None, failure: str) -> Subscription:
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
        _record(row, invoice, tier, now=now)
    _record_given_back(row, told, now=now)
    if told.remote is not None:
        plan_news.tell(row, before, told.remote, told.invoice, now=now)
    return row


def _take_over(row: Subscription, told: _Told) -> None:
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


def _settle_wish(row: Subscription, told: _Told, *, now: datetime, answered: UUID | None) -> None:
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


# What was paid, and what was given back ----------------------------------------------------------------


def _record(row: Subscription, invoice: RemoteInvoice, tier: Tier | None, *, now: datetime) -> None:
    """A paid invoice of the processor's, once: with our own invoice and in the ledger. The row is locked."""
    if invoice.paid <= 0 or SubscriptionPayment.objects.filter(stripe_invoice=invoice.id).exists():
        return
    if invoice.currency not in Currency.values:
        log.critical("invoice %s was paid in %s, which is no currency of ours", invoice.id, invoice.currency)
        return
    kind, rate = _tax_of(row)
    payment = SubscriptionPayment.objects.create(
        subscription=row,
        stripe_invoice=invoice.id,
        stripe_payment_intent=invoice.payment_intent or None,
        amount=invoice.paid,
        currency=invoice.currency,
        tier=tier or row.tier,
        tax_kind=kind,
        tax_rate=rate,
        period_start=invoice.main_line.period_start,
        period_end=invoice.main_line.period_end,
        paid_at=invoice.paid_at or now,
    )
    postings.subscription_moved(payment, now=now)
    invoices.issue_subscription_invoice(subscription_payment=payment, now=now)


def _record_given_back(row: Subscription, told: _Told, *, now: datetime) -> None:
    """Refunds that were begun at the processor's. The row is locked."""
    for payment in SubscriptionPayment.objects.filter(subscription=row, stripe_payment_intent__in=told.given_back):
        _set_given_back(payment, told.given_back[payment.stripe_payment_intent or ""], now=now)


def take_over_refunds(*, payment: SubscriptionPayment, now: datetime) -> None:
    """Ask what has been refunded of a payment at the processor's, however long ago it was paid, and write it down.

    Raises:
        ProcessorAway: no answer.
    """
    refunds = gateway.refunds_of(payment.stripe_payment_intent or "")
    back = sum((refund.amount for refund in refunds if refund.status not in ("failed", "canceled")), 0)
    with transaction.atomic():
        Subscription.objects.select_for_update(of=("self",)).get(pk=payment.subscription_id)
        payment = SubscriptionPayment.objects.select_related("subscription__user").get(pk=payment.pk)
        _set_given_back(payment, from_minor(back, payment.currency), now=now)


def _set_given_back(payment: SubscriptionPayment, back: Decimal, *, now: datetime) -> None:
    back = min(back, payment.amount)
    if back == payment.refunded:
        return
    payment.refunded = back
    payment.save(update_fields=["refunded"])
    postings.subscription_moved(payment, now=now)
    invoices.issue_subscription_credit_note(subscription_payment=payment, now=now)
    invoices.issue_subscription_reinstatement(subscription_payment=payment, now=now)


def _tax_due(user: User) -> dict[str, str]:
    treatment = treatment_of(user)
    return {"kind": str(treatment.kind), "rate": str(treatment.rate)}


def _billing_of(user: User) -> dict[str, Any]:
    """The tax that is due from somebody, and the details that say so."""
    details = details_of(user)
    return {"tax": _tax_due(user), "billed_to": details.frozen() if details else {}}


def _tax_of(row: Subscription) -> tuple[str, Decimal]:
    """The tax with which the price was made that the plan is sold at."""
    tax = row.billing_details.get("tax") or _tax_due(row.user)
    return tax["kind"], Decimal(tax["rate"])


def _follow_tax(row: Subscription, told: _Told, *, now: datetime) -> None:
    """Where other tax is due from this person than when the price was made, take the right amount from next time on.

    Raises:
        ProcessorAway: no answer; it is tried again when the plan is asked after the next time.
    """
    due = _tax_due(row.user)
    if not told.is_live or row.billing_details.get("tax") == due:
        return
    listed = plan_prices.on_sale().get(told.tier)
    settled = row.status == SubscriptionStatus.ACTIVE and not row.wanted_tier and not row.stripe_schedule_id
    if row.billing_details.get("tax") and listed is not None:
        if not settled:
            return
        assert told.remote is not None
        key = f"subscription-{row.pk}-{due['kind']}-{due['rate']}-{int(told.remote.period_start.timestamp())}"
        processor.reprice_subscription(told.remote, price=_price_for(listed, row.user), key=key)
    with transaction.atomic():
        locked = Subscription.objects.select_for_update(of=("self",)).get(pk=row.pk)
        locked.billing_details = locked.billing_details | _billing_of(row.user)
        locked.save(update_fields=["billing_details", "updated_at"])
        row.billing_details, row.updated_at = locked.billing_details, locked.updated_at
