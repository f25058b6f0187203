from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import BillingKind, BillingDetails, Notification, OutgoingMail
from billing import gateway
from billing.models import *  # noqa
from billing.models import AccountKind, Chargeback, Invoice, Payment, Refund, RefundStatus, Series, LedgerTransaction
from billing.services import refunds, stages, payments, printing, invoice_checks, chargebacks, payouts, outside
from billing.services.check import problems
from billing.services.ledger import balance
from bookings.models import Charge, Booking
from bookings.services.cancel import cancel_booking
from bookings.services.request import request_booking
from tests.billing.at_processor import hear, pay_at, told
from tests.people import *  # noqa
from tests.people import DAY, HOUR, make_billing_details, make_hold, make_listing, make_machine, make_running, mark_charge_paid, mark_paid, minute
from tests.earning import *  # noqa
from tests.plans import *  # noqa
from tests.plans import put_on_sale, Shop

pytestmark = pytest.mark.django_db


def test_01_stage_starvation(provider, buyer, other_buyer, now, processor):
    a = make_listing(make_machine(provider, "a"), max_hours=24 * 90)
    b = make_listing(make_machine(provider, "b"), max_hours=24 * 90)
    begun = minute(now) - 22 * DAY
    first = make_running(a, buyer, start=begun - HOUR, hours=60 * 24)
    second = make_running(b, other_buyer, start=begun, hours=60 * 24)
    # buyer has no card: fails and waits for day 1; other_buyer has a good card
    from billing.services.cards import customer_of
    from tests.stripe_server import cards as numbers
    method = processor.card(numbers.GOOD, customer=customer_of(other_buyer))
    SavedCard.objects.create(user=other_buyer, stripe_payment_method=method, brand="Visa", last4="4242", exp_month=12, exp_year=2099)
    for minutes in range(5):
        stages.charge_due_stages(now=now + minutes * timedelta(minutes=1), limit=1)
    assert Payment.objects.filter(charge__booking=second, off_session=True).exists(), "the second is starved"


def test_02_failed_refund_of_second_payment_swallows_the_cancellation(listing, buyer, provider, administrator, now, processor):
    hold = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    one = pay_at(processor, hold, now=now)
    # a second payment of the same charge succeeded too (two attempts), it goes back, and the bank sends it back
    charge = hold.charges.get()
    from billing.services.cards import Means, customer_of
    p2 = Payment.objects.create(booking=hold, charge=charge, machine=hold.machine, payer=buyer, provider=provider,
        amount_total=charge.amount, currency="EUR", commission_rate=Decimal("0.1"), timestamp=now + timedelta(minutes=1), asked_at=now,
        payment_method=processor.card("4242424242424242", customer=customer_of(buyer)), card_label="Visa 4242")
    intent = gateway.create_intent(p2, customer=customer_of(buyer)); payments.know_as(p2, intent)
    payments.apply(gateway.confirm_intent(p2), now=now + timedelta(minutes=1))
    refunds.make_due_refunds(now=now + HOUR)
    made = Refund.objects.get()
    assert made.payment_id == p2.pk and made.status == "made"
    processor.fail_refund(made.stripe_refund)
    hear(told(processor, "refund."), now=now + HOUR)
    made.refresh_from_db(); assert made.status == "failed"
    cancel_booking(booking_id=hold.pk, by=provider, now=now + 2 * HOUR)
    refunds.make_due_refunds(now=now + 3 * HOUR)
    owed = -balance(AccountKind.PROVIDER_PAYABLE, currency="EUR", owner=provider)
    print("provider still owed:", owed, [(r.payment_id == p2.pk, r.amount, r.status) for r in Refund.objects.all()], problems())
    try:
        refunds.ask_again(refund=made, by=administrator, now=now + 4 * HOUR)
        print("asked again ok")
    except Exception as e:
        print("ask_again:", e)
    owed = -balance(AccountKind.PROVIDER_PAYABLE, currency="EUR", owner=provider)
    assert owed == 0


def test_04_statement_year_9999(client, buyer):
    client.force_login(buyer)
    assert client.get("/billing/statements/9999-12/").status_code == 404


def test_05_tax_frozen_party_not(listing, buyer, now, processor):
    details = make_billing_details(buyer, vat_id="ATU13585627", country="AT", name="Kunde GmbH")
    buyer = type(buyer).objects.get(pk=buyer.pk)
    hold = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    print(hold.tax_kind, hold.price_total)
    BillingDetails.objects.filter(user=buyer).update(kind="individual", vat_id="", country="DE", name="Privat")
    hold = Booking.objects.get(pk=hold.pk)
    pay_at(processor, hold, now=now)
    inv = Invoice.objects.get()
    print(inv.document["buyer"], inv.tax_kind, inv.net, inv.tax)
    from billing.services.invoices import document_of
    from billing.documents.xml import invoice_xml
    invoice_xml(document_of(inv))
    assert not (inv.tax_kind == "reverse_charge" and not inv.document["buyer"]["vat_id"])


def test_06_net_payer_below_least(listing, buyer, now):
    listing.price_hour = Decimal("0.55"); listing.price_day = None; listing.price_week = None; listing.save()
    make_billing_details(buyer, vat_id="ATU13585627", country="AT", name="Kunde GmbH")
    buyer = type(buyer).objects.get(pk=buyer.pk)
    from bookings.errors import BookingError
    with pytest.raises(BookingError):
        hold = make_hold(listing, buyer, start=now + 2 * DAY, hours=1, asked=now)
        print("charge of", hold.price_total)


def test_07_lost_then_won(processor, held, administrator, now):
    payment = pay_at(processor, held, now=now)
    d = processor.open_dispute(payment.stripe_payment_intent)
    processor.close_dispute(d["id"], won=False)
    hear(told(processor, "charge.dispute."), now=now)
    from dataclasses import replace
    chargebacks.take_dispute(replace(gateway.get_dispute(d["id"]), status="won"), now=now + DAY)
    print(Chargeback.objects.get().state, Invoice.objects.values_list("number", "gross"))
    print(problems())
    assert list(invoice_checks.findings()) == []


def test_11_failed_refund_tells_nobody(processor, held, administrator, now):
    payment = pay_at(processor, held, now=now)
    refunds.request_refund(payment=payment, amount=Decimal(3), reason="goodwill", by=None, now=now)
    refunds.make_due_refunds(now=now)
    before = Notification.objects.count(), OutgoingMail.objects.count()
    processor.fail_refund(Refund.objects.get().stripe_refund)
    hear(told(processor, "refund."), now=now + HOUR)
    assert Refund.objects.get().status == "failed"
    assert (Notification.objects.count(), OutgoingMail.objects.count()) != before


def test_12_truncate(processor, held, now):
    pay_at(processor, held, now=now)
    from django.db import DatabaseError
    for table in ("ledger_entries", "invoices"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as c:
            c.execute(f"TRUNCATE {table} CASCADE")
