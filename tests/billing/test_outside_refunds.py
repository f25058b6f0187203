"""Refunds that somebody begins in the processor's dashboard: they become rows, once, beside our own or in their place."""

from decimal import Decimal
from functools import partial

import pytest
from django.urls import reverse

from accounts.models import Notification, OutgoingMail
from billing import gateway
from billing.models import AccountKind, Invoice, Payment, Refund, RefundReason, RefundStatus, Series
from billing.services import outside, refunds
from billing.services.check import problems
from billing.services.ledger import balance
from bookings.services.cancel import cancel_booking
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import HOUR
from tests.racing import twice_at_once
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(processor, held, administrator, now):
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


def amounts(status: str) -> list[Decimal]:
    return list(Refund.objects.filter(status=status).order_by("amount").values_list("amount", flat=True))


@pytest.mark.parametrize("kinds", [["refund."], ["charge.refunded"], ["refund.", "charge."], ["charge.", "refund."]])
def test_it_becomes_a_row_once_whatever_the_processor_tells(processor, payment, now, kinds):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)

    hear([event for kind in kinds for event in told(processor, kind)] * 2, now=now)

    refund = Refund.objects.get()
    assert (refund.stripe_refund, refund.amount, refund.currency) == (made["id"], Decimal("3.00"), "EUR")
    assert (refund.status, refund.reason) == (RefundStatus.MADE, RefundReason.OUTSIDE)
    assert payment.refundable == 5
    assert Invoice.objects.get(series=Series.CREDIT_NOTE).refund == refund
    assert problems() == []


def test_the_buyer_and_the_administrators_are_told_once(processor, payment, administrator, client, now):
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor, "refund.", "charge.refunded") * 2, now=now)

    refund = Refund.objects.get()
    key = f"refund-outside:{refund.pk}"
    assert {row.user for row in Notification.objects.filter(key=key)} == {administrator, payment.payer}
    assert OutgoingMail.objects.filter(user=administrator, key=key).count() == 1
    assert OutgoingMail.objects.filter(user=payment.payer, key=f"refund-made:{refund.pk}").count() == 1
    assert payment.booking.events.filter(what__contains="given back at the payment processor").count() == 1
    client.force_login(administrator)
    page = client.get(reverse("admin:billing_payment_change", args=[payment.pk])).text
    assert "Given back at the payment processor" in page


def test_one_that_is_pending_is_followed_and_never_made_a_second_time(processor, payment, now):
    processor.rules.refunds_pending = True
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor, "refund."), now=now)
    assert amounts(RefundStatus.REQUESTED) == [Decimal("3.00")]
    assert problems() == []

    refunds.make_due_refunds(now=now + 9 * HOUR)
    processor.complete_refund(made["id"])
    refunds.make_due_refunds(now=now + 18 * HOUR)

    assert amounts(RefundStatus.MADE) == [Decimal("3.00")]
    assert len(processor.holds("refund")) == 1
    assert problems() == []


def test_one_that_the_bank_sends_back_leaves_the_money_with_us_for_a_person(processor, payment, now):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor, "refund."), now=now)
    processor.fail_refund(made["id"])
    hear(told(processor, "refund."), now=now + HOUR)

    assert amounts(RefundStatus.FAILED) == [Decimal("3.00")]
    assert balance(AccountKind.BUYER, currency="EUR", owner=payment.payer) == -3
    assert problems() == []


def test_one_that_had_failed_when_we_first_heard_of_it_is_written_down_and_moves_nothing(processor, payment, now):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    processor.fail_refund(made["id"])
    hear(told(processor, "refund."), now=now)

    assert amounts(RefundStatus.FAILED) == [Decimal("3.00")]
    assert not Invoice.objects.filter(series=Series.CREDIT_NOTE).exists()
    assert balance(AccountKind.BUYER, currency="EUR", owner=payment.payer) == 0
    assert problems() == []


def test_ours_that_waits_and_still_fits_is_made_beside_it(processor, payment, now):
    ours = ask_back(payment, "5", now)
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor, "refund."), now=now)
    refunds.make_due_refunds(now=now)

    ours.refresh_from_db()
    assert ours.status == RefundStatus.MADE
    assert amounts(RefundStatus.MADE) == [3, 5]
    assert problems() == []


def test_ours_that_no_longer_fit_are_given_up_newest_first_and_no_share_is_taken_twice(
    processor, payment, administrator, now
):
    first = ask_back(payment, "4", now)
    second = ask_back(payment, "3", now + HOUR)
    processor.dashboard_refund(payment.stripe_payment_intent, 400)
    hear(told(processor, "refund."), now=now + HOUR)
    refunds.make_due_refunds(now=now + 2 * HOUR)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (RefundStatus.MADE, RefundStatus.FAILED)
    assert second.failure == outside.SUPERSEDED
    assert balance(AccountKind.PROVIDER_PAYABLE, currency="EUR", owner=payment.provider) == 0
    assert balance(AccountKind.BUYER, currency="EUR", owner=payment.payer) == 0
    assert sum(refund["amount"] for refund in processor.holds("refund")) == 800
    said = Notification.objects.get(user=administrator, key__startswith="refund-outside:")
    assert "does not fit beside it" in said.text
    assert problems() == []


