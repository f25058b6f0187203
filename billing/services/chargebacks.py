"""Chargebacks: what a buyer's bank asks, takes and decides, as the processor's Dispute object says it."""

import logging
from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from billing import gateway
from billing.chargeback_reasons import in_words
from billing.errors import PaymentError, ProcessorRefused
from billing.gateway import Dispute
from billing.models import (
    Chargeback,
    ChargebackState,
    LedgerTransaction,
    Payment,
    PayoutHold,
    Posting,
    SubscriptionPayment,
)
from billing.services import postings
from billing.services.credit_notes import issue_chargeback_note, issue_reinstatement
from billing.services.finding import paid_payment_behind
from billing.services.payout_holds import place_hold
from billing.services.plan_payments import record_dispute
from billing.services.refunds import locked_payment, make_room
from bookings.models import ChargeStatus
from bookings.services.history import note
from common.formats import lowered, money, when_both
from common.languages import in_english
from common.money import from_minor

log = logging.getLogger(__name__)

#: What the processor's statuses come to. While the bank only asks, the money stays; once it is a dispute, it is gone
#: until the bank has decided. *prevented*: a refund has settled it before it became one.
STATES = {
    "warning_needs_response": ChargebackState.INQUIRY,
    "warning_under_review": ChargebackState.INQUIRY,
    "warning_closed": ChargebackState.CLOSED,
    "prevented": ChargebackState.CLOSED,
    "needs_response": ChargebackState.OPEN,
    "under_review": ChargebackState.OPEN,
    "appeal_needs_response": ChargebackState.OPEN,
    "appeal_under_review": ChargebackState.OPEN,
    "won": ChargebackState.WON,
    "lost": ChargebackState.LOST,
}
#: Of refunds that waited for the bank's decision, when it has given the buyer the money itself.
BY_THE_BANK = "The buyer's bank has given it back to them."
#: Why what a booking earned waits for a person, who reads it as the provider does.
AFTER_ALL = "A bank has decided for us after all: what of it is the buyer's is looked at first."
DECIDED = (ChargebackState.WON, ChargebackState.LOST, ChargebackState.CLOSED)
#: For the booking's timeline.
HISTORY = {
    ChargebackState.INQUIRY: "The buyer's bank asks about a payment",
    ChargebackState.OPEN: "The buyer's bank took {amount} back",
    ChargebackState.WON: "The bank decided for the marketplace: {amount} is back",
    ChargebackState.LOST: "The bank decided for the buyer: {amount} stays with them",
    ChargebackState.CLOSED: "The buyer's bank closed its question",
}


def take_dispute_named(stripe_dispute: str, *, now: datetime) -> Chargeback | None:
    """Ask the processor about a dispute and apply the answer. ``None``: it is not about a payment of ours.

    Raises:
        NotYet: its payment is not paid.
        ProcessorAway: no answer.
    """
    try:
        dispute = gateway.get_dispute(stripe_dispute)
    except ProcessorRefused as error:
        if error.is_missing:
            return None
        raise
    return take_dispute(dispute, now=now)


def take_dispute(dispute: Dispute, *, now: datetime) -> Chargeback | None:
    """Write down what a dispute says. Any order, any number of times: the result is the same.

    One about a plan is written into the plan's payment; ``None`` for it, too.

    Raises:
        PaymentError: its status or currency is one that nobody has thought of; a person is needed.
    """
    payment = paid_payment_behind(dispute.payment_intent, now=now)
    if payment is None:
        plans = SubscriptionPayment.objects.filter(stripe_payment_intent=dispute.payment_intent or None)
        if (of_plan := plans.first()) is not None:
            _check(dispute, of_plan.currency)
            _write_down_of_plan(of_plan, dispute, now=now)
        return None
    _check(dispute, payment.currency)
    return _write_down(payment, dispute, now=now)


def _check(dispute: Dispute, currency: str) -> None:
    if dispute.status not in STATES or dispute.currency != currency:
        raise PaymentError(f"Dispute {dispute.id} is {dispute.status}, in {dispute.currency}: nothing is known to do.")


