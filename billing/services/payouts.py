"""Paying providers: scheduled by a sweep, sent, received or failed. Sent is not received (rules: Money).

Scheduling locks the provider's account in the ledger, so that nothing is ever in two payouts. Whoever talks to the
processor about a payout has it by a lease; what is done there is found again after a crash anywhere.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_noop

from accounts.models import User
from accounts.services.roles import require_administrator
from accounts.tax import TaxKind, supplier_treatment_of
from billing.errors import PaymentError, ProcessorAway
from billing.models import AccountKind, LedgerAccount, Payout, PayoutLine, PayoutMethod, PayoutStatus
from billing.payouts import Word, strategy_for
from billing.services import payout_news as news
from billing.services import postings
from billing.services.owed import in_the_way, owed_accounts, owed_for, owing
from billing.services.payout_accounts import account_for
from billing.services.self_billing import issue_self_billing
from common.errors import MarketplaceError
from common.leases import Clock, growing_pause
from common.money import from_minor, rounded
from common.queue import soon

log = logging.getLogger(__name__)

#: Whoever takes a payout has it this long; longer than a task may run.
LEASE = timedelta(minutes=3)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
#: In these the processor can be asked about a payout, or asked to do something.
UNDER_WAY = (PayoutStatus.SCHEDULED, PayoutStatus.SENT, PayoutStatus.RECEIVED)
ZERO = Decimal(0)


# Scheduling --------------------------------------------------------------------------------------------


def least_of(currency: str) -> Decimal:
    """Less than this is not paid out by itself; it waits for more."""
    return from_minor(settings.MARKETPLACE_PAYOUT_LEAST, currency)


def lock_earnings(provider_id: UUID, currency: str) -> bool:
    """Keep everybody else from scheduling payouts of this provider in this currency until the transaction ends.

    Returns whether there are any earnings. Entries can still be written into the ledger meanwhile.
    """
    accounts = LedgerAccount.objects.filter(kind=AccountKind.PROVIDER_PAYABLE, owner=provider_id, currency=currency)
    return bool(accounts.select_for_update(no_key=True))


def schedule_payouts(*, now: datetime) -> int:
    """Sweep: one payout for each provider and currency of which something is due. Returns how many were made."""
    clock, made = Clock(now), 0
    for provider_id, currency in owed_accounts(ended_by=now - settings.MARKETPLACE_DISPUTE_WINDOW):
        try:
            made += schedule_payout(provider_id=provider_id, currency=currency, now=clock.now()) is not None
        except MarketplaceError:
            log.exception("the payout of provider %s in %s could not be scheduled", provider_id, currency)
    return made


@transaction.atomic
def schedule_payout(*, provider_id: UUID, currency: str, now: datetime) -> Payout | None:
    """Put everything that is due to the provider in this currency into one payout, with its invoice.

    Returns ``None`` where that is less than the least, or there is no account to pay it to.
    """
    provider = _locked_provider(provider_id)
    if not lock_earnings(provider_id, currency):
        return None
    rows = owing(provider=provider_id, currency=currency).order_by("end", "pk")
    lines = [(owed.booking, owed.payable) for owed in owed_for(rows, now=now) if owed.payable]
    net = sum((amount for _, amount in lines), ZERO)
    if net < max(least_of(currency), from_minor(1, currency)):
        return None
    account = account_for(provider, currency)
    if account is None:
        news.account_wanted(provider, currency, net, now=now)
        return None
    treatment = supplier_treatment_of(provider)
    tax = rounded(net * treatment.rate, currency) if treatment.kind == TaxKind.STANDARD else ZERO
    payout = Payout.objects.create(
        provider=provider,
        account=account,
        method=account.method,
        currency=currency,
        amount=net + tax,
        tax=tax,
        scheduled_at=now,
        next_attempt_at=now,
    )
    PayoutLine.objects.bulk_create(
        PayoutLine(payout=payout, booking=booking, amount=amount) for booking, amount in lines
    )
    postings.provider_tax(payout, now=now)
    issue_self_billing(payout=payout, now=now)
    news.scheduled(payout, now=now)
    _soon(payout)
    return payout


def _locked_provider(provider_id: UUID) -> User:
    """Locked, so that where they are paid to does not change meanwhile."""
    people = User.objects.select_related("billing_details").select_for_update(of=("self",), no_key=True)
    return people.get(pk=provider_id)


def _soon(payout: Payout) -> None:
    if payout.method == PayoutMethod.CONNECT:
        soon("billing.tasks.send_payout", str(payout.pk))


@transaction.atomic
def retry_payout(*, payout: Payout, by: User, now: datetime) -> Payout:
    """Pay once more what a failed payout held, to the account that is ready now: a new row with the same lines.

    The invoice of the first try stands; there is no second one.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: it has not failed, was tried again already, there is no account that is ready, or what is in it
            is held or not owed any more.
    """
    require_administrator(by)
    failed = Payout.objects.select_for_update(of=("self",)).select_related("provider").get(pk=payout.pk)
    if failed.status != PayoutStatus.FAILED:
        raise PaymentError("Only a payout that has failed is tried again.")
    if Payout.objects.filter(retry_of=failed).exists():
        raise PaymentError("This payout was tried again already.")
    account = account_for(_locked_provider(failed.provider_id), failed.currency)
    if account is None:
        raise PaymentError("The provider has no account that is ready for it. They have to enter one first.")
    lock_earnings(failed.provider_id, failed.currency)
    if why := in_the_way([failed], now=now).get(failed.pk):
        raise PaymentError(f"It cannot be paid now. {' '.join(why)}")
    retry = Payout.objects.create(
        provider=failed.provider,
        account=account,
        method=account.method,
        currency=failed.currency,
        amount=failed.amount,
        tax=failed.tax,
        scheduled_at=now,
        next_attempt_at=now,
        retry_of=failed,
    )
    PayoutLine.objects.bulk_create(
        PayoutLine(payout=retry, booking_id=line.booking_id, amount=line.amount) for line in failed.lines.all()
    )
    news.again(retry, now=now)
    _soon(retry)
    return retry


# Through the processor ---------------------------------------------------------------------------------


def send_due_payouts(*, now: datetime, limit: int = 50) -> int:
    """Sweep: send what is scheduled through the processor. Returns how many were sent. Stops when it is away."""
    return _sweep(list(Payout.objects.due(now=now).values_list("pk", flat=True)[:limit]), now=now)


def ask_after_payouts(*, now: datetime, limit: int = 50) -> int:
    """Sweep: ask about payouts that are on their way, and carry on with those that are not finished.

    Returns how many have changed. Its webhook may be late, or never come.
    """
    return _sweep(list(Payout.objects.to_ask_after(now=now).values_list("pk", flat=True)[:limit]), now=now)


def send_payout(*, payout_id: UUID, now: datetime) -> bool:
    """Send one payout, if it is due and nobody else is at it. Returns whether that changed anything."""
    try:
        return _attempt(payout_id, now=now)
    except ProcessorAway:
        return False


def synchronise_payout(*, payout: Payout, now: datetime) -> bool:
    """Ask the processor about a payout now, unless somebody is at it. Returns whether that changed anything.

    Raises:
        ProcessorAway: no answer; the sweep asks.
    """
    # A pause that is longer than a lease is a pause: nobody has the payout.
    Payout.objects.filter(pk=payout.pk, next_attempt_at__gt=now + LEASE).update(next_attempt_at=now)
    return _attempt(payout.pk, now=now)


def _sweep(payouts: list[UUID], *, now: datetime) -> int:
    clock, changed = Clock(now), 0
    for pk in payouts:
        try:
            changed += _attempt(pk, now=clock.now())
        except ProcessorAway:
            break
    return changed


def _attempt(payout_id: UUID, *, now: datetime) -> bool:
    """Take the payout, do what is next, write down what came of it, and go on where that made something possible.

    Raises:
        ProcessorAway: no answer; it is tried again after a pause.
    """
    taken = Payout.objects.filter(
        pk=payout_id, method=PayoutMethod.CONNECT, status__in=UNDER_WAY, next_attempt_at__lte=now
    ).update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    if not taken:
        return False
    payout = Payout.objects.select_related("account").get(pk=payout_id)
    before = payout.status
    try:
        payout = _write_down(payout_id, _ask(payout, now=now), now=now)
        if (before, payout.status) == (PayoutStatus.SCHEDULED, PayoutStatus.SENT):
            payout = _write_down(payout_id, _ask(payout, now=now), now=now)
    except ProcessorAway:
        _try_again(payout, gettext_noop("The payment processor did not answer."), now=now)
        raise
    except PaymentError as error:
        log.exception("payout %s was refused", payout_id)
        _try_again(payout, error.message, now=now)
    return payout.status != before


def _ask(payout: Payout, *, now: datetime) -> Word:
    strategy = strategy_for(payout)
    if payout.status == PayoutStatus.SCHEDULED:
        return strategy.send(payout, is_held=_is_held(payout, now=now))
    return strategy.synchronise(payout)


@transaction.atomic
def _is_held(payout: Payout, *, now: datetime) -> bool:
    """Whether it is not to be paid for now. A hold that is being placed at this moment is waited for."""
    lock_earnings(payout.provider_id, payout.currency)
    return bool(in_the_way([payout], now=now))


def _pause(payout: Payout) -> timedelta:
    return growing_pause(payout.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)


def _try_again(payout: Payout, why: str, *, now: datetime) -> None:
    """Why is told only while nothing better is known: what was said before may decide how it is tried again."""
    rows = Payout.objects.filter(pk=payout.pk, status__in=UNDER_WAY)
    rows.update(next_attempt_at=now + _pause(payout))
    rows.filter(failure="").update(failure=why[:300])


@transaction.atomic
def _write_down(payout_id: UUID, word: Word, *, now: datetime) -> Payout:
    """Write down what is known of a payout, and move the money in the ledger to where it says."""
    payout = Payout.objects.select_for_update(of=("self",)).select_related("provider", "account").get(pk=payout_id)
    if payout.status == PayoutStatus.FAILED:
        return payout  # told once, and perhaps tried again since
    before = payout.status
    for field, id in word.ids.items():
        setattr(payout, field, id)
    payout.status, payout.failure = word.status, word.failure[:300]
    payout.next_attempt_at = now + _pause(payout)
    _stamp(payout, now=now)
    payout.save(
        update_fields=["status", "failure", "next_attempt_at", "sent_at", "received_at", "failed_at", *word.ids]
    )
    if payout.status != before:
        moved(payout, now=now)
    return payout


def _stamp(payout: Payout, *, now: datetime) -> None:
    if payout.status in (PayoutStatus.SENT, PayoutStatus.RECEIVED):
        payout.sent_at = payout.sent_at or now
    if payout.status == PayoutStatus.RECEIVED:
        payout.received_at = payout.received_at or now
    else:
        payout.received_at = None
    if payout.status == PayoutStatus.FAILED:
        payout.failed_at = now


def moved(payout: Payout, *, now: datetime) -> None:
    """The payout's status is another than before: post it, and tell those whom it concerns."""
    postings.payout_moved(payout, now=now)
    if payout.status == PayoutStatus.SENT:
        news.sent(payout, now=now)
    elif payout.status == PayoutStatus.RECEIVED:
        news.received(payout, now=now)
    elif payout.status == PayoutStatus.FAILED:
        log.error("payout %s failed: %s", payout.pk, payout.failure)
        news.failed(payout, now=now)


