"""Refunds that somebody began at the processor, in Stripe's dashboard: written down like our own, exactly once."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from billing import gateway
from billing.errors import ProcessorRefused
from billing.gateway import MadeRefund
from billing.models import Payment, Refund, RefundReason, RefundStatus
from billing.services import postings
from billing.services.credit_notes import issue_credit_note
from billing.services.finding import paid_payment_behind
from billing.services.refunds import UNDER_WAY, locked_payment, make_room, synchronise_refund, write_down
from bookings.services.history import note
from common.formats import lowered, money
from common.languages import in_english
from common.money import from_minor

SUPERSEDED = "Given back at the payment processor before this could be: not enough of the payment is left for it."


def take_refund(stripe_refund: str, *, now: datetime) -> Refund | None:
    """Bring a refund that the processor tells of to where it is. Returns our row, or ``None`` if it is none of ours.

    Raises:
        NotYet: its payment is not paid.
        ProcessorAway: no answer.
    """
    known = Refund.objects.filter(stripe_refund=stripe_refund).first()
    if known is not None:
        synchronise_refund(refund=known, now=now)
        return known
    try:
        made = gateway.get_refund(stripe_refund)
    except ProcessorRefused as error:
        if error.is_missing:
            return None
        raise
    return take_made(made, now=now)


def take_refunds_of(stripe_payment_intent: str, *, now: datetime) -> bool:
    """Bring every refund of a payment to where the processor says that it is. Returns whether the payment is ours.

    Raises:
        NotYet: the payment is not paid.
        ProcessorAway: no answer.
    """
    if paid_payment_behind(stripe_payment_intent, now=now) is None:
        return False
    for made in gateway.refunds_of(stripe_payment_intent):
        take_made(made, now=now)
    return True


def take_made(made: MadeRefund, *, now: datetime) -> Refund | None:
    """As :func:`take_refund`, of one that the processor has just shown."""
    ours = _ours(made)
    if ours is None:
        return take_outside_refund(made, now=now)
    if not ours.stripe_refund:  # whoever made it has not come to write it down
        Refund.objects.filter(pk=ours.pk, stripe_refund=None).update(stripe_refund=made.id)
        ours.refresh_from_db()
    synchronise_refund(refund=ours, now=now)
    return ours


def _ours(made: MadeRefund) -> Refund | None:
    known = Refund.objects.filter(stripe_refund=made.id).first()
    if known is not None:
        return known
    try:
        named = Refund.objects.select_related("payment").filter(pk=UUID(made.refund_id)).first()
    except ValueError:
        return None
    if named is None or named.stripe_refund or named.payment.stripe_payment_intent != made.payment_intent:
        return None
    return named


def take_outside_refund(made: MadeRefund, *, now: datetime) -> Refund | None:
    """Write down a refund that does not bear the id of one of ours. ``None``: nor is its payment one of ours.

    Refunds of ours that wait and no longer fit into what is left of the payment are given up first, so that no share
    is taken back twice.

    Raises:
        NotYet: the payment is not paid.
        ProcessorAway: no answer.
    """
    payment = paid_payment_behind(made.payment_intent, now=now)
    return None if payment is None else _write_down(payment, made, now=now)


@transaction.atomic
def _write_down(payment: Payment, made: MadeRefund, *, now: datetime) -> Refund:
    payment = locked_payment(payment.pk)
    known = Refund.objects.filter(stripe_refund=made.id).first()
    if known is not None:
        return known
    amount = from_minor(made.amount, made.currency)
    moves = made.status in (*UNDER_WAY, "succeeded")
    superseded = make_room(payment, amount, why=SUPERSEDED, now=now) if moves else []
    refund = Refund.objects.create(
        payment=payment,
        amount=amount,
        currency=made.currency,
        reason=RefundReason.OUTSIDE,
        status=RefundStatus.REQUESTED if moves else RefundStatus.FAILED,
        requested_at=now,
        next_attempt_at=now,
        stripe_refund=made.id,
        failure="" if moves else made.error or f"The processor says: {made.status}.",
    )
    if moves:
        postings.refund_owed(refund, now=now)
        issue_credit_note(refund=refund, now=now)
        _tell(refund, superseded, now=now)
        write_down(refund.pk, made, now=now)
        refund.refresh_from_db()
    return refund


def _tell(refund: Refund, superseded: list[Refund], *, now: datetime) -> None:
    booking, buyer, key = refund.payment.booking, refund.payment.booking.buyer, f"refund-outside:{refund.pk}"
    with in_english():
        note(booking, f"{money(refund.amount, refund.currency)} given back at the payment processor", now=now)
    with written_for(buyer):
        words = {"amount": money(refund.amount, refund.currency), "reference": booking.reference}
        title = _("%(amount)s of booking %(reference)s is on its way back to you") % words
        link, good = f"/bookings/{booking.pk}/", Notification.Tone.GOOD
        tell(
            user=buyer,
            event=EventKind.REFUND_BEGUN,
            key=key,
            subject=title,
            paragraphs=[],
            action=(_("Open the booking"), link),
            tone=good,
            organization=booking.organization,
            about={"booking": str(booking.pk), "reference": booking.reference},
            now=now,
        )
    link = reverse("admin:billing_payment_change", args=[refund.payment_id])
    for user in administrators():
        with written_for(user):
            words = {"amount": money(refund.amount, refund.currency), "reference": booking.reference}
            subject = _("%(amount)s was given back at the payment processor") % words
            said = [_("It was begun in the processor's dashboard. Booking %(reference)s.") % words]
            said += [_given_up(other) for other in superseded]
            tone = Notification.Tone.WARN if superseded else Notification.Tone.INFO
            tell(
                user=user,
                event=EventKind.TROUBLE,
                key=key,
                subject=subject,
                paragraphs=said,
                action=(_("Open the payment"), link),
                text=" ".join(said),
                tone=tone,
                now=now,
            )


def _given_up(refund: Refund) -> str:
    return _(
        "Our own refund of %(amount)s (%(reason)s) does not fit beside it and was given up. "
        "Look whether the buyer is owed more."
    ) % {"amount": money(refund.amount, refund.currency), "reason": lowered(refund.get_reason_display())}
