"""What a buyer's bank asks, takes and decides: recorded once, in any order, with the money where it is."""

import itertools
import re
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import Notification, OutgoingMail
from billing.documents.xml import invoice_xml
from billing.errors import PaymentError
from billing.models import AccountKind, Chargeback, ChargebackState, Invoice, Refund, RefundStatus, Series, WebhookEvent
from billing.services import chargebacks, owed, refunds, webhooks
from billing.services.check import problems
from billing.services.invoice_checks import findings
from billing.services.issuing import document_of
from billing.services.ledger import balance
from billing.services.numbering import take_number
from bookings.services import run
from common.ids import uuid7
from tests.billing.at_processor import hear, pay_at, told
from tests.billing.test_refunds import ask_back
from tests.papers import broken_rules
from tests.people import DAY, HOUR, enter_access, record_wipe
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(processor, held, administrator, now):
    """Of 8 EUR, made at the processor."""
    return pay_at(processor, held, now=now)


def stand(payment) -> dict[str, Decimal]:
    """The money of one payment, account by account, where there is any."""
    accounts = {kind: balance(kind, currency="EUR", transaction__payment=payment) for kind in AccountKind}
    return {kind.value: amount for kind, amount in accounts.items() if amount}


@pytest.fixture
def earned(payment):
    """Where the money is while nothing has happened to it."""
    return stand(payment)


def test_one_that_is_taken_waits_on_an_account_of_its_own(processor, payment, earned, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)

    chargeback = Chargeback.objects.get()
    assert (chargeback.stripe_dispute, chargeback.state) == (dispute["id"], ChargebackState.OPEN)
    assert (chargeback.amount, chargeback.currency, chargeback.reason) == (8, "EUR", "fraudulent")
    assert chargeback.funds_taken_at == now
    assert chargeback.evidence_due_by
    moved = {**earned, "chargebacks": Decimal(8)}
    del moved["processor"]
    assert stand(payment) == moved
    assert payment.refundable == 8  # may be owed to the buyer meanwhile, and waits: Refund.objects.due
    assert problems() == []


def test_one_that_is_won_puts_everything_back(processor, payment, earned, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    processor.close_dispute(dispute["id"], won=True)
    hear(told(processor, "charge.dispute."), now=now + HOUR)

    assert Chargeback.objects.get().state == ChargebackState.WON
    assert stand(payment) == earned
    assert payment.refundable == 8
    assert not Invoice.objects.filter(series=Series.CREDIT_NOTE).exists()
    assert problems() == []


def test_one_that_is_lost_is_taken_from_whoever_had_earned_it(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)

    assert Chargeback.objects.get().state == ChargebackState.LOST
    assert stand(payment) == {}
    note = Invoice.objects.get(series=Series.CREDIT_NOTE)
    assert note.chargeback == Chargeback.objects.get()
    assert abs(note.gross) == 8
    assert problems() == []


def test_a_part_that_is_lost_leaves_the_rest_earned(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent, 300)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)

    assert payment.refundable == 5
    assert stand(payment)["processor"] == 5
    assert abs(Invoice.objects.get(series=Series.CREDIT_NOTE).gross) == 3
    assert problems() == []


def test_after_a_refund_only_what_was_left_is_taken(processor, payment, now):
    ask_back(payment, "5", now)
    refunds.make_due_refunds(now=now)
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)

    assert Chargeback.objects.get().amount == 3
    assert stand(payment) == {}
    credited = [abs(note.gross) for note in Invoice.objects.filter(series=Series.CREDIT_NOTE).order_by("sequence")]
    assert credited == [5, 3]
    assert problems() == []


def test_a_refund_that_fails_after_the_bank_has_decided_makes_nobody_poorer_than_they_are(processor, payment, now):
    """The refund waits, the bank takes all of the payment: together more than was paid. The refund is given up."""
    ours = ask_back(payment, "5", now)
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)
    refunds.make_due_refunds(now=now)

    ours.refresh_from_db()
    assert ours.status == RefundStatus.FAILED
    assert problems() == []