# Through the bank: a person says what became of it -------------------------------------------------------


@transaction.atomic
def mark_received(*, payout: Payout, by: User, now: datetime) -> Payout:
    """Our bank has booked the transfer.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: it was not sent by SEPA, or it is known already.
    """
    row = _of_the_bank(payout, by)
    if row.status != PayoutStatus.SENT:
        raise PaymentError("Only a payout that has been sent can have been received.")
    row.status, row.received_at, row.failure = PayoutStatus.RECEIVED, now, ""
    row.save(update_fields=["status", "received_at", "failure"])
    moved(row, now=now)
    return row


@transaction.atomic
def mark_failed(*, payout: Payout, reason: str, by: User, now: datetime) -> Payout:
    """The bank has sent it back, or it is not to be sent. What is in it is owed again, and waits for a retry.

    Raises:
        NotAnAdministrator: ``by`` is none.
        PaymentError: it goes through Stripe, has failed already, or there is no reason.
    """
    row = _of_the_bank(payout, by)
    if row.status == PayoutStatus.FAILED:
        raise PaymentError("This payout has failed already.")
    if not reason.strip():
        raise PaymentError("Say why it failed: the provider reads it.", field="reason")
    row.status, row.failed_at, row.failure = PayoutStatus.FAILED, now, reason.strip()[:300]
    row.received_at = None
    row.save(update_fields=["status", "failed_at", "failure", "received_at"])
    moved(row, now=now)
    return row


def _of_the_bank(payout: Payout, by: User) -> Payout:
    require_administrator(by)
    row = Payout.objects.select_for_update(of=("self",)).select_related("provider", "account").get(pk=payout.pk)
    if row.method != PayoutMethod.SEPA:
        raise PaymentError("Stripe says what becomes of its payouts. Ask it instead.")
    return row
