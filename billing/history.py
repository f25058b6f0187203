"""Payments and payouts as timelines: begun, authenticated, paid, given back, taken back; scheduled, sent, received."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext as _

from billing.chargeback_reasons import in_words
from billing.models import Payment, Payout, PayoutMethod, PayoutStatus, Refund, RefundStatus
from bookings.timeline import Step
from common.formats import lowered, money


def steps(payment: Payment) -> list[Step]:
    """Everything that is known of it, in the order of time. Its refunds and chargebacks should be prefetched."""
    found = [*_of_itself(payment), *_of_refunds(payment), *_of_chargebacks(payment)]
    return [step for _, step in sorted(found, key=lambda pair: pair[0])]


def _of_itself(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    amount = money(payment.amount_total, payment.currency)
    how = _("Charged by itself: %(amount)s") if payment.off_session else _("Begun: %(amount)s")
    yield payment.timestamp, Step(how % {"amount": amount}, "done", payment.timestamp, payment.card_label)
    if payment.paid_at is not None:
        yield payment.paid_at, Step(_("Paid"), "done", payment.paid_at)
    elif payment.failure:
        yield payment.asked_at, Step(_("Failed"), "bad", payment.asked_at, _(payment.failure))
    elif payment.needs_authentication:
        yield payment.asked_at, Step(_("Your bank wants to see you"), "now", payment.asked_at)


def _of_refunds(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    for refund in payment.refunds.all():
        words = {"amount": money(refund.amount, refund.currency)}
        yield (
            refund.requested_at,
            Step(_("%(amount)s to be given back") % words, "done", refund.requested_at, _why(refund)),
        )
        if refund.made_at is not None:
            made = _("%(amount)s given back") % words
            yield refund.made_at, Step(made, "done", refund.made_at, _("Banks take up to ten days."))
        if refund.status == RefundStatus.FAILED:
            at = refund.made_at or refund.next_attempt_at
            yield at, Step(_("%(amount)s could not be given back") % words, "bad", at, _("We see to it."))


def _why(refund: Refund) -> str:
    return f"{refund.get_reason_display()}: {refund.note}" if refund.note else refund.get_reason_display()


def _of_chargebacks(payment: Payment) -> Iterator[tuple[datetime, Step]]:
    for chargeback in payment.chargebacks.all():
        asked = _("Your bank asked for %(amount)s back") % {"amount": money(chargeback.amount, chargeback.currency)}
        yield chargeback.opened_at, Step(asked, "bad", chargeback.opened_at, in_words(chargeback.reason))
        if chargeback.closed_at is not None:
            closed = _("Chargeback: %(state)s") % {"state": lowered(chargeback.get_state_display())}
            yield chargeback.closed_at, Step(closed, "done", chargeback.closed_at)


def steps_of_payout(payout: Payout) -> list[Step]:
    """What happened to a payout, and what comes next."""
    by_bank = payout.method == PayoutMethod.SEPA
    steps = [Step(_("Scheduled"), "done", payout.scheduled_at, _to(payout))]
    if payout.sent_at is not None:
        steps.append(Step(_("Sent"), "done", payout.sent_at, _how(payout)))
    if payout.received_at is not None:
        steps.append(Step(_("Received"), "done", payout.received_at))
    if payout.failed_at is not None:
        steps.append(Step(_("Failed"), "bad", payout.failed_at, _(payout.failure)))
        retry = getattr(payout, "retry", None)
        title = _("Tried again as %(reference)s") % {"reference": retry.reference} if retry else _("We try again")
        detail = "" if retry else _("As soon as the account is right. Nothing is lost.")
        steps.append(Step(title, "done" if retry else "now", retry.scheduled_at if retry else "", detail))
    elif payout.status == PayoutStatus.SCHEDULED:
        to_do = _("With the next file for our bank") if by_bank else _("As soon as Stripe takes it")
        steps.append(Step(_("Sending"), "now", "", _(payout.failure) or to_do))
        steps.append(Step(_("Received"), "next"))
    elif payout.status == PayoutStatus.SENT:
        days = _("Our bank tells us. It takes a day or two.") if by_bank else _("Stripe tells us. It takes a few days.")
        steps.append(Step(_("On its way to your bank"), "now", "", _(payout.failure) or days))
    return steps


def _to(payout: Payout) -> str:
    return _("To %(account)s") % {"account": payout.account.label}


def _how(payout: Payout) -> str:
    if payout.sepa_file is None:
        return _("Through Stripe")
    return _("In the file %(name)s") % {"name": payout.sepa_file.message_id}