def test_an_inquiry_takes_nothing_until_it_becomes_a_chargeback(processor, payment, earned, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    hear(told(processor, "charge.dispute."), now=now)
    chargeback = Chargeback.objects.get()
    assert (chargeback.state, chargeback.funds_taken_at) == (ChargebackState.INQUIRY, None)
    assert stand(payment) == earned
    assert payment.refundable == 8

    processor.escalate_inquiry(dispute["id"])
    hear(told(processor, "charge.dispute."), now=now + HOUR)
    chargeback.refresh_from_db()
    assert (chargeback.state, chargeback.funds_taken_at) == (ChargebackState.OPEN, now + HOUR)
    assert problems() == []


def test_an_inquiry_that_is_closed_leaves_nothing_behind(processor, payment, earned, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    hear(told(processor, "charge.dispute."), now=now)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)
    assert Chargeback.objects.get().state == ChargebackState.CLOSED
    assert stand(payment) == earned
    assert problems() == []


@pytest.mark.parametrize("won", [True, False])
def test_events_in_every_order_each_twice_have_one_result(processor, payment, now, won):
    """Inquiry, escalation, decision: heard when all of it is over, as after an outage."""
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    processor.escalate_inquiry(dispute["id"])
    processor.close_dispute(dispute["id"], won=won)
    events = told(processor, "charge.dispute.")
    assert len(events) >= 4

    for order in itertools.islice(itertools.permutations(events), 0, None, 3):
        WebhookEvent.objects.all().delete()
        hear([*order, *order], now=now)

    chargeback = Chargeback.objects.get()
    assert chargeback.state == (ChargebackState.WON if won else ChargebackState.LOST)
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == (0 if won else 1)
    assert OutgoingMail.objects.filter(user=payment.provider, key__startswith="chargeback-").count() == 1
    assert problems() == []


def test_a_decision_that_is_changed_again_is_followed(processor, payment, earned, now):
    """Some banks hear an appeal."""
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)
    thing = processor.get("dispute", dispute["id"])
    for status, state in (("appeal_under_review", "open"), ("won", "won"), ("lost", "lost"), ("won", "won")):
        thing["status"] = status
        chargebacks.take_dispute_named(dispute["id"], now=now)
        assert Chargeback.objects.get().state == state
        assert problems() == []
    assert stand(payment) == earned


def test_what_is_won_after_it_was_lost_is_invoiced_again_and_credited_when_it_is_lost_again(processor, payment, now):
    first = Invoice.objects.get()
    dispute = processor.open_dispute(payment.stripe_payment_intent, 300)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)
    thing = processor.get("dispute", dispute["id"])
    for status in ("won", "won", "lost"):
        thing["status"] = status
        chargebacks.take_dispute_named(dispute["id"], now=now + HOUR)
        assert list(findings()) == problems() == []

    documents = Invoice.objects.order_by("issued_at", "pk")
    lost, won, again = documents.exclude(pk=first.pk)
    assert [(row.series, row.gross, row.corrects) for row in (lost, won, again)] == [
        ("CN", 3, first),
        ("INV", 3, lost),
        ("CN", 3, first),
    ]
    assert {row.chargeback for row in (lost, won, again)} == {Chargeback.objects.get()}
    document = document_of(won)
    assert (document.corrects_number, document.paid, document.buyer) == (lost.number, 3, document_of(first).buyer)
    assert broken_rules(invoice_xml(document)) == []
    payment.refresh_from_db()
    assert payment.invoice_number == first.number


def test_a_payment_has_one_invoice_that_corrects_nothing(payment):
    first = Invoice.objects.get()
    row = {field.attname: getattr(first, field.attname) for field in Invoice._meta.concrete_fields}
    sequence, number = take_number(series=Series.INVOICE, year=first.year)
    with pytest.raises(IntegrityError, match="invoices_one_a_payment"), transaction.atomic():
        Invoice.objects.create(**{**row, "id": uuid7(), "sequence": sequence, "number": number})


