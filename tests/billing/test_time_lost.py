"""What goes back for lost time: through the announcement that bookings make, never more than was paid."""

from decimal import Decimal

import pytest
from django.db import transaction

from billing.errors import PaymentError
from billing.models import Payment, Refund, RefundReason, RefundStatus
from billing.services.refunds import request_refund
from bookings import events
from bookings.models import Booking

pytestmark = pytest.mark.django_db


@transaction.atomic
def announce(booking: Booking, amount: str, now, *, reason: str = "down", by=None) -> None:
    events.booking_time_lost.send(Booking, booking=booking, amount=Decimal(amount), reason=reason, by=by, now=now)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("late", RefundReason.TIME_LOST),
        ("down", RefundReason.TIME_LOST),
        ("late_and_down", RefundReason.TIME_LOST),
        ("not_as_booked", RefundReason.NOT_AS_BOOKED),
    ],
)
def test_it_is_owed_for_that_reason(running, now, reason, expected):
    announce(running, "1.50", now, reason=reason)
    (refund,) = Refund.objects.all()
    assert (refund.amount, refund.reason, refund.status) == (Decimal("1.50"), expected, RefundStatus.REQUESTED)


def test_nothing_is_owed_for_nothing(running, now):
    announce(running, "0", now)
    assert not Refund.objects.exists()


def test_what_was_given_back_before_counts(running, now):
    payment = Payment.objects.get(booking=running)
    with transaction.atomic():
        request_refund(payment=payment, amount=Decimal("7"), reason=RefundReason.TIME_LOST, by=None, now=now)
    announce(running, "8.00", now, reason="not_as_booked", by=running.buyer)
    assert sorted(Refund.objects.values_list("amount", flat=True)) == [Decimal("1.00"), Decimal("7.00")]
    announce(running, "8.00", now)
    assert Refund.objects.count() == 2


def test_more_than_was_ever_paid_is_refused_and_with_it_the_settlement(running, now):
    with pytest.raises(PaymentError, match="more than was paid"):
        announce(running, "8.01", now)
    assert not Refund.objects.exists()


def test_each_reason_has_words_for_the_buyer():
    assert RefundReason.TIME_LOST.label == "Time lost: late or down"
    assert RefundReason.NOT_AS_BOOKED.label == "The machine was not as booked"