@transaction.atomic
def _write_down(payment: Payment, dispute: Dispute, *, now: datetime) -> Chargeback:
    payment = locked_payment(payment.pk)
    booking = payment.booking
    chargeback = Chargeback.objects.select_for_update(of=("self",)).filter(stripe_dispute=dispute.id).first()
    before = chargeback.state if chargeback else None
    chargeback = chargeback or Chargeback(
        stripe_dispute=dispute.id, currency=dispute.currency, opened_at=dispute.created
    )
    state = STATES[dispute.status]
    chargeback.payment = payment
    chargeback.state, chargeback.stripe_status = state, dispute.status
    chargeback.amount, chargeback.reason = from_minor(dispute.amount, dispute.currency), dispute.reason[:60]
    chargeback.evidence_due_by = dispute.evidence_due_by
    if state in (ChargebackState.OPEN, ChargebackState.WON, ChargebackState.LOST):
        chargeback.funds_taken_at = chargeback.funds_taken_at or now
    chargeback.closed_at = (chargeback.closed_at or now) if state in DECIDED else None
    if state == ChargebackState.LOST and before != state:
        make_room(payment, chargeback.amount, why=BY_THE_BANK, now=now)
    chargeback.save()
    postings.chargeback_moved(chargeback, now=now)
    issue_chargeback_note(chargeback=chargeback, now=now)
    issue_reinstatement(chargeback=chargeback, now=now)
    if state == before:
        return chargeback
    log.warning("chargeback %s of payment %s: %s, before %s", chargeback.pk, payment.pk, state, before or "unknown")
    is_looked_at = state == ChargebackState.WON and _was_reckoned_without(chargeback)
    if is_looked_at and not PayoutHold.objects.filter(booking=booking, released_at=None, reason=AFTER_ALL).exists():
        place_hold(booking=booking, amount=None, reason=AFTER_ALL, by=None, now=now)
    _tell(chargeback, is_looked_at=is_looked_at, now=now)
    return chargeback


def _was_reckoned_without(chargeback: Chargeback) -> bool:
    """Whether what the buyer gets back was decided while the money was lost: only a person can say what of it is theirs.

    A booking that was canceled, ended or settled then gave nothing back of it, nor did one whose time that it paid for
    was dropped; and a refund that waited was given up.
    """
    booking, payment = chargeback.payment.booking, chargeback.payment
    if not LedgerTransaction.objects.filter(chargeback=chargeback, kind=Posting.CHARGEBACK_LOST).exists():
        return False
    moments = (booking.canceled_at, booking.ended_early_at, booking.left_at, booking.settled_at)
    is_over = any(at and at >= chargeback.opened_at for at in moments)
    return is_over or payment.charge.status == ChargeStatus.DROPPED or postings.credit_of(payment) > 0


def _tell(chargeback: Chargeback, *, is_looked_at: bool, now: datetime) -> None:
    booking, state = chargeback.payment.booking, ChargebackState(chargeback.state)
    key = f"chargeback-{state}:{chargeback.pk}"
    with in_english():
        amount = money(chargeback.amount, chargeback.currency)
        note(booking, HISTORY[state].format(amount=amount), now=now, detail=in_words(chargeback.reason))
    tone = {"good": Notification.Tone.GOOD, "bad": Notification.Tone.BAD, "warn": Notification.Tone.WARN}.get(
        state.tone, Notification.Tone.INFO
    )
    provider = chargeback.payment.provider
    page = reverse("admin:billing_chargeback_change", args=[chargeback.pk])
    for user in administrators().exclude(pk=provider.pk):
        with written_for(user):
            words = _to_administrators(chargeback, is_looked_at=is_looked_at)
            _tell_one(user, EventKind.TROUBLE, key, tone, words, (_("Open the chargeback"), page), now=now)
    with written_for(provider):
        link = f"/bookings/{booking.pk}/"
        words = _to_provider(chargeback, is_looked_at=is_looked_at)
        _tell_one(provider, EventKind.CHARGEBACK, key, tone, words, (_("Open the booking"), link), now=now)


@transaction.atomic
def _write_down_of_plan(payment: SubscriptionPayment, dispute: Dispute, *, now: datetime) -> None:
    """With its postings and documents. Administrators are told once for each status."""
    payment = record_dispute(payment=payment, dispute=dispute, state=STATES[dispute.status], now=now)
    page = reverse("admin:billing_subscriptionpayment_change", args=[payment.pk])
    key = f"plan-dispute:{dispute.id}:{dispute.status}"
    for user in administrators():
        with written_for(user):
            bad, button = Notification.Tone.BAD, (_("Open the payment"), page)
            words = _of_plan(dispute, payment)
            _tell_one(user, EventKind.TROUBLE, key, bad, words, button, now=now)


