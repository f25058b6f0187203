"""What was paid for a plan, and what was given back of it: with our own invoices, and in the ledger."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import User
from accounts.tax import details_of, treatment_of
from billing import gateway
from billing.errors import PaymentError
from billing.gateway import Dispute
from billing.gateway.subscriptions import RemoteInvoice
from billing.models import ChargebackState, Subscription, SubscriptionPayment, Tier
from billing.services import credit_notes, invoices, postings
from common.money import Currency, from_minor

log = logging.getLogger(__name__)


def record_payment(row: Subscription, invoice: RemoteInvoice, tier: Tier | None, *, now: datetime) -> None:
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


def record_given_back(row: Subscription, given_back: dict[str, Decimal], *, now: datetime) -> None:
    """Refunds that were begun at the processor's, by PaymentIntent. The row is locked."""
    for payment in SubscriptionPayment.objects.filter(subscription=row, stripe_payment_intent__in=given_back):
        _set_given_back(payment, given_back[payment.stripe_payment_intent or ""], now=now)


def take_over_refunds(*, payment: SubscriptionPayment, now: datetime) -> None:
    """Ask what has been refunded of a payment at the processor's, however long ago it was paid, and write it down.

    Raises:
        ProcessorAway: no answer.
        PaymentError: others write about the plan again and again meanwhile.
    """
    for _attempt in range(5):
        seen = Subscription.objects.get(pk=payment.subscription_id)
        refunds = gateway.refunds_of(payment.stripe_payment_intent or "")
        back = sum((refund.amount for refund in refunds if refund.status not in ("failed", "canceled")), 0)
        if _write_down(payment, from_minor(back, payment.currency), seen, now=now):
            return
    raise PaymentError("Others write about this plan at this moment. Ask again in a minute.")


@transaction.atomic
def _write_down(payment: SubscriptionPayment, back: Decimal, seen: Subscription, *, now: datetime) -> bool:
    """Returns whether nobody has written since ``seen`` was read, who may know of later refunds than we do."""
    row = Subscription.objects.select_for_update(of=("self",)).get(pk=seen.pk)
    if row.updated_at != seen.updated_at:
        return False
    payment = SubscriptionPayment.objects.select_related("subscription__user").get(pk=payment.pk)
    if _set_given_back(payment, back, now=now):
        row.save(update_fields=["updated_at"])  # whoever asked before us asks again
    return True


def _set_given_back(payment: SubscriptionPayment, back: Decimal, *, now: datetime) -> bool:
    """Returns whether that is another amount than before."""
    back = min(back, payment.amount)
    if back == payment.refunded:
        return False
    payment.refunded = back
    payment.save(update_fields=["refunded"])
    _moved(payment, back=credit_notes.REFUNDED, again=credit_notes.KEPT_AFTER_ALL, now=now)
    return True


def record_dispute(
    *, payment: SubscriptionPayment, dispute: Dispute, state: ChargebackState, now: datetime
) -> SubscriptionPayment:
    """Write down what a bank asks, takes or decides about a payment of a plan: any order, any number of times."""
    row = Subscription.objects.select_for_update(of=("self",)).get(pk=payment.subscription_id)
    payment = SubscriptionPayment.objects.select_related("subscription__user").get(pk=payment.pk)
    said = {"status": dispute.status, "state": str(state), "amount": str(from_minor(dispute.amount, dispute.currency))}
    if payment.disputes.get(dispute.id) == said:
        return payment
    payment.disputes = {**payment.disputes, dispute.id: said}
    payment.disputed = _taken(payment, ChargebackState.OPEN)
    payment.charged_back = _taken(payment, ChargebackState.LOST)
    payment.save(update_fields=["disputes", "disputed", "charged_back"])
    row.save(update_fields=["updated_at"])
    _moved(payment, back=credit_notes.TAKEN_BACK, again=credit_notes.GIVEN_AGAIN, now=now)
    return payment


def _moved(payment: SubscriptionPayment, *, back: str, again: str, now: datetime) -> None:
    """More or less of it went back: post it, credit what went back, invoice again what was kept after all.

    Args:
        back, again: what the documents say of it.
    """
    postings.subscription_moved(payment, now=now)
    credit_notes.issue_subscription_credit_note(subscription_payment=payment, why=back, now=now)
    credit_notes.issue_subscription_reinstatement(subscription_payment=payment, why=again, now=now)


def _taken(payment: SubscriptionPayment, state: ChargebackState) -> Decimal:
    return sum((Decimal(said["amount"]) for said in payment.disputes.values() if said["state"] == state), Decimal(0))


# The tax -----------------------------------------------------------------------------------------------


def tax_due(user: User) -> dict[str, str]:
    """The tax with which somebody is sold a plan now, as ``billing_details`` of the plan keep it."""
    treatment = treatment_of(user)
    return {"kind": str(treatment.kind), "rate": str(treatment.rate)}


def billing_of(user: User) -> dict[str, Any]:
    """The tax that is due from somebody, and the details that say so."""
    details = details_of(user)
    return {"tax": tax_due(user), "billed_to": details.frozen() if details else {}}


def _tax_of(row: Subscription) -> tuple[str, Decimal]:
    """The tax with which the price was made that the plan is sold at."""
    tax = row.billing_details.get("tax") or tax_due(row.user)
    return tax["kind"], Decimal(tax["rate"])