def test_the_whole_given_back_in_the_dashboard_while_ours_waits_for_the_processor(processor, held, payment, now):
    """The processor is away when the buyer cancels, and somebody helps by hand."""
    processor.fault = lambda asked, answer: (_ for _ in ()).throw(lost())
    cancel_booking(booking_id=held.pk, by=held.buyer, now=now)
    refunds.make_due_refunds(now=now)
    processor.fault = None
    processor.dashboard_refund(payment.stripe_payment_intent)
    hear(told(processor, "charge.refunded"), now=now)
    refunds.make_due_refunds(now=now + 9 * HOUR)

    assert len(processor.holds("refund")) == 1
    assert amounts(RefundStatus.MADE) == [8]
    assert amounts(RefundStatus.FAILED) == [8]
    assert problems() == []


@pytest.mark.parametrize("given", [800, 500])
def test_ours_is_refused_before_we_have_heard_and_ends_failed_for_a_person(processor, payment, now, given):
    """``charge_already_refunded``, and an amount that is larger than what is left."""
    ours = ask_back(payment, "4", now)
    processor.dashboard_refund(payment.stripe_payment_intent, given)

    refunds.make_due_refunds(now=now)

    ours.refresh_from_db()
    assert ours.status == RefundStatus.FAILED
    assert not Refund.objects.due(now=now + 99 * HOUR).exists()
    assert problems() == []
    hear(told(processor, "refund."), now=now)
    assert amounts(RefundStatus.MADE) == [Decimal(given) / 100]
    assert problems() == []


@pytest.mark.parametrize("won", [True, False], ids=["won", "lost"])
@pytest.mark.parametrize("told_first", [True, False], ids=["told", "not told"])
def test_ours_of_a_payment_that_a_bank_has_taken_back_waits_for_its_decision(processor, payment, now, won, told_first):
    """Won: it is made then. Lost: the bank has given it back to the buyer, who is not given it twice."""
    ours = ask_back(payment, "8", now)
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    if told_first:
        hear(told(processor, "charge.dispute."), now=now)
    for hours in range(1, 30, 7):
        refunds.make_due_refunds(now=now + hours * HOUR)
    ours.refresh_from_db()
    assert ours.status == RefundStatus.REQUESTED
    assert processor.holds("refund") == []
    assert problems() == []

    processor.advance(now + 40 * HOUR)  # what it refused is refused again for a day, whatever has happened since
    processor.close_dispute(dispute["id"], won=won)
    hear(told(processor, "charge.dispute."), now=now + 40 * HOUR)
    refunds.make_due_refunds(now=now + 50 * HOUR)
    ours.refresh_from_db()
    assert ours.status == (RefundStatus.MADE if won else RefundStatus.FAILED)
    assert [refund["amount"] for refund in processor.holds("refund")] == ([800] if won else [])
    assert balance(AccountKind.PROVIDER_PAYABLE, currency="EUR", owner=payment.provider) == 0
    assert balance(AccountKind.BUYER, currency="EUR", owner=payment.payer) == 0
    assert balance(AccountKind.LOSSES, currency="EUR") == 0
    assert problems() == []


def test_what_else_is_refused_is_tried_again(payment):
    refused = gateway.refunds.ProcessorRefused("A fault of ours.")
    assert not gateway.gone_for_good(refused, is_lost=False)


def test_ours_made_by_a_process_that_died_is_known_by_its_metadata(processor, payment, now):
    """The event comes before anybody tries again; no second row, no second refund."""
    ours = ask_back(payment, "8", now)
    made = gateway.make_refund(Refund.objects.select_related("payment").get(pk=ours.pk))

    hear(told(processor, "refund."), now=now)

    ours.refresh_from_db()
    assert (ours.status, ours.stripe_refund) == (RefundStatus.MADE, made.id)
    assert Refund.objects.count() == 1
    refunds.make_due_refunds(now=now + HOUR)
    assert len(processor.holds("refund")) == 1
    assert problems() == []


def test_it_is_heard_of_before_the_payment_itself(processor, held, now):
    """We died when the money had been taken, and its own news were lost; whoever saw it in the dashboard gave back."""

    def die(asked, answer):
        if answer is not None and asked.path.endswith("/confirm"):
            raise Died

    processor.fault = die
    with pytest.raises(Died):
        pay_at(processor, held, now=now)
    processor.fault = None
    Payment.objects.update(stripe_payment_intent=None)  # nor had that been written down
    processor.dashboard_refund(processor.holds("payment_intent")[0]["id"], 300)

    hear(told(processor, "refund."), now=now)

    held.refresh_from_db()
    assert held.is_confirmed
    assert Payment.objects.get().is_paid
    assert amounts(RefundStatus.MADE) == [3]
    assert Refund.objects.count() == 1
    assert problems() == []


class Died(BaseException):
    """The process is gone."""


def test_one_of_somebody_elses_payment_is_done_at_once(processor, now):
    intent = gateway.client().v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method": processor.card(), "confirm": True,
         "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )  # fmt: skip
    processor.dashboard_refund(intent.id)
    hear(told(processor, "refund.", "charge.", "payment_intent."), now=now)
    assert not Refund.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_hear_of_it_at_the_same_moment_write_one_row(processor, payment, now):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    twice_at_once(partial(outside.take_refund, made["id"], now=now))
    assert amounts(RefundStatus.MADE) == [3]
    assert problems() == []
