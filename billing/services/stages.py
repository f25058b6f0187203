"""Charging the later stages of long bookings, ahead of their time and with nobody there (rules: Money)."""

import logging
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from billing import gateway, mails
from billing.errors import AuthenticationNeeded, CardDeclined, PaymentError, ProcessorAway, ProcessorRefused
from billing.models import Payment, PaymentStatus
from billing.services.cards import Means, customer_of, default_card
from billing.services.payments import NEVER_SENT, apply, begin, fail, know_as, synchronise
from bookings.models import Charge
from bookings.services.stages import cut_to_paid
from common.leases import Clock

log = logging.getLogger(__name__)

NO_CARD = gettext_noop("There is no card that we may charge.")
#: How long the buyer has to answer their bank after the last try.
LAST_WORD = timedelta(days=1)
#: How long a buyer who pays on the page may stand at their bank before the stage is charged by itself.
AT_THE_BANK = timedelta(minutes=30)


def tries_of(charge: Charge) -> "QuerySet[Payment]":
    """How often it was charged by itself, the first time first. What died before anybody was asked does not count."""
    tries = Payment.objects.filter(charge=charge, off_session=True).exclude(failure=NEVER_SENT)
    return tries.order_by("timestamp", "pk")


def next_try(charge: Charge) -> datetime | None:
    """When it is charged next if nothing is done; ``None`` after the last time."""
    tries = list(tries_of(charge).values_list("timestamp", flat=True))
    if not tries:
        return charge.due_at
    retries = settings.MARKETPLACE_STAGE_RETRIES
    return tries[0] + retries[len(tries) - 1] if len(tries) <= len(retries) else None


def charge_due_stages(*, now: datetime, limit: int = 50) -> int:
    """Sweep: charge what is due, try again what has failed, end what stays unpaid. Returns how many moved."""
    clock, moved = Clock(now), 0
    # All of them, since most wait for their next try: they keep nobody from their turn.
    for pk in list(Charge.objects.stages_due(now=now).order_by("due_at").values_list("pk", flat=True)):
        try:
            charge = Charge.objects.select_related("booking__buyer").get(pk=pk)
            moved += charge_stage(charge=charge, now=clock.now())
        except ProcessorAway:
            break
        except PaymentError as error:
            log.info("stage %s waits: %s", pk, error.message)
        except Exception:
            log.exception("stage %s could not be charged", pk)
        if moved >= limit:
            break
    return moved


def charge_stage(*, charge: Charge, now: datetime) -> bool:
    """Do what the stage needs now. Returns whether anything happened.

    Raises:
        PaymentError: somebody else is at it.
        ProcessorAway: no answer; the sweep comes again.
    """
    newest = Payment.objects.filter(charge=charge).select_related("payer").order_by("-timestamp", "-pk").first()
    if newest is not None and newest.status == PaymentStatus.INCOMPLETE:
        newest = _look_after(newest, now=now)
        if newest.status == PaymentStatus.INCOMPLETE:
            return False
        if newest.status == PaymentStatus.FAILED and newest.off_session and newest.failure != NEVER_SENT:
            _failed(charge, newest, now=now)
    if newest is not None and newest.status == PaymentStatus.PAID:
        return False
    at = next_try(charge)
    if at is None or (now >= charge.since and tries_of(charge).exists()):
        return cut_to_paid(charge_id=charge.pk, now=now)
    return _try(charge, now=now) if at <= now else False


def _look_after(payment: Payment, *, now: datetime) -> Payment:
    """Ask about one that is open. One that has waited for its buyer until the next try is ended."""
    payment = synchronise(payment=payment, now=now)
    if payment.status != PaymentStatus.INCOMPLETE or not payment.needs_authentication:
        return payment
    if not payment.off_session and now < payment.timestamp + AT_THE_BANK:
        return payment
    at = next_try(payment.charge) or payment.timestamp + LAST_WORD
    if now < min(at, payment.charge.since):
        return payment
    intent = gateway.cancel_intent(payment.stripe_payment_intent or "")
    return (
        apply(intent, now=now, failure=gettext_noop("Your bank wanted you to confirm it, and you did not.")) or payment
    )


def _try(charge: Charge, *, now: datetime) -> bool:
    buyer = charge.booking.buyer
    card = default_card(buyer)
    means = Means(customer_of(buyer), card.stripe_payment_method, card.label) if card else Means("", "", "")
    is_due = partial(_is_due, now=now)
    payment = begin(charge_id=charge.pk, payer=buyer, means=means, now=now, off_session=True, wanted=is_due)
    if card is None:
        _failed(charge, fail(payment, NO_CARD), now=now)
        return True
    try:
        intent = gateway.charge_off_session(payment, customer=means.customer)
    except CardDeclined as declined:
        _refused(payment, declined, now=now)
    except ProcessorRefused as refused:
        _failed(charge, fail(payment, refused.message), now=now)
    else:
        know_as(payment, intent)
        payment = apply(intent, now=now) or payment
        if payment.status == PaymentStatus.INCOMPLETE and payment.needs_authentication:
            mails.stage_needs_you(charge, payment, next_try=next_try(charge))
    return True


def _is_due(charge: Charge, *, now: datetime) -> bool:
    """For :func:`billing.services.payments.begin`: with the booking locked, nobody else tried meanwhile."""
    at = next_try(charge)
    return at is not None and at <= now


def _refused(payment: Payment, declined: CardDeclined, *, now: datetime) -> None:
    """What the bank refused stays open at the processor: it is ended there."""
    found = gateway.find_intent(payment, customer=customer_of(payment.payer))
    if found is not None:
        know_as(payment, found)
        apply(gateway.cancel_intent(found.id), now=now, failure=declined.message)
    else:
        fail(payment, declined.message)
    payment.refresh_from_db()
    if payment.status == PaymentStatus.FAILED:
        _failed(payment.charge, payment, now=now, needs_you=isinstance(declined, AuthenticationNeeded))


def _failed(charge: Charge, payment: Payment, *, now: datetime, needs_you: bool = False) -> None:
    """Warn; after the last time, or when its time has come, the booking ends where the paid time does."""
    at = next_try(charge)
    if at is None or now >= charge.since:
        cut_to_paid(charge_id=charge.pk, now=now)
        return
    if needs_you:
        mails.stage_needs_you(charge, payment, next_try=at)
    else:
        mails.stage_failed(charge, payment, next_try=at)
