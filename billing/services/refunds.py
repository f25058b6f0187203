"""Giving money back: written first, made afterwards, exactly once."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.decisions import require_two
from accounts.services.roles import administrators, require_administrator
from accounts.services.telling import tell
from billing import gateway
from billing.errors import PaymentError, ProcessorAway, ProcessorRefused
from billing.models import LedgerTransaction, Payment, PaymentStatus, Posting, Refund, RefundReason, RefundStatus
from billing.services import postings
from billing.services.credit_notes import issue_credit_note
from bookings.models import Booking
from bookings.services.history import note
from bookings.services.locks import locked
from common.formats import lowered, money
from common.languages import in_english
from common.leases import Clock, growing_pause
from common.money import rounded
from common.queue import soon

log = logging.getLogger(__name__)

#: Whoever takes a refund has it this long; longer than every time limit of the gateway together.
LEASE = timedelta(seconds=90)
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(hours=1)
#: Within this a second, equal refund by a person is taken for a second click.
AGAIN = timedelta(minutes=10)
#: The reasons that a person has, not a rule.
BY_A_PERSON = (RefundReason.DISPUTE, RefundReason.GOODWILL)
#: What the processor calls a refund that it has accepted and not made yet.
UNDER_WAY = ("pending", "requires_action")


def request_refund(
    *,
    payment: Payment,
    amount: Decimal,
    reason: str,
    by: User | None,
    now: datetime,
    note: str = "",
    retry_of: Refund | None = None,
) -> Refund:
    """Owe the buyer ``amount`` of a payment, in the caller's transaction. A sweep makes it.

    Raises:
        PaymentError: more than was paid and not yet given back; refunds in flight count.
    """
    payment = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("booking__machine", "booking__buyer", "payer", "provider")
        .get(pk=payment.pk)
    )
    if payment.status != PaymentStatus.PAID or not 0 < amount <= payment.refundable:
        raise PaymentError("A refund cannot be more than what was paid and is not given back yet.")
    refund = Refund.objects.create(
        payment=payment,
        amount=amount,
        currency=payment.currency,
        reason=reason,
        requested_at=now,
        requested_by=by,
        note=note,
        retry_of=retry_of,
        next_attempt_at=now,
    )
    postings.refund_owed(refund, now=now)
    issue_credit_note(refund=refund, now=now)
    soon("billing.tasks.make_refund", str(refund.pk))
    return refund


def refund_booking(*, booking: Booking, amount: Decimal, reason: str, by: User | None, now: datetime) -> list[Refund]:
    """Owe the buyer ``amount`` of what the booking's payments hold, newest first.

    What has been given back before, for whatever reason, counts: less is left then, and that is owed.

    Raises:
        PaymentError: that much was never paid.
    """
    refunds = []
    left = amount
    # All of them before the first is touched: credit notes take their numbers, and nothing is locked after that.
    # What came too late or twice goes back by itself, and is no part of what the booking has earned.
    earned = LedgerTransaction.objects.filter(payment=OuterRef("pk"), kind=Posting.EARNED)
    rows = Payment.objects.paid().filter(Exists(earned), booking=booking).order_by("-paid_at", "pk")
    paid = list(rows.select_for_update(of=("self",)).prefetch_related("refunds", "chargebacks"))
    if amount > sum(payment.amount_total for payment in paid):
        raise PaymentError(f"{amount} {booking.currency} was to be refunded, which is more than was paid.")
    for payment in paid:
        # A refund that failed is owed still: what the buyer has with us for it pays no other debt.
        part = min(left, payment.refundable, postings.earned_of(payment))
        if part > 0:
            refunds.append(request_refund(payment=payment, amount=part, reason=reason, by=by, now=now))
            left -= part
    return refunds


@transaction.atomic
def give_back(
    *, payment: Payment, amount: Decimal, reason: str, why: str, by: User, now: datetime, second: User | None = None
) -> Refund:
    """Owe the buyer a part of a payment because a person decided so: in a dispute, or as goodwill.

    Args:
        reason: one of :data:`BY_A_PERSON`.
        why: in words; the buyer and the provider read it.
        second: the administrator who confirmed it, above ``MARKETPLACE_REFUND_ALONE`` (rules: Administrators).

    Raises:
        NotAnAdministrator: ``by`` is none.
        TakesTwo: it is more than one administrator may give back alone.
        PaymentError: that much of it has not been earned, or is not left; or it was done a moment ago.
    """
    require_administrator(by)
    if reason not in BY_A_PERSON:
        raise PaymentError("Say whether a dispute was decided or it is goodwill.", field="reason")
    booking = locked(payment.booking_id)
    payment = Payment.objects.select_for_update(of=("self",)).get(pk=payment.pk)
    check_give_back(payment, amount)
    if takes_two_to_give_back(payment, amount):
        require_two(by=by, second=second)
    if payment.refunds.filter(amount=amount, reason=reason, note=why, requested_at__gt=now - AGAIN).exists():
        raise PaymentError("The same has just been given back. If it is to be given twice, say so in its reason.")
    refund = request_refund(payment=payment, amount=amount, reason=reason, by=by, now=now, note=why)
    with in_english():
        note(booking, f"{money(amount, refund.currency)} to be given back", now=now, by=by, detail=why)
    provider = payment.provider
    with written_for(provider):
        words = {"amount": money(amount, refund.currency), "reference": booking.reference, "note": why}
        said = _("Of booking %(reference)s: %(reason)s. %(note)s") % {
            **words,
            "reason": lowered(refund.get_reason_display()),
        }
        yours = _("Your share of it is taken off what you earned.")
        tell(
            user=provider,
            event=EventKind.EARNINGS,
            key=f"given-back:{refund.pk}",
            subject=_("%(amount)s goes back to the buyer") % words,
            paragraphs=[f"{said} {yours}"],
            action=(_("Open the booking"), f"/bookings/{booking.pk}/"),
            tone=Notification.Tone.WARN,
            now=now,
        )
    return refund


def check_give_back(payment: Payment, amount: Decimal) -> None:
    """
    Raises:
        PaymentError: that much of it has not been earned, or is not left.
    """
    left = min(payment.refundable, postings.earned_of(payment))
    if not 0 < amount <= left or amount != rounded(amount, payment.currency):
        raise PaymentError(
            f"Of this payment {money(left, payment.currency)} can be given back. Choose an amount up to that.",
            field="amount",
        )


def takes_two_to_give_back(payment: Payment, amount: Decimal) -> bool:
    """Whether it is more than one administrator may give back alone, with what was given of this booking before.

    One that failed counts too: it is asked for again by one alone. Then the new row counts in its place.
    """
    given = Refund.objects.filter(payment__booking=payment.booking_id, reason__in=BY_A_PERSON)
    given = given.filter(~Q(status=RefundStatus.FAILED) | Q(retry=None))
    before = given.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    return bool(before + amount > settings.MARKETPLACE_REFUND_ALONE)


@transaction.atomic
def ask_again(*, refund: Refund, by: User, now: datetime) -> Refund:
    """Ask for a refund again that the processor could not make: a new row, since the old one tells what happened.

    Where a part has been given back otherwise meanwhile, for what the buyer still has with us.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: it has not failed, or the money has been given back otherwise.
    """
    require_administrator(by)
    locked(refund.payment.booking_id)
    failed = Refund.objects.select_for_update(of=("self",)).select_related("payment").get(pk=refund.pk)
    if failed.status != RefundStatus.FAILED:
        raise PaymentError("Only a refund that has failed is asked for again.")
    if Refund.objects.filter(retry_of=failed).exists():
        raise PaymentError("This refund has been asked for again already.")
    amount = min(failed.amount, failed.payment.refundable, postings.credit_of(failed.payment))
    if amount <= 0:
        raise PaymentError("This money has been given back otherwise: the buyer has nothing of it with us.")
    return request_refund(
        payment=failed.payment,
        amount=amount,
        reason=failed.reason,
        by=by,
        now=now,
        note=failed.note,
        retry_of=failed,
    )


def make_due_refunds(*, now: datetime, limit: int = 50) -> int:
    """Sweep: make the refunds that wait. Returns how many were made. Stops when the processor is away."""
    clock, made = Clock(now), 0
    for pk in Refund.objects.due(now=now).values_list("pk", flat=True)[:limit]:
        try:
            made += _attempt(pk, now=clock.now())
        except ProcessorAway:
            break
    return made


def make_refund(*, refund_id: UUID, now: datetime) -> bool:
    """Make one refund if it is due and nobody else is at it. Returns whether it has been made."""
    try:
        return _attempt(refund_id, now=now)
    except ProcessorAway:
        return False


def _attempt(refund_id: UUID, *, now: datetime) -> bool:
    """Take the refund, have the processor make it, write down what came of it.

    A process that dies after the processor did it and before this wrote it down costs nothing: when the lease
    is over the next one asks the processor first and finds it.

    Raises:
        ProcessorAway: no answer; it is tried again after a pause.
    """
    taken = (
        Refund.objects.due(now=now)
        .filter(pk=refund_id)
        .order_by()
        .update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    )
    if not taken:
        return False
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    try:
        # What the processor has already is not asked for again: one that was begun there does not bear our id.
        made = gateway.get_refund(refund.stripe_refund) if refund.stripe_refund else gateway.make_refund(refund)
    except ProcessorAway:
        _try_again(refund, now=now, why="The payment processor did not answer.")
        raise
    except ProcessorRefused as error:
        is_lost = any(chargeback.is_lost for chargeback in refund.payment.chargebacks.all())
        if gateway.gone_for_good(error, is_lost=is_lost):
            give_up(refund_id=refund.pk, why="It can no longer be given back through the processor.", now=now)
            return False
        log.exception("refund %s was refused", refund.pk)
        _try_again(refund, now=now, why=error.message)
        return False
    return write_down(refund_id, made, now=now)


@transaction.atomic
def give_up(*, refund_id: UUID, why: str, now: datetime) -> None:
    """It cannot be made: what it would have given back is the buyer's with us, until a person has seen to it."""
    refund = _locked(refund_id)
    if refund.status == RefundStatus.REQUESTED:
        _set_failed(refund, why, now=now)


