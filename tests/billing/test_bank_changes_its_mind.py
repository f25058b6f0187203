"""A bank takes money back for good, and then does not; a refund is given up, and then was made: nobody's cent is lost."""

import threading
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import OutgoingMail
from billing.models import (
    AccountKind,
    Chargeback,
    ChargebackState,
    Invoice,
    Payment,
    PayoutHold,
    Refund,
    RefundReason,
    RefundStatus,
    SubscriptionPayment,
)
from billing.services import chargebacks, postings, refunds
from billing.services.check import problems
from billing.services.invoice_checks import findings
from billing.services.ledger import balance
from billing.services.payout_holds import release_hold
from bookings.services.cancel import cancel_booking
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import HOUR, another_administrator
from tests.racing import at_once
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(processor, held, administrator, now) -> Payment:
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


def buyers(payment: Payment) -> Decimal:
    """What the buyer has with us."""
    return -balance(AccountKind.BUYER, currency="EUR", owner=payment.payer)


def decide(processor, dispute, status: str, *, now) -> Chargeback:
    """``won`` after ``lost`` is heard of without the appeal in between."""
    if status == "appeal" or processor.get("dispute", dispute["id"])["status"] == "lost":
        processor.appeal_dispute(dispute["id"])
    if status != "appeal":
        processor.close_dispute(dispute["id"], won=status == "won")
    chargeback = chargebacks.take_dispute_named(dispute["id"], now=now)
    assert problems() == list(findings()) == []
    return chargeback


def told_of(chargeback, person) -> str:
    return OutgoingMail.objects.get(user=person, key=f"chargeback-won:{chargeback.pk}").text


