"""The demonstration's bookings, after the services have lived through them."""

from collections import defaultdict
from datetime import timedelta
from itertools import pairwise

import pytest
from django.core.files.storage import default_storage

from accounts.models import OutgoingMail
from accounts.tasks import send_mails
from accounts.tax import treatment_of
from billing import gateway
from billing import tasks as billing_tasks
from billing.models import Invoice, LedgerEntry, Payment, PaymentStatus, Payout, Refund, RefundStatus, WebhookEvent
from bookings import tasks as booking_tasks
from bookings.lifecycle import HOLDS_MACHINE, BookingStatus
from bookings.models import Booking, Charge, DataWipe
from bookings.services.handover import wipe_progress
from common.money import to_minor
from machines import pricing
from marketplace.demo import load, people
from tests.demo.conftest import FEW

pytestmark = pytest.mark.django_db


@pytest.fixture
def bookings(demo) -> list[Booking]:
    return list(Booking.objects.with_context().prefetch_related("events", "wipes", "charges", "payments__refunds"))


def test_as_many_as_were_planned(demo, bookings):
    assert len(bookings) == demo.bookings


def test_no_two_meet_on_a_machine_erasing_included(bookings):
    by_machine = defaultdict(list)
    for booking in bookings:
        if booking.status in HOLDS_MACHINE or booking.is_completed:
            by_machine[booking.machine_id].append(booking)
    for theirs in by_machine.values():
        for one, following in pairwise(sorted(theirs, key=lambda booking: booking.start)):
            assert one.blocked_until == one.end + one.machine.turnaround
            assert one.blocked_until <= following.start


def test_prices_are_the_quotes_of_the_windows_by_the_buyers_vat(bookings):
    for booking in bookings:
        if booking.ended_early_at is not None or any(charge.is_extension for charge in booking.charges.all()):
            continue
        quote = pricing.quote(booking.listing.rates, booking.start, booking.end)
        total = treatment_of(booking.buyer).payable(quote.total, quote.currency)
        assert (booking.price_total, booking.currency) == (total, quote.currency)
        assert sum(line["amount"] for line in booking.lines()) == quote.total


def test_states_fit_the_time(demo, bookings):
    for booking in bookings:
        assert booking.created_at < booking.start
        assert not booking.is_hold
        if booking.is_confirmed:
            assert booking.start > demo.now
        elif booking.is_awaiting_wipe:
            assert booking.end < demo.now
        elif booking.is_active:
            assert booking.start < demo.now < booking.end
        elif booking.is_completed:
            assert booking.end < booking.completed_at < demo.now
            assert booking.wiped_at <= booking.blocked_until


def test_every_time_lies_in_the_past_and_in_order(demo, bookings):
    for booking in bookings:
        events = list(booking.events.all())
        assert events[0].at == booking.created_at
        assert events[-1].at < demo.now
        moves = [event.status_after for event in events if event.status_after]
        assert (moves or ["pending"])[-1] == booking.status
    for mail in OutgoingMail.objects.all():
        assert mail.created_at == mail.sent_at < demo.now


def test_no_mail_waits_to_be_sent(demo):
    assert OutgoingMail.objects.exists()
    assert not OutgoingMail.objects.filter(sent_at=None).exists()


def test_the_sweeps_find_nothing_to_do(demo):
    assert booking_tasks.cancel_unpaid_holds() == 0
    assert booking_tasks.start_bookings() == 0
    assert booking_tasks.end_bookings() == 0
    assert booking_tasks.cancel_undelivered() == 0
    assert booking_tasks.lapse_extensions() == 0
    assert billing_tasks.ask_after_payments() == 0
    assert billing_tasks.charge_stages() == 0
    assert billing_tasks.make_refunds() == 0
    assert billing_tasks.schedule_payouts() == 0
    assert billing_tasks.mail_statements() == 0
    send_mails()
    assert not WebhookEvent.objects.exists()


def test_the_processor_knows_each_payment(bookings):
    for booking in bookings:
        payments = {payment.charge_id: payment for payment in booking.payments.all()}
        assert payments.keys() == {charge.pk for charge in booking.charges.all() if charge.is_paid}
        for charge in booking.charges.all():
            if not charge.is_paid:
                continue
            payment = payments[charge.pk]
            assert (payment.status, payment.amount_total) == (PaymentStatus.PAID, charge.amount)
            assert (payment.payer_id, payment.provider_id) == (booking.buyer_id, booking.machine.provider_id)
            assert booking.created_at < payment.paid_at == charge.paid_at
            intent = gateway.get_intent(payment.stripe_payment_intent)
            assert (intent.status, intent.payment_id) == ("succeeded", str(payment.pk))
            assert intent.amount == to_minor(payment.amount_total, payment.currency)


def test_refunds_are_made(demo):
    assert Refund.objects.exists()
    assert all(refund.status == RefundStatus.MADE and refund.stripe_refund for refund in Refund.objects.all())


def test_whatever_ran_had_access_and_a_proven_end(bookings):
    ran = [booking for booking in bookings if booking.is_completed or booking.is_awaiting_wipe]
    assert ran
    for booking in ran:
        assert booking.access.username == f"rsm-{booking.reference}"
        if booking.is_completed:
            assert all(wipe and wipe.status == "success" for _, wipe in wipe_progress(booking))
    for wipe in DataWipe.objects.all():
        assert default_storage.open(wipe.evidence.name).read().startswith(b"Made for the demonstration")


def _of(email: str) -> list[Booking]:
    return list(Booking.objects.filter(buyer__email=email).prefetch_related("payments__refunds"))


def test_the_demo_buyer_sees_every_state(demo):
    theirs = _of(people.BUYER)
    assert any(booking.is_active and hasattr(booking, "access") for booking in theirs)
    assert sum(booking.is_confirmed for booking in theirs) >= 2
    assert sum(booking.is_completed and booking.wipes.count() == 5 for booking in theirs) >= 2
    canceled = [booking for booking in theirs if booking.is_canceled]
    assert any(payment.refunded > 0 for booking in canceled for payment in booking.payments.all())


@pytest.mark.parametrize("email", [people.BUYER2, people.ORGADMIN, people.MEMBER])
def test_the_other_demo_buyers_have_bookings(demo, email):
    statuses = {booking.status for booking in _of(email)}
    assert statuses >= {BookingStatus.COMPLETED, BookingStatus.PENDING}


def test_the_demo_provider_has_something_to_do(demo):
    theirs = Booking.objects.filter(machine__provider__email=people.PROVIDER)
    assert theirs.awaiting_wipe().count() == 1
    assert theirs.filter(status=BookingStatus.ACTIVE, wipe_opened_at=None, access=None).count() == 1
    assert theirs.filter(status=BookingStatus.PENDING).count() >= 3


def test_loading_again_does_nothing_a_second_time(demo):
    def counts():
        return [model.objects.count() for model in (Payment, Refund, Charge, DataWipe, Payout, Invoice, LedgerEntry)]

    before = counts()
    assert list(load.load_bookings(now=demo.now + timedelta(minutes=5), count=FEW)) == []
    assert counts() == before
