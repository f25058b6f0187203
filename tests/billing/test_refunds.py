"""What a buyer is owed: never more than was paid, never twice."""

from decimal import Decimal
from functools import partial
from uuid import uuid4

import pytest
from django.db import transaction

from accounts.models import Notification, OutgoingMail
from accounts.outbox import written_for
from accounts.services.decisions import TakesTwo
from accounts.services.roles import NotAnAdministrator
from billing.errors import PaymentError
from billing.history import steps
from billing.models import AccountKind, Payment, Refund, RefundReason, RefundStatus
from billing.services import refunds, webhooks
from billing.services.ledger import balance
from billing.services.refunds import give_back, refund_booking, request_refund
from bookings.models import Booking
from bookings.records import said
from bookings.services.cancel import cancel_booking
from bookings.services.extend import request_extension
from bookings.services.run import end_booking
from common.formats import money
from common.money import to_minor
from tests.people import DAY, HOUR, make_paid, make_running, mark_charge_paid
from tests.racing import at_once
from tests.stripe_standin import pay_by_card

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(paid: Booking) -> Payment:
    """Of 8 EUR."""
    return Payment.objects.get(booking=paid)


@transaction.atomic
def ask_back(payment: Payment, amount: str, now) -> Refund:
    return request_refund(payment=payment, amount=Decimal(amount), reason=RefundReason.NOT_DELIVERED, by=None, now=now)


@pytest.mark.parametrize("amount", ["8.01", "0", "-1"])
def test_a_refund_of_more_than_was_paid_or_of_nothing_is_refused(payment, now, amount):
    with pytest.raises(PaymentError, match="cannot be more than what was paid"):
        ask_back(payment, amount, now)
    assert not Refund.objects.exists()


def test_refunds_on_their_way_count_as_given_back(payment, now):
    ask_back(payment, "5", now)
    with pytest.raises(PaymentError):
        ask_back(payment, "3.01", now)
    ask_back(payment, "3", now)
    payment.refresh_from_db()
    assert payment.refundable == 0


def test_a_refund_that_failed_can_be_asked_for_again(payment, now):
    refund = ask_back(payment, "8", now)
    Refund.objects.filter(pk=refund.pk).update(status=RefundStatus.FAILED)
    assert ask_back(payment, "8", now).status == RefundStatus.REQUESTED


def test_nothing_is_refunded_of_a_payment_that_brought_nothing(payment, now):
    Payment.objects.update(status="failed")
    with pytest.raises(PaymentError):
        ask_back(payment, "1", now)


def test_a_booking_is_not_refunded_beyond_its_payments(paid, now):
    with pytest.raises(PaymentError, match="more than was paid"):
        refund_booking(booking=paid, amount=Decimal("9"), reason=RefundReason.NOT_DELIVERED, by=None, now=now)


def test_a_booking_of_which_some_was_given_back_before_can_still_be_canceled(payment, paid, now):
    """What is left goes back; it is no reason to refuse, and never more than was paid."""
    ask_back(payment, "3", now)

    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)

    assert sorted(Refund.objects.values_list("amount", flat=True)) == [Decimal("3.00"), Decimal("5.00")]


def test_a_machine_never_handed_over_is_released_though_some_was_given_back_before(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - 5 * HOUR, access=False)
    ask_back(booking.payments.get(), "3", now)

    assert end_booking(booking_id=booking.pk, now=now)

    assert sorted(Refund.objects.values_list("amount", flat=True)) == [Decimal("3.00"), Decimal("5.00")]


# By a person ----------------------------------------------------------------------------------------------


def give(
    payment: Payment, by, now, *, amount="3.00", reason=RefundReason.GOODWILL, why="The fans were loud."
) -> Refund:
    return give_back(payment=payment, amount=Decimal(amount), reason=reason, why=why, by=by, now=now)


def test_an_administrator_gives_a_part_back_and_everybody_reads_why(payment, administrator, buyer, provider, now):
    refund = give(payment, administrator, now, reason=RefundReason.DISPUTE)
    assert (refund.amount, refund.note, refund.requested_by) == (Decimal("3.00"), "The fans were loud.", administrator)
    assert -balance(AccountKind.REFUNDS, currency="EUR") == Decimal("3.00")
    assert payment.invoices.filter(series="CN").count() == 1
    said = payment.booking.events.get(what=f"{money(refund.amount, 'EUR')} to be given back")
    assert said.detail == "The fans were loud."
    told = Notification.objects.get(user=provider, key=f"given-back:{refund.pk}")
    assert "The fans were loud." in told.text
    assert any("The fans were loud." in str(step.detail) for step in steps(payment))


def test_history_has_the_amount_as_everybody_reads_it(payment, administrator, now):
    administrator.language, administrator.country = "de", "DE"
    with written_for(administrator):
        refund = give(payment, administrator, now)
        assert money(refund.amount, "EUR") == "3,00\N{NO-BREAK SPACE}€"
        line = payment.booking.events.get(what="€3.00 to be given back").what
        assert said(line) == "3,00\N{NO-BREAK SPACE}€ zu erstatten"


