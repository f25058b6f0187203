"""Everything that the processor tells of a payment's whole life, in any order, doubled, and with some of it lost."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.urls import reverse

from billing import gateway, tasks
from billing.models import (
    Chargeback,
    ChargebackState,
    Invoice,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    SavedCard,
    Series,
    WebhookEvent,
)
from billing.services import refunds, webhooks
from billing.services.check import problems
from billing.services.payments import ask_after_open_payments
from billing.services.reconcile import reconcile
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.people import DAY, HOUR

pytestmark = pytest.mark.django_db

SEEDS = range(12)


@pytest.fixture
def payment(processor, held, now) -> Payment:
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_life_told_in_any_order_any_number_of_times(processor, payment, now, seed):
    """Paid, given back by us and in the dashboard, asked about, taken back, lost."""
    ask_back(payment, "2", now)
    refunds.make_due_refunds(now=now)
    processor.dashboard_refund(payment.stripe_payment_intent, 100)
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    processor.escalate_inquiry(dispute["id"])
    processor.close_dispute(dispute["id"], won=False)
    events = told(processor) * 2
    random.Random(seed).shuffle(events)

    hear(events, now=now)

    assert sorted(Refund.objects.values_list("status", "amount", "reason")) == [
        (RefundStatus.MADE, Decimal("1.00"), RefundReason.OUTSIDE),
        (RefundStatus.MADE, Decimal("2.00"), RefundReason.NOT_DELIVERED),
    ]
    chargeback = Chargeback.objects.get()
    assert (chargeback.state, chargeback.amount) == (ChargebackState.LOST, 5)
    credited = [abs(note.gross) for note in Invoice.objects.filter(series=Series.CREDIT_NOTE)]
    assert sum(credited) == 8
    assert problems() == []
    assert not reconcile(now=now + DAY).differences.exists()


@pytest.mark.parametrize("seed", SEEDS)
def test_while_it_happens_only_some_of_it_is_heard_and_late(processor, held, now, seed):
    """Each event is lost, late or doubled; what was lost altogether is what the dashboard's replay is for."""
    chance = random.Random(seed)
    payment = pay_at(processor, held, now=now)
    steps = [
        lambda: processor.dashboard_refund(payment.stripe_payment_intent, 100),
        lambda: ask_back(payment, "2", now),
        lambda: refunds.make_due_refunds(now=now),
        lambda: processor.open_dispute(payment.stripe_payment_intent),
        lambda: processor.close_dispute(processor.holds("dispute")[0]["id"], won=chance.random() < 0.5),
    ]
    heard = 0
    for step in steps:
        step()
        fresh, heard = processor.events[heard:], len(processor.events)
        hear([event for event in fresh if chance.random() < 0.5], now=now)
        assert problems() == []
    hear(processor.events, now=now)
    assert problems() == []
    assert not reconcile(now=now + DAY).differences.exists()


def test_a_payment_whose_every_event_is_lost_is_asked_after_by_the_sweep(processor, held, now):
    def die(asked, answer):
        if answer is not None and asked.path.endswith("/confirm"):
            raise KeyboardInterrupt

    processor.fault = die
    with pytest.raises(KeyboardInterrupt):
        pay_at(processor, held, now=now)
    processor.fault = None

    ask_after_open_payments(now=now + timedelta(minutes=1))

    assert Payment.objects.get().is_paid
    assert problems() == []


def test_an_event_about_a_payment_that_could_not_be_written_down_is_not_lost(processor, held, now):
    """The process died before it wrote down the PaymentIntent's id; the event finds the row by its metadata."""

    def die(asked, answer):
        if answer is not None and asked.path.endswith("/confirm"):
            raise KeyboardInterrupt

    processor.fault = die
    with pytest.raises(KeyboardInterrupt):
        pay_at(processor, held, now=now)
    processor.fault = None
    Payment.objects.update(stripe_payment_intent=None)

    hear(told(processor, "payment_intent.succeeded"), now=now)

    payment = Payment.objects.get()
    assert payment.is_paid
    assert payment.stripe_payment_intent == processor.holds("payment_intent")[0]["id"]
    assert problems() == []