def test_won_after_it_was_lost_and_nothing_happened_meanwhile_all_is_as_before(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    for status in ("lost", "appeal", "won"):
        chargeback = decide(processor, dispute, status, now=now)
    assert "is paid out as usual" in told_of(chargeback, payment.provider)
    assert not PayoutHold.objects.exists()


@pytest.mark.parametrize("appeal", [[], ["appeal"]])
def test_of_a_booking_that_was_canceled_meanwhile_a_person_sees_whose_it_is(
    processor, payment, administrator, provider, now, appeal
):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    decide(processor, dispute, "lost", now=now)
    cancel_booking(booking_id=payment.booking_id, by=provider, now=now + HOUR, expected_back=Decimal("0.00"))
    for status in [*appeal, "won"]:
        chargeback = decide(processor, dispute, status, now=now + 2 * HOUR)

    assert "We look at what of it is the buyer's first" in told_of(chargeback, provider)
    assert "Give the buyer back what is theirs" in told_of(chargeback, administrator)
    hold = PayoutHold.objects.get(released_at=None)
    assert (hold.amount, hold.placed_by, hold.reason) == (None, None, chargebacks.AFTER_ALL)

    reason, why = RefundReason.DISPUTE, "You had canceled."
    refunds.give_back(payment=payment, amount=Decimal("8.00"), reason=reason, why=why, by=administrator, now=now)
    refunds.make_due_refunds(now=now + 2 * HOUR)
    release_hold(hold=hold, reason="Given back.", by=administrator, second=another_administrator(), now=now + 2 * HOUR)
    assert sum(refund["amount"] for refund in processor.holds("refund")) == 800
    assert problems() == list(findings()) == []


def test_a_refund_that_was_given_up_meanwhile_is_asked_for_again(processor, payment, administrator, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    cancel_booking(booking_id=payment.booking_id, by=payment.payer, now=now)
    for status in ("lost", "won"):
        chargeback = decide(processor, dispute, status, now=now + HOUR)
    assert buyers(payment) == 8
    assert "The buyer has €8.00 of it with us" in told_of(chargeback, administrator)
    assert PayoutHold.objects.filter(released_at=None).count() == 1

    (failed,) = Refund.objects.all()
    refunds.ask_again(refund=failed, by=administrator, now=now + HOUR)
    refunds.make_due_refunds(now=now + HOUR)
    assert (buyers(payment), sum(refund["amount"] for refund in processor.holds("refund"))) == (0, 800)
    assert problems() == list(findings()) == []


def test_what_banks_take_of_a_plan_is_posted_and_credited_and_given_again(shop, buyer, administrator):
    shop.subscribe(buyer)
    paid = SubscriptionPayment.objects.get()
    processor, dispute = shop.processor, shop.processor.open_dispute(paid.stripe_payment_intent)
    sold = balance(AccountKind.SUBSCRIPTIONS, currency="EUR"), balance(AccountKind.TAX, currency="EUR")

    def hears(status: str, documents: list[tuple[str, str]]) -> None:
        if status == "appeal":
            processor.appeal_dispute(dispute["id"])
        elif status:
            processor.close_dispute(dispute["id"], won=status == "won")
        for _ in range(2):
            assert chargebacks.take_dispute_named(dispute["id"], now=shop.now) is None
        paid.refresh_from_db()
        assert problems() == list(findings()) == []
        issued = Invoice.objects.exclude(corrects=None).order_by("issued_at", "pk")
        assert [(row.series, str(row.gross)) for row in issued] == documents

    hears("", [])
    assert (paid.disputed, paid.charged_back) == (79, 0)
    assert balance(AccountKind.CHARGEBACKS, currency="EUR") == 79
    hears("lost", [("CN", "79.00")])
    assert (paid.disputed, paid.charged_back, paid.given_back) == (0, 79, 79)
    assert balance(AccountKind.SUBSCRIPTIONS, currency="EUR") == balance(AccountKind.TAX, currency="EUR") == 0
    # A refund that somebody began in the dashboard in spite of it: what went back twice is lost.
    with transaction.atomic():
        paid.refunded = Decimal("9.00")
        paid.save(update_fields=["refunded"])
        postings.subscription_moved(paid, now=shop.now)
    assert balance(AccountKind.LOSSES, currency="EUR") == 9
    with transaction.atomic():
        paid.refunded = Decimal(0)
        paid.save(update_fields=["refunded"])
        postings.subscription_moved(paid, now=shop.now)
    hears("appeal", [("CN", "79.00"), ("SUB", "79.00")])
    hears("won", [("CN", "79.00"), ("SUB", "79.00")])
    assert (balance(AccountKind.SUBSCRIPTIONS, currency="EUR"), balance(AccountKind.TAX, currency="EUR")) == sold
    assert balance(AccountKind.CHARGEBACKS, currency="EUR") == 0


@pytest.fixture
def unheard(processor, payment, now) -> Refund:
    """Of 4 EUR, made at the processor; the answer got lost."""
    refund = ask_back(payment, "4", now)

    def answers_get_lost(asked, answer) -> None:
        if answer is not None and asked.method == "POST":
            raise lost()

    processor.fault = answers_get_lost
    refunds.make_due_refunds(now=now)
    processor.fault = None
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED
    assert len(processor.holds("refund")) == 1
    return refund


def made_after_all(refund: Refund, processor, *, now) -> None:
    hear(told(processor, "refund.", "charge.refunded"), now=now)
    refunds.make_due_refunds(now=now + 3 * HOUR)
    refund.refresh_from_db()
    assert refund.status == RefundStatus.MADE
    assert problems() == list(findings()) == []


@pytest.mark.parametrize("then", ["lost", "won"])
def test_one_that_was_given_up_for_a_bank_and_was_made_after_all(processor, payment, unheard, now, then):
    dispute = processor.open_dispute(payment.stripe_payment_intent, 400)
    processor.get("dispute", dispute["id"])["amount"] = 800
    decide(processor, dispute, "lost", now=now)
    unheard.refresh_from_db()
    assert (unheard.status, buyers(payment)) == (RefundStatus.FAILED, 0)

    made_after_all(unheard, processor, now=now + HOUR)
    # Twelve have gone back of eight.
    assert balance(AccountKind.LOSSES, currency="EUR") == 4
    if then == "won":
        decide(processor, dispute, "won", now=now + 2 * HOUR)
        assert balance(AccountKind.LOSSES, currency="EUR") == buyers(payment) == 0
        assert Chargeback.objects.get().state == ChargebackState.WON


def test_one_that_was_asked_for_again_and_was_made_after_all(processor, payment, administrator, unheard, now):
    """The buyer has it twice, by our fault: what the provider earned stays theirs."""
    refunds.give_up(refund_id=unheard.pk, why="Nobody has heard of it.", now=now)
    again = refunds.ask_again(refund=unheard, by=administrator, now=now)
    made_after_all(unheard, processor, now=now + HOUR)
    again.refresh_from_db()
    assert (again.status, buyers(payment)) == (RefundStatus.MADE, 0)
    assert (balance(AccountKind.LOSSES, currency="EUR"), postings.earned_of(payment)) == (4, 4)


def _only_the_refund(refund_id) -> Refund:
    return Refund.objects.select_for_update(of=("self",)).select_related("payment__booking").get(pk=refund_id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("protected", [False, True])
def test_a_refund_that_is_made_beside_a_dispute_that_is_lost(processor, payment, unheard, now, monkeypatch, protected):
    """Both touch the refund and the payment: in two orders each would wait for the other."""
    patience = 0.5 if protected else 20
    if not protected:
        monkeypatch.setattr(refunds, "_locked", _only_the_refund)
    refund = unheard
    made = refunds.gateway.get_refund(processor.holds("refund")[0]["id"])
    dispute = processor.open_dispute(payment.stripe_payment_intent, 300)
    hear(told(processor, "charge.dispute."), now=now)
    processor.close_dispute(dispute["id"], won=False)
    refund_taken, payment_taken = threading.Event(), threading.Event()
    moved, room = postings.refund_moved, chargebacks.make_room

    def slowly_moved(*args, **named):
        refund_taken.set()
        payment_taken.wait(patience)
        return moved(*args, **named)

    def slowly_made_room(payment, amount, **named):
        payment_taken.set()
        refund_taken.wait(patience)
        Refund.objects.select_for_update().get(pk=refund.pk)
        return room(payment, amount, **named)

    monkeypatch.setattr(postings, "refund_moved", slowly_moved)
    monkeypatch.setattr(chargebacks, "make_room", slowly_made_room)
    results = at_once(
        [
            lambda: refunds.write_down(refund.pk, made, now=now),
            lambda: chargebacks.take_dispute_named(dispute["id"], now=now),
        ]
    )
    deadlocks = [str(result) for result in results if isinstance(result, Exception)]
    assert bool(deadlocks) != protected, results
    assert all("deadlock detected" in text for text in deadlocks)
