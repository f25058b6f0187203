"""A plan at the processor: what is held there, and how it is made less, or ended. Nothing is written down here."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import User
from billing import gateway
from billing.errors import PaymentError, ProcessorRefused
from billing.gateway import Intent
from billing.gateway import subscriptions as processor
from billing.gateway.subscriptions import PlanPrice, RemoteInvoice, RemoteSubscription
from billing.models import IN_FORCE, Subscription, SubscriptionPayment, SubscriptionStatus, Tier
from billing.services import plan_prices

log = logging.getLogger(__name__)

#: Refunds of what was paid longer ago are heard of by webhook alone.
LOOKING_BACK = timedelta(days=60)
#: Charges are made before they are paid: by no more than this.
BEFORE_PAID = timedelta(days=1)


@dataclass(frozen=True)
class Told:
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


def ask(row: Subscription) -> Told:
    """What the processor holds of this person's plan now.

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
    return Told(
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
    return processor.given_back_of(row.stripe_customer_id, since=oldest.paid_at - BEFORE_PAID) if oldest else {}


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


# The steps of a change ---------------------------------------------------------------------------------


def listed_price(tier: Tier) -> PlanPrice:
    """
    Raises:
        PaymentError: the plan is not on sale.
        ProcessorAway: no answer.
    """
    price = plan_prices.on_sale().get(tier)
    if price is None:
        raise PaymentError(gettext("The plan %(name)s is not on sale here.") % {"name": tier.label})
    return price


def price_for(listed: PlanPrice, user: User) -> str:
    """The id of the Price at which this person is sold the plan."""
    return processor.price_at(listed, plan_prices.payable(listed, user=user).amount)


def lower(remote: RemoteSubscription, tier: Tier, user: User, attempt: UUID) -> None:
    """Have the plan become less when its period ends. Doing it again changes nothing."""
    if tier != Tier.FREE:
        if remote.cancels_at_period_end:
            processor.end_with_period(remote, ends=False, attempt=attempt)
        processor.schedule_price(remote, price=price_for(listed_price(tier), user), attempt=attempt)
        return
    if remote.schedule:
        processor.release_schedule(remote.schedule)
    if remote.status not in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING):
        if end_unpaid(remote):
            return
        remote = processor.get_subscription(remote.id)  # it has just been paid
    if not remote.cancels_at_period_end:
        processor.end_with_period(remote, ends=True, attempt=attempt)


def end_unpaid(remote: RemoteSubscription) -> bool:
    """End what is not paid, now. Returns whether that could be: what has been paid in the meantime stays."""
    if remote.latest_invoice:
        give_up(remote.latest_invoice)
        if processor.get_invoice(remote.latest_invoice).status == "paid":
            return False
    with suppress(ProcessorRefused):  # it is over already
        processor.cancel_subscription(remote.id)
    return True


def give_up(invoice: str) -> None:
    """Have an invoice not be paid any more, if it has not been."""
    with suppress(ProcessorRefused):  # paid, or given up already
        processor.void_invoice(invoice)
