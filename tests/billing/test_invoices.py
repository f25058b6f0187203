"""Invoices of what is sold and of what is bought: what stands on them, and that it adds up."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import OutgoingMail
from billing.documents.facts import DocumentLine
from billing.models import Invoice, Series
from billing.services.invoice_checks import findings
from billing.services.invoices import issue_invoice
from billing.services.issuing import document_of
from billing.services.self_billing import issue_self_billing
from bookings.models import Charge
from bookings.services.extend import request_extension
from tests.earning import make_payout
from tests.invoicing import AUSTRIAN, invoice_of
from tests.papers import is_faultless
from tests.people import (
    DAY,
    HOUR,
    make_billing_details,
    make_hold,
    make_listing,
    make_machine,
    make_paid,
    make_running,
    mark_charge_paid,
)
from tests.people import make_user as make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


# What is sold -------------------------------------------------------------------------------------------------


def test_a_paid_booking_has_an_invoice_with_everything_on_it(listing, buyer, now):
    make_billing_details(buyer, vat_id="DE136695976", name="Institut", purchase_order="PO-77", cost_centre="KST 4")
    booking = make_paid(listing, buyer, start=now + 2 * DAY, hours=60, asked=now)
    invoice, payment = invoice_of(booking), booking.payments.get()
    document = document_of(invoice)

    assert invoice.number == payment.invoice_number == f"INV-{now.year}-000001"
    assert (invoice.owner, invoice.payment, invoice.issued_at) == (buyer, payment, now)
    assert (document.net, document.tax, document.gross) == (Decimal("87.39"), Decimal("16.61"), Decimal("104.00"))
    assert [(line.quantity, line.unit, line.net) for line in document.lines] == [
        (2, "day", Decimal("67.22")),
        (12, "hour", Decimal("20.17")),
    ]
    assert document.lines[0].description == "Rental of 8 × H100 SXM"
    assert booking.reference in document.lines[0].detail
    assert (document.purchase_order, document.cost_centre) == ("PO-77", "KST 4")
    assert (invoice.purchase_order, invoice.cost_centre) == ("PO-77", "KST 4")
    assert (document.buyer.name, document.buyer.contact, document.buyer.vat_id) == (
        "Institut",
        "Bea Buyer",
        "DE136695976",
    )
    assert document.seller.vat_id == "DE123456788"
    assert (document.paid, document.card_digits) == (document.gross, "4242")
    assert document.paid_by.startswith("Visa 4242 on ")
    assert (document.supplied_from, document.supplied_until) == (booking.start.date(), booking.end.date())
    assert is_faultless(document)


def test_somebody_who_gave_no_details_is_named_all_the_same(listing, now):
    nobody = make_person("nobody@example.com")
    document = document_of(invoice_of(make_paid(listing, nobody, start=now + 2 * DAY, asked=now)))
    assert (document.buyer.name, document.buyer.country) == ("nobody@example.com", "DE")
    assert is_faultless(document)


def test_issuing_again_gives_what_was_issued(paid, now):
    payment = paid.payments.get()
    assert issue_invoice(payment=payment, now=now + DAY) == invoice_of(paid)
    assert Invoice.objects.count() == 1


def test_the_reverse_charge_is_said_and_no_vat_is_charged(listing, buyer, now, client):
    make_billing_details(buyer, **AUSTRIAN)
    invoice = invoice_of(make_paid(listing, buyer, start=now + 2 * DAY, hours=60, asked=now))
    document = document_of(invoice)
    assert (document.tax_kind, document.net, document.tax, document.gross) == (
        "reverse_charge",
        Decimal("87.39"),
        0,
        Decimal("87.39"),
    )
    assert sum(line.net for line in document.lines) == document.net
    assert is_faultless(document)
    client.force_login(buyer)
    page = client.get(f"/billing/invoices/{invoice.pk}/").text
    assert "Reverse charge: VAT to be accounted for by the recipient" in page
    assert "ATU13585627" in page


def test_an_invoice_names_who_the_tax_was_decided_for(listing, buyer, now):
    """Who asks as a business elsewhere in the EU cannot be a private person by the time that they pay."""
    listing.max_hours = 24 * 90
    listing.save()
    make_billing_details(buyer, **AUSTRIAN)
    booking = make_hold(listing, buyer, start=now + 2 * DAY, hours=24 * 60, asked=now)
    details = buyer.billing_details
    details.kind, details.name, details.country, details.vat_id = "individual", "Bea", "DE", ""
    details.save()
    for charge in booking.charges.order_by("number"):
        mark_charge_paid(Charge.objects.get(pk=charge.pk), now=max(now, charge.due_at - DAY))
    documents = [document_of(row) for row in Invoice.objects.filter(booking=booking)]
    assert len(documents) == 3
    for document in documents:
        assert (document.tax_kind, document.buyer.name, document.buyer.vat_id, document.buyer.country) == (
            "reverse_charge",
            "Akademie",
            "ATU13585627",
            "AT",
        )
        assert is_faultless(document)


def test_details_that_are_given_after_asking_name_the_buyer_and_change_no_tax(listing, buyer, now):
    booking = make_hold(listing, buyer, start=now + 2 * DAY, asked=now)
    assert booking.billed_to == {}
    make_billing_details(buyer, **AUSTRIAN)
    mark_charge_paid(booking.charges.get(), now=now)
    document = document_of(invoice_of(booking))
    assert (document.buyer.name, document.tax_kind, document.gross) == ("Akademie", "standard", booking.price_total)
    assert is_faultless(document)


def test_yen_have_no_decimals(provider, buyer, now):
    listing = make_listing(
        make_machine(provider, "gpu-9"), currency="JPY", price_hour=333, price_day=7001, price_week=None
    )
    document = document_of(invoice_of(make_paid(listing, buyer, start=now + 2 * DAY, hours=26, asked=now)))
    assert document.gross == 7001 + 2 * 333
    assert document.net == 6443
    assert all(amount == amount.to_integral_value() for amount in (document.net, document.tax, document.gross))
    assert is_faultless(document)


def test_each_stage_of_a_long_booking_has_an_invoice_of_its_own(listing, buyer, now):
    listing.max_hours = 24 * 90
    listing.save()
    booking = make_paid(listing, buyer, start=now + 2 * DAY, hours=24 * 60, asked=now)
    first = document_of(invoice_of(booking))
    charge = Charge.objects.get(booking=booking, number=1)
    assert first.gross == charge.amount < booking.price_total
    (line,) = first.lines
    assert (line.description, line.quantity, line.unit) == ("Rental of 8 × H100 SXM, stage 1 of 3", 28, "day")
    assert is_faultless(first)


def test_a_later_stage_and_an_extension_have_invoices_of_their_own_time(listing, buyer, now):
    listing.max_hours = 24 * 90
    listing.save()
    staged = make_paid(listing, buyer, start=now + 40 * DAY, hours=24 * 60 + 5, asked=now)
    last = staged.charges.get(number=3)
    mark_charge_paid(last, now=last.due_at)
    (line,) = document_of(Invoice.objects.get(payment__charge=last)).lines
    assert (line.description, line.quantity, line.unit) == ("Rental of 8 × H100 SXM, stage 3 of 3", 4 * 24 + 5, "hour")

    running = make_running(listing, buyer, start=now - HOUR, hours=10)
    extension = request_extension(booking_id=running.pk, by=buyer, new_end=running.end + 20 * HOUR, now=now)
    payment = mark_charge_paid(extension, now=now)
    document = document_of(Invoice.objects.get(payment=payment))
    assert all(line.description == "Extension: 8 × H100 SXM" for line in document.lines)
    assert document.gross == extension.amount
    assert (document.supplied_from, document.supplied_until) == (
        extension.covers_from.date(),
        (extension.covers_until - timedelta(seconds=1)).date(),
    )
    assert is_faultless(document)
    assert list(findings()) == []


def test_a_business_is_mailed_its_invoice_where_it_wants_it(listing, buyer, other_buyer, now):
    make_billing_details(buyer, vat_id="DE136695976", invoice_email="accounts@institute.example")
    make_billing_details(other_buyer)
    invoice = invoice_of(make_paid(listing, buyer, start=now + 2 * DAY, asked=now))
    make_paid(listing, other_buyer, start=now + 4 * DAY, asked=now)
    mail = OutgoingMail.objects.get(key__startswith="invoice-issued:")
    assert mail.recipient == "accounts@institute.example"
    assert invoice.number in mail.subject
    assert f"/billing/invoices/{invoice.pk}/" in mail.text


# What is bought ------------------------------------------------------------------------------------------------


def test_a_payout_has_a_self_billing_invoice(listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    invoice = Invoice.objects.get(payout=payout)
    document = document_of(invoice)
    assert (invoice.series, invoice.owner, invoice.number) == (Series.SELF_BILLING, provider, f"SB-{now.year}-000001")
    assert (document.net, document.tax, document.gross) == (payout.amount, 0, payout.amount)
    assert document.seller.reference == f"P-{provider.pk.hex[-8:]}"
    assert document.buyer.name.startswith("Remote Servers")
    assert document.iban == payout.account.iban
    assert document.paid_to == f"SEPA transfer to {payout.account.label}"
    assert is_faultless(document)
    assert issue_self_billing(payout=payout, now=now + DAY) == invoice


def test_a_provider_at_home_invoices_vat_and_what_is_taken_off_stands_as_its_own_line(listing, buyer, provider, now):
    make_billing_details(provider, vat_id="DE136695976", name="Rechenzentrum")
    payout = make_payout(listing, buyer, now=now)
    document = document_of(Invoice.objects.get(payout=payout))
    assert (document.tax_kind, document.tax, document.gross) == ("standard", payout.tax, payout.amount)
    assert payout.tax > 0
    assert is_faultless(document)
    line = document.lines[0]
    off = DocumentLine(f"Taken off: {line.description}", Decimal(-1), "item", Decimal("-1.00"))
    net = document.net - 1
    tax = (net * Decimal("0.19")).quantize(Decimal("0.01"))
    assert is_faultless(replace(document, lines=(line, off), net=net, tax=tax, gross=net + tax))