def test_nobody_else_gives_back(payment, buyer, provider, now):
    for somebody in (buyer, provider):
        with pytest.raises(NotAnAdministrator):
            give(payment, somebody, now)


@pytest.mark.parametrize("amount", ["0", "-1", "8.01", "1.005"])
def test_what_is_not_left_is_not_given_back(payment, administrator, now, amount):
    with pytest.raises(PaymentError, match="can be given back") as refused:
        give(payment, administrator, now, amount=amount)
    assert refused.value.field == "amount"
    assert not Refund.objects.exists()


def test_a_reason_of_the_rules_is_not_for_persons(payment, administrator, now):
    with pytest.raises(PaymentError, match="goodwill"):
        give(payment, administrator, now, reason=RefundReason.TIME_LOST)


def test_above_the_limit_it_takes_two_over_all_payments_of_a_booking(payment, administrator, settings, now):
    settings.MARKETPLACE_REFUND_ALONE = Decimal(5)
    booking = payment.booking
    charge = request_extension(booking_id=booking.pk, by=booking.buyer, new_end=booking.end + 4 * HOUR, now=now)
    other = mark_charge_paid(charge, now=now)
    give(payment, administrator, now)
    with pytest.raises(TakesTwo):
        give(other, administrator, now)
    give(other, administrator, now, amount="2.00")


def test_what_failed_counts_until_it_is_asked_for_again_and_then_once(payment, administrator, settings, now):
    settings.MARKETPLACE_REFUND_ALONE = Decimal(5)
    failed = give(payment, administrator, now)
    refunds.give_up(refund_id=failed.pk, why="The card is gone.", now=now)
    with pytest.raises(TakesTwo):
        give(payment, administrator, now, amount="2.01", why="Once more.")
    again = refunds.ask_again(refund=failed, by=administrator, now=now)
    assert (again.reason, again.note) == (failed.reason, "The fans were loud.")
    give(payment, administrator, now, amount="2.00", why="Once more.")
    with pytest.raises(TakesTwo):
        give(payment, administrator, now, amount="0.01", why="A cent more.")


def test_a_second_click_gives_nothing(payment, administrator, now):
    give(payment, administrator, now)
    with pytest.raises(PaymentError, match="has just been given back"):
        give(payment, administrator, now)
    give(payment, administrator, now, why="And it was hot.")
    assert Refund.objects.count() == 2


def test_it_is_done_on_a_page_of_the_administration(client, payment, administrator):
    client.force_login(administrator)
    address = f"/admin/billing/refund/add/?payment={payment.pk}"
    assert address in client.get(f"/admin/billing/payment/{payment.pk}/change/").content.decode()
    assert str(payment.pk) in client.get(address).content.decode()

    wanted = {"payment": str(payment.pk), "amount": "9", "reason": "goodwill", "why": "A slow disk."}
    answer = client.post(address, wanted)
    assert "can be given back" in answer.content.decode()
    assert "A slow disk." in answer.content.decode()

    answer = client.post(address, {**wanted, "amount": "2"})
    refund = Refund.objects.get()
    assert answer.url == f"/admin/billing/refund/{refund.pk}/change/"
    assert (refund.amount, refund.note) == (Decimal("2.00"), "A slow disk.")
    assert "A slow disk." in client.get(answer.url).content.decode()
    unknown = client.post(address, {**wanted, "payment": str(uuid4())})
    assert "There is no such payment" in unknown.content.decode()


@pytest.mark.django_db(transaction=True)
def test_refunds_asked_for_at_the_same_moment_never_exceed_what_was_paid(payment, now):
    results = at_once([partial(ask_back, payment, "3", now)] * 8)

    made = [result for result in results if isinstance(result, Refund)]
    assert len(made) == 2
    assert {type(result) for result in results if result not in made} == {PaymentError}
    assert payment.refundable == Decimal("2.00")


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_more_is_refunded_than_was_paid(payment, now, monkeypatch):
    manager = type(Payment.objects)
    monkeypatch.setattr(manager, "select_for_update", lambda self, **_: self.get_queryset())

    for _attempt in range(10):
        at_once([partial(ask_back, payment, "8", now)] * 8)
        if Refund.objects.count() > 1:
            break
        Refund.objects.all().delete()

    assert Refund.objects.count() > 1


@pytest.mark.django_db(transaction=True)
def test_buyer_and_provider_cancel_at_the_same_moment_and_one_refund_is_owed(listing, buyer, provider, now):
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    results = at_once(
        partial(cancel_booking, booking_id=booking.pk, by=person, now=now) for person in (buyer, provider) * 3
    )

    assert all(isinstance(result, Booking) for result in results), results
    (refund,) = Refund.objects.all()
    assert refund.amount == booking.price_total
    assert booking.events.filter(status_after="canceled").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_cancellation_that_cannot_write_its_refund_does_not_happen(paid, now):
    """What is owed stands or falls with the cancellation: both are one transaction."""
    Payment.objects.update(status="failed")

    with pytest.raises(PaymentError):
        cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)

    paid.refresh_from_db()
    assert paid.is_confirmed
    assert not paid.events.filter(status_after="canceled").exists()