def test_administrators_learn_until_when_and_the_provider_that_it_waits(processor, payment, administrator, now):
    processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute.") * 2, now=now)

    key = f"chargeback-open:{Chargeback.objects.get().pk}"
    mail = OutgoingMail.objects.get(user=administrator, key=key)
    due = Chargeback.objects.get().evidence_due_by
    assert re.search(rf"Answer in the processor's dashboard by .*{due.day}", mail.text)
    assert "paid out once the bank has decided" in OutgoingMail.objects.get(user=payment.provider, key=key).text
    assert Notification.objects.filter(key=key).count() == 2
    assert not Notification.objects.filter(key=key, user=payment.payer).exists()
    assert payment.booking.events.filter(what__startswith="The buyer's bank took").count() == 1


def test_the_payout_waits_while_it_is_undecided(processor, held, payment, now):
    later = held.end + 5 * DAY
    enter_access(held, now=held.start)
    run.start_booking(booking_id=held.pk, now=held.start)
    run.end_booking(booking_id=held.pk, now=held.end)
    held.refresh_from_db()
    record_wipe(held, now=held.end + HOUR)

    def payable() -> Decimal:
        return sum((one.payable for one in owed.owed_for(owed.owing(), now=later)), Decimal(0))

    free = payable()
    assert free > 0
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    assert payable() == 0
    processor.close_dispute(dispute["id"], won=True)
    hear(told(processor, "charge.dispute."), now=now)
    assert payable() == free


def test_its_page_says_what_to_do_and_what_shows_that_the_buyer_was_there(
    processor, payment, administrator, client, now
):
    processor.open_dispute(payment.stripe_payment_intent)
    hear(told(processor, "charge.dispute."), now=now)
    client.force_login(administrator)
    page = client.get(reverse("admin:billing_chargeback_change", args=[Chargeback.objects.get().pk])).text
    assert "Hand the evidence below in" in page
    assert reverse("booking_detail", args=[payment.booking_id]) in page
    assert "Chargebacks to answer" in client.get(reverse("admin:index")).text


def test_a_status_that_nobody_has_thought_of_is_kept_for_a_person(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    processor.fault = lambda asked, answer: answer and (*answer[:2], answer[2].replace(b'"needs_response"', b'"novel"'))
    with pytest.raises(PaymentError, match="nothing is known to do"):
        chargebacks.take_dispute_named(dispute["id"], now=now)
    webhooks.store_event(told(processor, "charge.dispute.")[0].event, now=now)
    assert webhooks.process_due_events(now=now) == 0
    assert "novel" in WebhookEvent.objects.get().error


def test_one_about_a_payment_that_is_not_ours_is_done_at_once(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    type(payment).objects.filter(pk=payment.pk).update(stripe_payment_intent="pi_another")
    processor.get("payment_intent", dispute["payment_intent"])["metadata"] = {}
    hear(told(processor, "charge.dispute."), now=now)
    assert not Chargeback.objects.exists()


def test_a_refund_made_in_the_dashboard_ends_an_inquiry(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent, inquiry=True)
    processor.dashboard_refund(payment.stripe_payment_intent)
    processor.close_dispute(dispute["id"], won=False)
    hear(told(processor, "charge."), now=now + timedelta(minutes=1))
    assert Chargeback.objects.get().state == ChargebackState.CLOSED
    assert Refund.objects.get().status == RefundStatus.MADE
    assert stand(payment) == {}
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_hear_of_it_at_the_same_moment_write_one_row(processor, payment, now):
    dispute = processor.open_dispute(payment.stripe_payment_intent)
    twice_at_once(partial(chargebacks.take_dispute_named, dispute["id"], now=now))
    processor.close_dispute(dispute["id"], won=False)
    twice_at_once(partial(chargebacks.take_dispute_named, dispute["id"], now=now))
    assert Chargeback.objects.count() == 1
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == 1
    assert problems() == []