def locked_payment(payment_id: UUID) -> Payment:
    """The payment, locked until the transaction ends, with its people loaded, and its booking locked before it.

    Raises:
        Payment.DoesNotExist: there is none.
    """
    booking = locked(Payment.objects.values_list("booking_id", flat=True).get(pk=payment_id))
    payments = Payment.objects.select_for_update(of=("self",)).select_related("payer", "provider")
    payment = payments.get(pk=payment_id)
    payment.booking = booking
    return payment


def _locked(refund_id: UUID) -> Refund:
    """The refund's row, locked after its booking's and its payment's: what is posted for it touches all three."""
    payment = locked_payment(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
    refund = Refund.objects.select_for_update().get(pk=refund_id)
    refund.payment = payment
    return refund


def make_room(payment: Payment, amount: Decimal, *, why: str, now: datetime) -> list[Refund]:
    """``amount`` of a payment goes back to the buyer by another way: give up the newest refunds that wait, until the
    others fit beside it. Returns those given up.
    """
    refunds = list(payment.refunds.order_by("requested_at", "pk"))
    waiting = [refund for refund in refunds if refund.status == RefundStatus.REQUESTED and not refund.stripe_refund]
    gone = sum((refund.amount for refund in refunds if refund.counts and refund not in waiting), amount)
    left = payment.amount_total - payment.charged_back - gone
    superseded = []
    while waiting and sum(refund.amount for refund in waiting) > left:
        newest = waiting.pop()
        give_up(refund_id=newest.pk, why=why, now=now)
        superseded.append(newest)
    return superseded


def _set_failed(refund: Refund, why: str, *, now: datetime) -> None:
    refund.status, refund.failure = RefundStatus.FAILED, why[:300]
    refund.save(update_fields=["status", "failure", "stripe_refund"])
    postings.refund_moved(refund, now=now)
    log.error("refund %s failed: %s", refund.pk, refund.failure)
    _tell_of_failure(refund, now=now)


def _tell_of_failure(refund: Refund, *, now: datetime) -> None:
    """Administrators: nobody else can pay it another way."""
    booking, key = refund.payment.booking, f"refund-failed:{refund.pk}"
    link, bad = reverse("admin:billing_refund_change", args=[refund.pk]), Notification.Tone.BAD
    for user in administrators():
        with written_for(user):
            about = {"reference": booking.reference, "reason": lowered(refund.get_reason_display())}
            said = [
                _("Booking %(reference)s, %(reason)s. %(failure)s") % {**about, "failure": refund.failure},
                _("If the buyer has not got it otherwise, ask for it again, or pay it another way."),
            ]
            tell(
                user=user,
                event=EventKind.TROUBLE,
                key=key,
                subject=_("A refund of %(amount)s failed") % {"amount": money(refund.amount, refund.currency)},
                paragraphs=said,
                action=(_("Open the refund"), link),
                text=" ".join(said),
                tone=bad,
                now=now,
            )


def synchronise_refund(*, refund: Refund, now: datetime) -> None:
    """Ask the processor what became of a refund that it has, and write it down: a bank may send one back days later.

    Raises:
        ProcessorAway: no answer.
    """
    if refund.stripe_refund:
        write_down(refund.pk, gateway.get_refund(refund.stripe_refund), now=now)


def _try_again(refund: Refund, *, now: datetime, why: str) -> None:
    pause = growing_pause(refund.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
    Refund.objects.filter(pk=refund.pk, status=RefundStatus.REQUESTED).update(
        next_attempt_at=now + pause, failure=why[:300]
    )


@transaction.atomic
def write_down(refund_id: UUID, made: gateway.MadeRefund, *, now: datetime) -> bool:
    """Write down what the processor says of a refund. Returns whether it is made now and was not before."""
    refund = _locked(refund_id)
    refund.stripe_refund = made.id
    if made.status in UNDER_WAY:
        if refund.status == RefundStatus.REQUESTED:
            # Accepted, not made yet: asked after until it is one or the other.
            refund.next_attempt_at = now + growing_pause(refund.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
            refund.save(update_fields=["stripe_refund", "next_attempt_at"])
        return False
    if made.status != "succeeded":
        if refund.status != RefundStatus.FAILED:
            _set_failed(refund, made.error or f"The processor says: {made.status}.", now=now)
        return False
    if refund.status == RefundStatus.MADE:
        return False
    refund.status, refund.made_at, refund.failure = RefundStatus.MADE, now, ""
    refund.save(update_fields=["status", "made_at", "failure", "stripe_refund"])
    postings.refund_moved(refund, now=now)
    _tell(refund, now=now)
    return True


def _tell(refund: Refund, *, now: datetime) -> None:
    booking = refund.payment.booking
    with in_english():
        back = money(refund.amount, refund.currency)
        note(booking, f"{back} refunded", now=now, detail=refund.get_reason_display())
    with written_for(booking.buyer):
        words = {"amount": money(refund.amount, refund.currency), "reference": booking.reference}
        tell(
            user=booking.buyer,
            event=EventKind.REFUNDED,
            key=f"refund-made:{refund.pk}",
            subject=_("Refunded: %(amount)s") % words,
            paragraphs=[
                _("%(amount)s of booking %(reference)s is on its way back to your card.") % words,
                " ".join(filter(None, [f"{refund.get_reason_display()}.", refund.note])),
                _("Banks take up to ten days to show it."),
            ],
            action=(_("Open the booking"), f"/bookings/{booking.pk}/"),
            tone=Notification.Tone.GOOD,
            organization=booking.organization,
            about={"booking": str(booking.pk), "reference": booking.reference, "refund": str(refund.pk)},
            now=now,
        )