def test_a_refund_that_failed_is_asked_for_again_as_a_row_of_its_own(stripe, held, administrator, now):
    payment = pay_by_card(stripe, held, now=now)
    failed = ask_back(payment, str(payment.amount_total), now)
    refunds.give_up(refund_id=failed.pk, why="The bank sent it back.", now=now)

    again = refunds.ask_again(refund=failed, by=administrator, now=now)

    assert again.pk != failed.pk
    assert again.requested_by == administrator
    assert refunds.make_refund(refund_id=again.pk, now=now)
    assert stripe.refunded(held) == [to_minor(payment.amount_total, payment.currency)]
    with pytest.raises(PaymentError, match="already"):
        refunds.ask_again(refund=failed, by=administrator, now=now)
    with pytest.raises(PaymentError, match="has failed"):
        refunds.ask_again(refund=again, by=administrator, now=now)


def test_a_refund_that_failed_is_told_to_administrators_once(payment, administrator, buyer, now):
    refund = ask_back(payment, "8", now)
    for _ in range(2):
        refunds.give_up(refund_id=refund.pk, why="The card is gone.", now=now)
    told = Notification.objects.get(key=f"refund-failed:{refund.pk}")
    assert told.user == administrator
    assert "The card is gone." in told.text
    assert told.link == f"/admin/billing/refund/{refund.pk}/change/"
    assert OutgoingMail.objects.get(key=f"refund-failed:{refund.pk}").user == administrator


def test_only_what_the_buyer_still_has_with_us_is_asked_for_again(payment, administrator, now):
    failed = ask_back(payment, "8", now)
    refunds.give_up(refund_id=failed.pk, why="The card is gone.", now=now)
    ask_back(payment, "3", now)
    again = refunds.ask_again(refund=failed, by=administrator, now=now)
    assert again.amount == 5


def test_what_was_given_back_otherwise_is_not_asked_for_again(payment, administrator, now):
    failed = ask_back(payment, "8", now)
    refunds.give_up(refund_id=failed.pk, why="The card is gone.", now=now)
    ask_back(payment, "8", now)
    with pytest.raises(PaymentError, match="given back otherwise"):
        refunds.ask_again(refund=failed, by=administrator, now=now)


def test_only_administrators_ask_again(payment, provider, now):
    failed = ask_back(payment, "8", now)
    refunds.give_up(refund_id=failed.pk, why="The card is gone.", now=now)
    with pytest.raises(NotAnAdministrator):
        refunds.ask_again(refund=failed, by=provider, now=now)


def test_a_refund_that_the_processor_has_only_accepted_is_not_made_yet(stripe, wire, held, now):
    payment = pay_by_card(stripe, held, now=now)
    refund = refunds.request_refund(
        payment=payment, amount=payment.amount_total, reason="not_delivered", by=None, now=now
    )
    wire.say("/v1/refunds", '"status": "succeeded"', '"status": "pending"')

    assert refunds.make_due_refunds(now=now) == 0
    refund.refresh_from_db()
    assert refund.status == RefundStatus.REQUESTED
    assert refund.stripe_refund
    assert not OutgoingMail.objects.filter(key__startswith="refund-made").exists()

    wire.clear()
    assert refunds.make_due_refunds(now=now + HOUR) == 1
    refund.refresh_from_db()
    assert refund.status == RefundStatus.MADE
    assert stripe.refunded(held) == [to_minor(payment.amount_total, payment.currency)]


def test_a_refund_that_the_bank_sends_back_later_is_one_that_failed(stripe, wire, held, now):
    payment = pay_by_card(stripe, held, now=now)
    refund = refunds.request_refund(
        payment=payment, amount=payment.amount_total, reason="not_delivered", by=None, now=now
    )
    assert refunds.make_due_refunds(now=now) == 1
    refund.refresh_from_db()
    wire.say("/v1/refunds", '"status": "succeeded"', '"status": "failed"')
    event = webhooks.store_event(
        {"id": "evt_1", "type": "refund.failed", "data": {"object": {"id": refund.stripe_refund}}}, now=now
    )

    assert webhooks.process_event(event_pk=event.pk, now=now)

    refund.refresh_from_db()
    assert refund.status == RefundStatus.FAILED
    assert refund.failure
    payment.refresh_from_db()
    assert payment.refundable == payment.amount_total, "so that it can be asked for again"


def test_a_processor_that_is_away_is_asked_once_a_sweep(stripe, held, now):
    payment = pay_by_card(stripe, held, now=now)
    for _ in range(3):
        refunds.request_refund(payment=payment, amount=Decimal(1), reason="not_delivered", by=None, now=now)
    stripe.stop()
    try:
        assert refunds.make_due_refunds(now=now) == 0
        assert sorted(Refund.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    finally:
        stripe.start()
