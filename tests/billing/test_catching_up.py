"""What the processor never told us of: found by reading its lists, and taken as if it had."""

from decimal import Decimal

import pytest

from accounts.models import Notification, OutgoingMail
from billing import gateway
from billing.gateway import listing as lists
from billing.models import Chargeback, ChargebackState, Refund, RefundReason, RefundStatus, SubscriptionPayment
from billing.services import catching_up, refunds
from billing.services.check import problems
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import DAY, HOUR, make_hold
from tests.stripe_server.client import lost

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(processor, held, administrator, now):
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


def test_nothing_has_happened(processor, payment, now):
    assert catching_up.catch_up(now=now) == 0


def test_a_refund_in_the_dashboard_whose_news_never_came(processor, payment, now):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    assert catching_up.catch_up(now=now + HOUR) == 1
    refund = Refund.objects.get()
    assert (refund.stripe_refund, refund.amount, refund.reason) == (made["id"], Decimal(3), RefundReason.OUTSIDE)
    assert refund.status == RefundStatus.MADE
    assert catching_up.catch_up(now=now + 2 * HOUR) == 0
    hear(told(processor, "refund.", "charge.refunded"), now=now + 3 * HOUR)
    assert Refund.objects.count() == 1
    assert problems() == []


def test_a_refund_of_ours_that_a_bank_sent_back_weeks_later(processor, payment, now):
    refund = ask_back(payment, "8", now)
    refunds.make_due_refunds(now=now)
    refund.refresh_from_db()
    assert refund.status == RefundStatus.MADE
    processor.fail_refund(refund.stripe_refund)
    assert catching_up.catch_up(now=now + 20 * DAY) == 1
    refund.refresh_from_db()
    assert refund.status == RefundStatus.FAILED
    assert catching_up.catch_up(now=now + 20 * DAY) == 0
    assert problems() == []


@pytest.mark.parametrize("won", [True, False], ids=["won", "lost"])
def test_a_chargeback_and_what_became_of_it(processor, payment, now, won):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    assert catching_up.catch_up(now=now + HOUR) == 1
    chargeback = Chargeback.objects.get()
    assert (chargeback.stripe_dispute, chargeback.state) == (dispute["id"], ChargebackState.OPEN)
    assert problems() == []

    processor.close_dispute(dispute["id"], won=won)
    assert catching_up.catch_up(now=now + 60 * DAY) == 1
    chargeback.refresh_from_db()
    assert chargeback.state == (ChargebackState.WON if won else ChargebackState.LOST)
    assert catching_up.catch_up(now=now + 60 * DAY) == 0
    assert problems() == []


def test_an_inquiry_that_became_a_chargeback_is_heard_of_once(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    assert catching_up.catch_up(now=now) == 1
    processor.escalate_inquiry(dispute["id"])
    assert catching_up.catch_up(now=now + HOUR) == 1
    hear(told(processor, "charge.dispute."), now=now + HOUR)
    assert Chargeback.objects.get().state == ChargebackState.OPEN
    assert problems() == []


def test_everything_at_once_and_more_than_a_page_of_it(processor, payment, listing, buyer, now, monkeypatch):
    monkeypatch.setattr(catching_up, "BATCH", 2)
    for number in range(5):
        processor.dashboard_refund(payment.stripe_payment_intent, 10 + number)
    other = pay_at(processor, make_hold(listing, buyer, start=now + 5 * DAY, asked=now), now=now)
    processor.open_dispute(other.stripe_payment_intent)
    assert catching_up.catch_up(now=now) == 6
    assert catching_up.catch_up(now=now) == 0
    assert sum(Refund.objects.values_list("amount", flat=True)) == Decimal("0.60")
    assert problems() == []


def test_of_payments_that_are_not_ours_nothing_is_taken(processor, payment, now):
    intent = gateway.client().v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method": processor.card(), "confirm": True,
         "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )  # fmt: skip
    processor.dashboard_refund(intent.id)
    assert catching_up.catch_up(now=now) == 0
    assert not Refund.objects.exists()


def test_a_processor_that_is_away_is_asked_the_next_time(processor, payment, now, monkeypatch):
    monkeypatch.setattr(lists, "PAUSES", (0,))
    processor.dashboard_refund(payment.stripe_payment_intent, 300)

    def away(asked, answer):
        raise lost()

    processor.fault = away
    assert catching_up.catch_up(now=now) == 0
    processor.fault = None
    assert catching_up.catch_up(now=now) == 1
    assert problems() == []


def test_one_that_cannot_be_taken_does_not_hold_up_the_others(processor, payment, listing, buyer, now, caplog):
    """A dispute in another currency than its payment is logged; the next one is taken."""
    strange = processor.open_dispute(payment.stripe_payment_intent)
    processor.get("dispute", strange["id"])["currency"] = "usd"
    other = pay_at(processor, make_hold(listing, buyer, start=now + 5 * DAY, asked=now), now=now)
    processor.open_dispute(other.stripe_payment_intent)
    assert catching_up.catch_up(now=now) == 1
    assert Chargeback.objects.get().payment == other
    assert strange["id"] in caplog.text


# Plans --------------------------------------------------------------------------------------------------


@pytest.fixture
def plan(shop, buyer) -> SubscriptionPayment:
    shop.subscribe(buyer)
    return SubscriptionPayment.objects.get()


def test_a_refund_of_a_plan_is_taken_over_and_not_asked_after_again(shop, plan, wanted_of):
    for back in (900, 2000):
        shop.processor.dashboard_refund(plan.stripe_payment_intent, back)
        assert catching_up.catch_up(now=shop.now + HOUR) > 0
        plan.refresh_from_db()
    assert plan.refunded == Decimal("29.00")
    wanted_of.clear()
    assert catching_up.catch_up(now=shop.now + 2 * HOUR) == 0
    assert wanted_of == []
    assert problems() == []


def test_administrators_hear_of_a_dispute_about_a_plan_once_for_each_status(shop, plan, administrator):
    dispute = shop.processor.open_dispute(plan.stripe_payment_intent)
    for hours in (1, 2):
        catching_up.catch_up(now=shop.now + hours * HOUR)
    told = Notification.objects.get(user=administrator, key=f"plan-dispute:{dispute['id']}:needs_response")
    assert "A bank disputes €79.00 of a plan" in told.title
    assert "Answer in the processor's dashboard by" in told.text
    assert told.link == f"/admin/billing/subscriptionpayment/{plan.pk}/change/"
    assert OutgoingMail.objects.filter(user=administrator, key=told.key).count() == 1

    shop.processor.close_dispute(dispute["id"], won=False)
    catching_up.catch_up(now=shop.now + DAY)
    assert Notification.objects.filter(user=administrator, key__startswith="plan-dispute:").count() == 2
    assert not Chargeback.objects.exists()


@pytest.fixture
def wanted_of(monkeypatch) -> list[str]:
    """What is asked of the processor besides its lists."""
    asked: list[str] = []

    def note(name: str):
        real = getattr(gateway, name)

        def ask(id: str):
            asked.append(id)
            return real(id)

        monkeypatch.setattr(gateway, name, ask)

    for name in ("get_refund", "refunds_of", "get_intent", "get_dispute"):
        note(name)
    return asked
