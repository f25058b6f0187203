"""Payments from before there was a ledger: migration 0012 posts what happened to them."""

from datetime import datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from billing.models import (
    AccountKind,
    Invoice,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    PaymentStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from billing.services import check, invoice_checks
from billing.services.ledger import balance
from billing.services.owed import owing
from billing.services.refunds import request_refund
from bookings.models import Booking
from tests.people import make_hold

pytestmark = pytest.mark.django_db
migration = import_module("billing.migrations.0012_postings_of_earlier_payments")
HOUR = timedelta(hours=1)


def _migrate() -> None:
    migration.post_earlier_payments(apps, None)


def _payment(booking: Booking, status: str = PaymentStatus.PAID, **fields: Any) -> Payment:
    """As its row is after migrations 0006 and 0009, with nothing posted."""
    charge = booking.charges.get(number=1)
    paid_at = booking.created_at + timedelta(minutes=2) if status == PaymentStatus.PAID else None
    return Payment.objects.create(
        booking=booking,
        charge=charge,
        machine=booking.machine,
        payer=booking.buyer,
        provider=booking.machine.provider,
        amount_total=charge.amount,
        currency=charge.currency,
        status=status,
        timestamp=booking.created_at,
        stripe_payment_intent=f"pi_{Payment.objects.count()}" if paid_at else None,
        **{"paid_at": paid_at, **fields},
    )


def _refund(payment: Payment, amount: Decimal, status: str, reason: str = RefundReason.TIME_LOST, **fields: Any):
    at = payment.paid_at + (1 + payment.refunds.count()) * HOUR
    made_at = at + HOUR if status == RefundStatus.MADE else None
    return Refund.objects.create(
        payment=payment,
        amount=amount,
        currency=payment.currency,
        status=status,
        reason=reason,
        requested_at=at,
        made_at=made_at,
        stripe_refund=f"re_{Refund.objects.count()}" if made_at else None,
        **fields,
    )


@pytest.fixture
def book(listing, buyer, now):
    """Bookings as they were: without tax, a day apart, in the past. Paid if they are to be."""
    count = 0

    def book(*, paid: bool = True) -> Booking:
        nonlocal count
        count += 1
        start = now.replace(second=0, microsecond=0) + count * timedelta(days=1)
        booking = make_hold(listing, buyer, start=start, asked=now)
        Booking.objects.filter(pk=booking.pk).update(tax_kind="none", tax_rate=0)
        if paid:
            at = now + timedelta(minutes=2)
            Booking.objects.filter(pk=booking.pk).update(paid_at=at)
            booking.charges.update(status="paid", paid_at=at)
        booking.refresh_from_db()
        return booking

    return book


def _is_proved() -> bool:
    assert check.problems() == []
    assert list(invoice_checks.findings()) == []
    return True


def test_without_the_migration_the_ledger_is_not_proved(book):
    _payment(book())
    assert check.problems()


def test_what_was_paid_is_posted_with_ten_percent_for_the_platform(book, provider, now):
    payment = _payment(book())
    _migrate()
    payment.refresh_from_db()
    assert (payment.commission_rate, payment.invoice_number) == (Decimal("0.10"), None)
    commission = (payment.amount_total / 10).quantize(Decimal("0.01"))
    assert balance(AccountKind.PROCESSOR, currency=payment.currency) == payment.amount_total
    assert balance(AccountKind.COMMISSION, currency=payment.currency) == -commission
    assert balance(AccountKind.TAX, currency=payment.currency) == 0
    owed = owing(provider=provider.pk).get()
    assert (owed.pk, owed.left) == (payment.booking_id, payment.amount_total - commission)
    assert {row.at for row in LedgerTransaction.objects.all()} == {payment.paid_at}
    assert _is_proved()


def test_all_that_can_have_happened_to_payments_is_posted(book):
    whole = _payment(book())
    _refund(whole, whole.amount_total, RefundStatus.MADE, RefundReason.CANCELED_BY_BUYER)
    parts = _payment(book())
    _refund(parts, Decimal("0.33"), RefundStatus.MADE)
    _refund(parts, Decimal("0.05"), RefundStatus.REQUESTED)
    again = _payment(book())
    failed = _refund(again, Decimal("1.01"), RefundStatus.FAILED)
    _refund(again, Decimal("1.01"), RefundStatus.REQUESTED, retry_of=failed)
    twice = book()
    _payment(twice)
    second = _payment(twice, paid_at=timezone.now())
    _refund(second, second.amount_total, RefundStatus.MADE, RefundReason.PAID_TWICE)
    late = _payment(book(paid=False))
    _refund(late, late.amount_total, RefundStatus.FAILED, RefundReason.PAID_TOO_LATE)
    _payment(book(), PaymentStatus.FAILED)
    begun = _payment(book(paid=False), PaymentStatus.INCOMPLETE)
    Booking.objects.filter(payments__status=PaymentStatus.FAILED).update(paid_at=None)
    for charge in (row.charge for row in Payment.objects.filter(status=PaymentStatus.FAILED)):
        charge.status, charge.paid_at = "open", None
        charge.save(update_fields=["status", "paid_at"])

    _migrate()
    assert _is_proved()
    begun.refresh_from_db()
    assert begun.commission_rate == Decimal("0.10")
    assert not LedgerTransaction.objects.filter(payment=begun).exists()
    assert not Invoice.objects.exists()


def test_a_second_time_nothing_is_posted(book):
    payment = _payment(book())
    _refund(payment, Decimal("0.10"), RefundStatus.MADE)
    _migrate()
    before = LedgerEntry.objects.count()
    _migrate()
    assert LedgerEntry.objects.count() == before


def test_batches_do_not_tear_postings_apart(book, monkeypatch):
    monkeypatch.setattr(migration, "BATCH", 2)
    for _ in range(3):
        _payment(book())
    _migrate()
    assert LedgerTransaction.objects.count() == 6
    assert _is_proved()


def test_what_is_given_back_later_is_posted_and_has_no_credit_note(book, now: datetime):
    payment = _payment(book())
    _migrate()
    request_refund(payment=payment, amount=Decimal("1.23"), reason=RefundReason.GOODWILL, by=None, now=now + HOUR)
    assert not Invoice.objects.exists()
    assert _is_proved()
