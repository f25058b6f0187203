"""The line to the processor breaks while a refund is made: it is tried again, and made once."""

from datetime import timedelta

import pytest

from billing.models import Refund, RefundStatus
from billing.services import refunds
from bookings.services.cancel import cancel_booking
from tests.stripe_standin import pay_by_card

pytestmark = [pytest.mark.django_db, pytest.mark.faults]


@pytest.fixture
def refund(stripe, held, now) -> Refund:
    pay_by_card(stripe, held, now=now)
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)
    return Refund.objects.get()


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        pytest.param("GET", "/v1/refunds", "lose_request", id="while-asking-whether-it-was-made"),
        pytest.param("POST", "/v1/refunds", "lose_request", id="on-the-way-there"),
        pytest.param("POST", "/v1/refunds", "lose_answer", id="on-the-way-back"),
    ],
)
def test_a_refund_over_a_line_that_breaks_is_made_once(stripe, wire, refund, now, method, path, what):
    booking = refund.payment.booking
    wire.on(method, path, what)

    assert refunds.make_due_refunds(now=now) == 0

    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED
    assert refund.failure == "The payment processor did not answer."
    assert refund.next_attempt_at == now + refunds.FIRST_PAUSE
    wire.clear()
    assert refunds.make_due_refunds(now=now) == 0, "not before the pause is over"
    assert refunds.make_due_refunds(now=now + refunds.FIRST_PAUSE) == 1
    assert refunds.make_due_refunds(now=now + timedelta(days=1)) == 0

    refund.refresh_from_db()
    assert (refund.status, refund.failure) == (RefundStatus.MADE, "")
    assert stripe.refunded(booking) == [int(refund.amount * 100)]


def test_pauses_between_attempts_grow_up_to_an_hour(stripe, wire, refund, now):
    wire.on("GET", "/v1/refunds", "lose_request")
    pauses = []
    for _attempt in range(3):
        refunds.make_due_refunds(now=now)
        refund.refresh_from_db()
        pauses.append(refund.next_attempt_at - now)
        now = refund.next_attempt_at
    Refund.objects.update(attempts=1000)
    refunds.make_due_refunds(now=now)
    refund.refresh_from_db()

    assert pauses == [refunds.FIRST_PAUSE, 2 * refunds.FIRST_PAUSE, 4 * refunds.FIRST_PAUSE]
    assert refund.next_attempt_at - now == refunds.LONGEST_PAUSE


def test_two_refunds_of_one_payment_are_both_made(stripe, held, now):
    """What was made is known by our refund's id, not by the payment or the amount."""
    payment = pay_by_card(stripe, held, now=now)
    half = held.price_total / 2
    for _half in range(2):
        refunds.request_refund(payment=payment, amount=half, reason="not_delivered", by=None, now=now)

    assert refunds.make_due_refunds(now=now) == 2

    assert stripe.refunded(held) == [int(half * 100)] * 2
    assert len(set(Refund.objects.values_list("stripe_refund", flat=True))) == 2
