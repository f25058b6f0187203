"""The demonstration's money: proved as a deployment's is, and with something of everything to look at."""

from datetime import timedelta
from itertools import chain, pairwise

import pytest
from django.core.management import call_command

from billing.gateway.listing import Lists
from billing.models import Invoice, Payment, Payout, PayoutStatus, SavedCard, SepaFile, Series
from billing.services import check, invoice_checks
from billing.services.issuing import document_of
from billing.services.reconcile import reconcile
from billing.services.statements import months_of
from bookings.models import Booking, Charge, ChargeKind
from marketplace.demo import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo")]


def test_the_processor_and_the_rows_agree(demo):
    run = reconcile(now=demo.now + timedelta(hours=1))
    lists = Lists(None)
    made = {thing.id: thing.created for thing in chain(lists.intents(), lists.refunds())}
    began = demo.now.replace(microsecond=0)
    # What the stand-in holds from tests before the demonstration was loaded is unknown here.
    found = [
        row for row in run.differences.all() if not (row.kind.endswith("_missing_here") and made[row.theirs] < began)
    ]
    assert (run.error, [row.what for row in found]) == ("", [])
    assert run.compared["PaymentIntent"] >= Payment.objects.paid().count()


def test_the_ledger_and_the_invoices_are_proved(capsys):
    assert check.problems() == []
    assert list(invoice_checks.findings()) == []
    call_command("check_ledger")
    call_command("check_invoices")


def test_documents_are_numbered_in_the_order_of_their_time():
    for series in Series.values:
        for one, following in pairwise(Invoice.objects.filter(series=series).order_by("year", "sequence")):
            assert one.issued_at <= following.issued_at


def test_each_payment_has_an_invoice_of_its_own_day():
    for payment in Payment.objects.paid():
        invoice = Invoice.objects.get(payment=payment, series=Series.INVOICE)
        assert (invoice.number, invoice.issued_at) == (payment.invoice_number, payment.paid_at)


def test_invoices_name_whom_the_demo_people_are():
    reverse = document_of(Invoice.objects.filter(owner__email=people.BUYER2, series=Series.INVOICE).latest("issued_at"))
    assert (reverse.tax_kind, reverse.tax, reverse.buyer.vat_id) == ("reverse_charge", 0, "ATU70000009")
    institute = document_of(
        Invoice.objects.filter(owner__email=people.ORGADMIN, series=Series.INVOICE).latest("issued_at")
    )
    assert (institute.purchase_order, institute.cost_centre) == ("PO-4711", "Computing")


def test_some_were_extended_and_some_ended_early_with_refund_and_credit_note():
    assert Charge.objects.paid().filter(kind=ChargeKind.EXTENSION).count() == 2
    ended = Booking.objects.exclude(ended_early_at=None)
    assert ended.count() == 2
    for booking in ended:
        assert booking.is_completed
        assert Invoice.objects.filter(booking=booking, series=Series.CREDIT_NOTE).count() == 1


def test_a_long_booking_is_paid_in_stages_from_a_kept_card():
    stages = list(Charge.objects.filter(kind=ChargeKind.STAGE).order_by("number"))
    assert [stage.is_paid for stage in stages] == [True, False]
    payment = stages[0].payments.get()
    assert payment.off_session
    assert payment.payment_method == SavedCard.objects.kept().get(user__email=people.ORGADMIN).stripe_payment_method


@pytest.mark.parametrize("email", [people.PROVIDER, people.PROVIDER2])
def test_providers_were_paid_in_euros(email):
    payouts = Payout.objects.filter(provider__email=email)
    assert set(payouts.values_list("currency", "method")) == {("EUR", "sepa")}
    received = payouts.filter(status=PayoutStatus.RECEIVED)
    assert received.exists()
    for payout in payouts:
        assert Invoice.objects.get(payout=payout, series=Series.SELF_BILLING).issued_at == payout.scheduled_at


def test_one_payout_waits_for_the_bank_one_is_on_its_way():
    statuses = set(Payout.objects.values_list("status", flat=True))
    assert statuses == {PayoutStatus.SCHEDULED, PayoutStatus.SENT, PayoutStatus.RECEIVED}
    for file in SepaFile.objects.all():
        assert file.count == file.payouts.count() > 0


def test_there_is_a_statement_of_a_month_that_is_over(demo):
    months = months_of(people.User.objects.get(email=people.MEMBER))
    assert any(month.first < demo.now.date().replace(day=1) for month in months)