def _tell_one(
    user: User, event: EventKind, key: str, tone: str, words: list[str], action: tuple[str, str], *, now: datetime
) -> None:
    subject, *paragraphs = words
    tell(user=user, event=event, key=key, subject=subject, paragraphs=paragraphs, action=action, tone=tone, now=now)


def _of_plan(dispute: Dispute, payment: SubscriptionPayment) -> list[str]:
    """A subject, and what there is to do."""
    about = {
        "amount": money(from_minor(dispute.amount, dispute.currency), dispute.currency),
        "status": dispute.status.replace("_", " "),
        "payment": payment,
        "email": payment.subscription.user.email,
        "reason": lowered(in_words(dispute.reason)) or _("none given"),
    }
    whose = _("%(payment)s of %(email)s; the bank's reason: %(reason)s.") % about
    return [
        _("A bank disputes %(amount)s of a plan: %(status)s") % about,
        f"{whose} {_to_answer(dispute.evidence_due_by)}",
        _("The plan goes on until somebody ends it."),
    ]


def _to_answer(until: datetime | None) -> str:
    if until is None:
        return _("There is nothing to answer.")
    return _("Answer in the processor's dashboard by %(when)s.") % {"when": when_both(until)}


def _to_administrators(chargeback: Chargeback, *, is_looked_at: bool) -> list[str]:
    """A subject, and what there is to do."""
    about = {
        "amount": money(chargeback.amount, chargeback.currency),
        "reference": chargeback.payment.booking.reference,
        "reason": lowered(in_words(chargeback.reason)) or _("none given"),
    }
    why = _("Booking %(reference)s; the bank's reason: %(reason)s.") % about
    answer = _to_answer(chargeback.evidence_due_by)
    payout = _("What the provider earned with it is not paid out until it is decided.")
    back, nothing = _("The money is back."), _("Nothing was taken.")
    look = [_still_to_see_to(chargeback.payment)] if is_looked_at else []
    taken = _("What had not been refunded before is taken from those who had earned it; the buyer has a credit note.")
    return {
        ChargebackState.INQUIRY: [_("A bank asks about a payment of %(amount)s") % about, why, answer, payout],
        ChargebackState.OPEN: [_("A bank has taken %(amount)s back") % about, f"{why} {answer}", payout],
        ChargebackState.WON: [_("Chargeback won: %(amount)s") % about, f"{why} {back}", *look],
        ChargebackState.LOST: [_("Chargeback lost: %(amount)s") % about, f"{why} {taken}"],
        ChargebackState.CLOSED: [_("A bank's question about %(amount)s is closed") % about, f"{why} {nothing}"],
    }[ChargebackState(chargeback.state)]


def _still_to_see_to(payment: Payment) -> str:
    credit = postings.credit_of(payment)
    about = {"amount": money(credit, payment.currency)}
    owed = (
        _("The buyer has %(amount)s of it with us: ask for the refund that was given up again.") % about
        if credit
        else ""
    )
    look = _(
        "It was lost before, and meanwhile the booking was canceled, ended or settled as if the money were gone. Give the "
        "buyer back what is theirs of it, then release the hold on what the provider earned."
    )
    return f"{look} {owed}".strip()


def _to_provider(chargeback: Chargeback, *, is_looked_at: bool) -> list[str]:
    about = {
        "amount": money(chargeback.amount, chargeback.currency),
        "reference": chargeback.payment.booking.reference,
    }
    wait = _("What you earned with this booking is paid out once the bank has decided.")
    evidence = _("We answer the bank with what we know; if you have something that shows the buyer's use, write to us.")
    return {
        ChargebackState.INQUIRY: [_("The buyer's bank asks about booking %(reference)s") % about, wait],
        ChargebackState.OPEN: [
            _("The buyer's bank has taken %(amount)s back for booking %(reference)s") % about,
            f"{wait} {evidence}",
        ],
        ChargebackState.WON: [
            _("The bank has decided for you: booking %(reference)s") % about,
            _("%(amount)s is back. We look at what of it is the buyer's first; the rest is paid out then.") % about
            if is_looked_at
            else _("%(amount)s is back, and what you earned with this booking is paid out as usual.") % about,
        ],
        ChargebackState.LOST: [
            _("The bank has decided for the buyer: booking %(reference)s") % about,
            _("%(amount)s stays with the buyer. Your share of it is not paid out, or is taken off your next payout.")
            % about,
        ],
        ChargebackState.CLOSED: [
            _("The buyer's bank has closed its question about booking %(reference)s") % about,
            _("What you earned with this booking is paid out as usual."),
        ],
    }[ChargebackState(chargeback.state)]