def test_a_refund_of_a_payment_that_is_still_on_its_way_is_tried_again_later(processor, payment, now, monkeypatch):
    """It cannot have happened yet by what the processor says of the payment: a page of it is behind."""
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    Payment.objects.update(status="incomplete", paid_at=None)
    behind = processor.get("payment_intent", payment.stripe_payment_intent)
    behind["status"] = "processing"
    webhooks.store_event(told(processor, "refund.")[0].event, now=now)
    assert webhooks.process_due_events(now=now) == 0
    row = WebhookEvent.objects.get()
    assert "is not paid" in row.error
    assert row.next_attempt_at > now
    assert not Refund.objects.exists()


def test_the_account_of_an_event_is_kept(processor, now):
    event = {"id": "evt_1", "type": "payout.paid", "account": "acct_1", "data": {"object": {"id": "po_1"}}}
    assert webhooks.store_event(event, now=now).account == "acct_1"


def test_a_card_that_is_taken_away_at_the_processor_is_kept_no_more(processor, buyer, now):
    card = SavedCard.objects.create(
        user=buyer, stripe_payment_method="pm_1", brand="Visa", last4="4242", exp_month=1, exp_year=2030
    )
    event = {"id": "evt_1", "type": "payment_method.detached", "data": {"object": {"id": "pm_1"}}}
    webhooks.store_event(event, now=now)
    assert webhooks.process_due_events(now=now) == 1
    card.refresh_from_db()
    assert card.removed_at == now


def test_events_are_replayed_by_their_type_and_time(processor, payment, now, capsys):
    made = processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor), now=now)
    Refund.objects.filter(stripe_refund=made["id"]).update(made_at=now)
    WebhookEvent.objects.filter(type="payment_intent.succeeded").update(received_at=now - 9 * DAY)
    count = WebhookEvent.objects.filter(type__startswith="refund.").count()

    since = (now - DAY).isoformat()
    call_command("replay_webhooks", "--since", since, "--type", "refund.", "--type", "payment_intent.succeeded")

    assert capsys.readouterr().out == f"{count} events are processed again by the next sweeps.\n"
    assert WebhookEvent.objects.filter(processed_at=None).count() == count
    assert tasks.process_webhooks() == count
    assert Refund.objects.count() == 1
    call_command("replay_webhooks", "--since", since, "--until", since)
    assert capsys.readouterr().out.startswith("0 events")
    assert problems() == []


def test_administrators_replay_what_they_have_filtered(processor, payment, administrator, client, now):
    processor.dashboard_refund(payment.stripe_payment_intent, 300)
    hear(told(processor), now=now)
    client.force_login(administrator)
    changelist = reverse("admin:billing_webhookevent_changelist")
    chosen = [str(pk) for pk in WebhookEvent.objects.filter(type__startswith="refund.").values_list("pk", flat=True)]
    done = client.post(f"{changelist}?type=refund.created", {"action": "process_again", "_selected_action": chosen})
    assert done.status_code == 302
    assert not WebhookEvent.objects.filter(processed_at=None).exists()
    assert Refund.objects.count() == 1


def test_a_refund_begun_by_another_deployment_counts_as_somebody_elses(processor, payment, now):
    """Metadata with an id that is none of our rows: the money has gone all the same."""
    gateway.client().v1.refunds.create(
        {
            "payment_intent": payment.stripe_payment_intent,
            "amount": 300,
            "metadata": {"refund_id": "0199aaaa-0000-7000-8000-000000000000"},
        }
    )
    hear(told(processor, "refund."), now=now + HOUR)
    assert Refund.objects.get().reason == RefundReason.OUTSIDE
    assert problems() == []
