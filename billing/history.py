"""Payments and payouts as timelines: begun, authenticated, paid, given back, taken back; scheduled, sent, received."""

from collections.abc import Iterator
from datetime import datetime

from billing.models import Payment, Payout, PayoutMethod, PayoutStatus, Refund, RefundStatus
from bookings.timeline import Step
from common.formats import money


def steps(payment: Payment) -> list[Step]:
    """Everything that is known of it, in the order of time. Its refunds and chargebacks should be prefetched."""
    found = [*_of_itself(payment), *_of_refunds(payment), *_of_chargebacks(payment)]
    return [step for _, step in sorted(found, key=lambda pair: pair[0])]


def _of_itself(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    amount = money(payment.amount_total, payment.currency)
    how = "Charged by itself" if payment.off_session else "Begun"
    yield payment.timestamp, Step(f"{how}: {amount}", "done", payment.timestamp, payment.card_label)
    if payment.paid_at is not None:
        yield payment.paid_at, Step("Paid", "done", payment.paid_at)
    elif payment.failure:
        yield payment.asked_at, Step("Failed", "bad", payment.asked_at, payment.failure)
    elif payment.needs_authentication:
        yield payment.asked_at, Step("Your bank wants to see you", "now", payment.asked_at)


def _of_refunds(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    for refund in payment.refunds.all():
        amount = money(refund.amount, refund.currency)
        yield (
            refund.requested_at,
            Step(f"{amount} to be given back", "done", refund.requested_at, _why(refund)),
        )
        if refund.made_at is not None:
            yield refund.made_at, Step(f"{amount} given back", "done", refund.made_at, "Banks take up to ten days.")
        if refund.status == RefundStatus.FAILED:
            at = refund.made_at or refund.next_attempt_at
            yield at, Step(f"{amount} could not be given back", "bad", at, "We see to it.")


def _why(refund: Refund) -> str:
    return f"{refund.get_reason_display()}: {refund.note}" if refund.note else refund.get_reason_display()


def _of_chargebacks(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    for chargeback in payment.chargebacks.all():
        amount = money(chargeback.amount, chargeback.currency)
        yield (
            chargeback.opened_at,
            Step(f"Your bank asked for {amount} back", "bad", chargeback.opened_at, chargeback.reason),
        )
        if chargeback.closed_at is not None:
            yield (
                chargeback.closed_at,
                Step(f"Chargeback: {chargeback.get_state_display().lower()}", "done", chargeback.closed_at),
            )


def steps_of_payout(payout: Payout) -> list[Step]:
    """What happened to a payout, and what comes next."""
    by_bank = payout.method == PayoutMethod.SEPA
    steps = [Step("Scheduled", "done", payout.scheduled_at, f"To {payout.account.label}")]
    if payout.sent_at is not None:
        how = f"In the file {payout.sepa_file.message_id}" if payout.sepa_file else "Through Stripe"
        steps.append(Step("Sent", "done", payout.sent_at, how))
    if payout.received_at is not None:
        steps.append(Step("Received", "done", payout.received_at))
    if payout.failed_at is not None:
        steps.append(Step("Failed", "bad", payout.failed_at, payout.failure))
        retry = getattr(payout, "retry", None)
        title = f"Tried again as {retry.reference}" if retry else "We try again"
        detail = "" if retry else "As soon as the account is right. Nothing is lost."
        steps.append(Step(title, "done" if retry else "now", retry.scheduled_at if retry else "", detail))
    elif payout.status == PayoutStatus.SCHEDULED:
        to_do = "With the next file for our bank" if by_bank else "As soon as Stripe takes it"
        steps.append(Step("Sending", "now", "", payout.failure or to_do))
        steps.append(Step("Received", "next"))
    elif payout.status == PayoutStatus.SENT:
        days = "Our bank tells us. It takes a day or two." if by_bank else "Stripe tells us. It takes a few days."
        steps.append(Step("On its way to your bank", "now", "", payout.failure or days))
    return steps
