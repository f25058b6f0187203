"""What the processor tells us, in real requests: signed, stored once, processed in any order, any number of times."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import OutgoingMail
from billing import tasks
from billing.models import Payment, PaymentStatus, Refund, WebhookEvent
from billing.services import payments, webhooks
from tests.people import HOUR
from tests.racing import until
from tests.stripe_standin import DECLINED_WHEN_CHARGED, NEEDS_AUTHENTICATION, Told, pay_by_card, signature

pytestmark = pytest.mark.django_db


def deliver(told: Told, **more: str) -> int:
    """As the processor does it: from outside, without session or CSRF token."""
    client = Client(enforce_csrf_checks=True)
    headers = {"Stripe-Signature": told.signature} | more
    answer = client.post(reverse("stripe_webhook"), told.body, content_type="application/json", headers=headers)
    return answer.status_code


def make_event(stripe, *, type: str, object_id: str = "pi_unknown", id: str = "evt_test", secret: str = "") -> Told:
    body = json.dumps(
        {"id": id, "object": "event", "type": type, "data": {"object": {"id": object_id}}}, indent=2
    ).encode()
    return Told(body, signature(body, secret or stripe.settings["STRIPE_WEBHOOK_SECRET"], timezone.now()))


# Who is believed --------------------------------------------------------------------------------------


def test_a_body_signed_with_another_secret_is_refused_and_not_kept(stripe):
    assert deliver(make_event(stripe, type="payment_intent.succeeded", secret="whsec_somebody_else")) == 400
    assert not WebhookEvent.objects.exists()


def test_a_body_changed_on_the_way_is_refused_and_not_kept(stripe):
    told = make_event(stripe, type="payment_intent.succeeded")
    assert deliver(Told(told.body.replace(b"pi_unknown", b"pi_another"), told.signature)) == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("header", ["", "t=1,v1=00", "v1=", "nonsense", "t=abc,v1=abc"])
def test_a_missing_or_senseless_signature_is_refused_and_not_kept(stripe, header):
    told = make_event(stripe, type="payment_intent.succeeded")
    assert deliver(Told(told.body, header)) == 400
    assert not WebhookEvent.objects.exists()


def test_an_old_signature_is_refused_so_that_nobody_can_play_it_again(stripe):
    told = make_event(stripe, type="payment_intent.succeeded")
    old = signature(told.body, stripe.settings["STRIPE_WEBHOOK_SECRET"], timezone.now() - HOUR)
    assert deliver(Told(told.body, old)) == 400
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b"[]", b'"text"', b"{}", b'{"object": "event"}'])
def test_a_signed_body_that_is_no_event_is_refused_and_not_kept(stripe, body):
    told = Told(body, signature(body, stripe.settings["STRIPE_WEBHOOK_SECRET"], timezone.now()))
    assert deliver(told) == 400
    assert not WebhookEvent.objects.exists()


def test_only_post_is_listened_to(stripe):
    assert Client().get(reverse("stripe_webhook")).status_code == 405


# What is done with it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["customer.subscription.deleted", "payment_intent.succeeded", "a.kind.yet.to.come"])
def test_what_we_do_not_know_is_taken_and_processed_quietly(stripe, type):
    assert deliver(make_event(stripe, type=type, object_id="x_nobody_knows")) == 200
    assert tasks.process_webhooks() == 1
    row = WebhookEvent.objects.get()
    assert row.processed_at
    assert row.error == ""


def test_every_webhook_three_times_and_in_reverse_order_has_one_result(stripe, ear, held, now):
    """A declined card, then one whose bank asks, then the money: the events of a whole payment, all mixed up."""
    with pytest.raises(payments.CardDeclined):
        pay_by_card(stripe, held, now=now, number=DECLINED_WHEN_CHARGED)
    declined = Payment.objects.get()
    paid = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(paid, success=True)
    ids = [declined.stripe_payment_intent, paid.stripe_payment_intent]
    until(lambda: all(ear.about(intent_id) for intent_id in ids), "webhooks of both payments")
    told = [hook for intent_id in ids for hook in ear.about(intent_id)]

    for hook in list(reversed(told)) * 3:
        assert deliver(hook) == 200
        tasks.process_webhooks()

    assert WebhookEvent.objects.count() == len(told)
    assert not WebhookEvent.objects.filter(processed_at=None).exists()
    declined.refresh_from_db()
    paid.refresh_from_db()
    assert (declined.status, paid.status) == (PaymentStatus.FAILED, PaymentStatus.PAID)
    assert declined.failure == "Your card was declined."
    assert held.events.filter(what="Paid and confirmed").count() == 1
    assert OutgoingMail.objects.filter(user=held.buyer, key=f"booking-confirmed:{held.pk}").count() == 1
    assert stripe.charged(held) == [int(held.price_total * 100)]
    assert not Refund.objects.exists()


def test_a_late_word_of_failure_never_overwrites_the_money_that_came(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now)

    assert (
        deliver(make_event(stripe, type="payment_intent.payment_failed", object_id=payment.stripe_payment_intent))
        == 200
    )
    assert tasks.process_webhooks() == 1

    payment.refresh_from_db()
    held.refresh_from_db()
    assert payment.status == PaymentStatus.PAID
    assert held.is_confirmed


def test_a_forged_success_confirms_nothing_because_the_processor_is_asked(stripe, held, now):
    """Whoever knew the secret could still not make money out of nothing."""
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)

    assert deliver(make_event(stripe, type="payment_intent.succeeded", object_id=payment.stripe_payment_intent)) == 200
    assert tasks.process_webhooks() == 1

    payment.refresh_from_db()
    held.refresh_from_db()
    assert payment.status == PaymentStatus.INCOMPLETE
    assert held.is_hold


def test_a_webhook_that_comes_while_the_processor_is_away_is_tried_again(stripe, wire, held, now):
    payment = pay_by_card(stripe, held, now=now, number=NEEDS_AUTHENTICATION)
    stripe.authenticate(payment, success=True)
    wire.on("GET", payment.stripe_payment_intent, "lose_request")
    deliver(make_event(stripe, type="payment_intent.succeeded", object_id=payment.stripe_payment_intent))

    assert tasks.process_webhooks() == 0
    row = WebhookEvent.objects.get()
    assert row.processed_at is None
    assert row.error
    assert timezone.now() < row.next_attempt_at < timezone.now() + timedelta(minutes=1)

    wire.clear()
    WebhookEvent.objects.update(next_attempt_at=now)
    assert tasks.process_webhooks() == 1
    held.refresh_from_db()
    assert held.is_confirmed


def test_an_event_with_which_we_fail_keeps_no_other_waiting(db, now, monkeypatch, caplog):
    def fault(event, *, now):
        raise ZeroDivisionError("A fault of ours.")

    monkeypatch.setattr(webhooks, "HANDLERS", ((("broken.",), fault),))
    for minutes, type in ((2, "broken.event"), (1, "another.event")):
        event = {"id": f"evt_{minutes}", "type": type, "data": {"object": {}}}
        webhooks.store_event(event, now=now - timedelta(minutes=minutes))
    assert webhooks.process_due_events(now=now) == 1

    broken = WebhookEvent.objects.get(processed_at=None)
    assert (broken.type, broken.error) == ("broken.event", "ZeroDivisionError: A fault of ours.")
    assert broken.next_attempt_at == now + webhooks.FIRST_PAUSE
    assert "evt_2" in caplog.text
    webhooks.process_due_events(now=broken.next_attempt_at)
    broken.refresh_from_db()
    assert broken.next_attempt_at == now + 3 * webhooks.FIRST_PAUSE, "the pause grows"
