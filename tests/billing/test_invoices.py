"""Invoices and what corrects them: what stands on them, that they add up, and that they stay as they were issued."""

import hashlib
import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import BillingDetails, OutgoingMail
from billing.documents.facts import DocumentLine, InvoiceDocument, Party
from billing.documents.figures import check
from billing.documents.pdf import invoice_pdf
from billing.documents.stored import NotADocument, from_json, to_json
from billing.documents.xml import invoice_xml
from billing.gateway import Intent
from billing.models import (
    Chargeback,
    ChargebackState,
    Invoice,
    Payment,
    RefundReason,
    Series,
    Subscription,
    SubscriptionPayment,
)
from billing.services import payments, postings, printing, refunds
from billing.services.cards import Means
from billing.services.invoice_checks import findings
from billing.services.invoices import (
    document_of,
    issue_chargeback_note,
    issue_credit_note,
    issue_invoice,
    issue_self_billing,
    issue_subscription_credit_note,
    issue_subscription_invoice,
    issue_subscription_reinstatement,
)
from bookings.models import Charge
from bookings.services.cancel import cancel_lapsed_hold
from bookings.services.extend import request_extension
from common import files
from common.money import minor_unit, shared_out, to_minor
from tests.earning import make_payout
from tests.papers import broken_rules, paper
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
from tests.racing import at_once

pytestmark = pytest.mark.django_db

AUSTRIAN = {"vat_id": "ATU13585627", "country": "AT", "name": "Akademie", "city": "Wien", "postal_code": "1090"}


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    """A storage of its own: invoices of other tests have the same numbers."""
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "default": local}
    return tmp_path


def invoice_of(booking) -> Invoice:
    return Invoice.objects.get(booking=booking, series=Series.INVOICE)


def give_back(payment: Payment, amount: str | Decimal, now, reason=RefundReason.GOODWILL) -> Invoice | None:
    with transaction.atomic():
        refund = refunds.request_refund(payment=payment, amount=Decimal(amount), reason=reason, by=None, now=now)
    return Invoice.objects.filter(refund=refund).first()


def is_faultless(document: InvoiceDocument) -> bool:
    """Its figures agree, and its XML keeps the rules of EN 16931."""
    check(document)
    assert broken_rules(invoice_xml(document)) == []
    return True


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


# What corrects it ----------------------------------------------------------------------------------------------


def test_a_refund_that_is_owed_has_a_credit_note(paid, now):
    payment = paid.payments.get()
    note = give_back(payment, "3.33", now, RefundReason.TIME_LOST)
    document, original = document_of(note), document_of(invoice_of(paid))
    assert note.number == f"CN-{now.year}-000001"
    assert note.corrects == invoice_of(paid)
    assert (document.corrects_number, document.corrects_on) == (original.number, original.issued_on)
    assert (document.gross, document.net + document.tax) == (Decimal("3.33"), Decimal("3.33"))
    assert document.lines[0].description == "Time lost: late or down"
    assert document.notes == ("It goes back to Visa 4242.",)
    assert document.buyer == original.buyer
    assert document.paid == 0
    assert is_faultless(document)


def test_asking_for_the_same_credit_note_again_gives_the_first(paid, now):
    note = give_back(paid.payments.get(), "1.00", now)
    assert issue_credit_note(refund=note.refund, now=now + DAY) == note
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == 1


def test_the_last_credit_note_takes_what_is_left_to_the_cent(paid, now):
    payment, invoice = paid.payments.get(), invoice_of(paid)
    for amount in ("0.01", "0.02", "1.11", "2.22"):
        give_back(payment, amount, now)
    give_back(payment, payment.refundable, now)
    notes = [document_of(note) for note in invoice.corrections.all()]
    for name in ("net", "tax", "gross"):
        assert sum(getattr(note, name) for note in notes) == getattr(invoice, name)
    assert list(findings()) == []


def test_a_refund_that_failed_and_is_asked_for_again_is_credited_once(paid, administrator, now):
    note = give_back(paid.payments.get(), "2.00", now)
    refunds.give_up(refund_id=note.refund_id, why="The card is gone.", now=now)
    again = refunds.ask_again(refund=note.refund, by=administrator, now=now)
    assert not Invoice.objects.filter(refund=again).exists()
    assert Invoice.objects.filter(series=Series.CREDIT_NOTE).count() == 1
    assert list(findings()) == []


def test_what_was_paid_too_late_has_neither_invoice_nor_credit_note(listing, buyer, now):
    held = make_hold(listing, buyer, start=now + 2 * DAY, asked=now - HOUR)
    mark_paid_late(held, now=now)
    assert Payment.objects.get(booking=held).refunds.count() == 1
    assert not Invoice.objects.exists()
    assert list(findings()) == []


def mark_paid_late(held, *, now) -> None:
    """Begun while it was held, and taken by the processor after it had lapsed."""
    payment = payments.begin(
        charge_id=held.charges.get().pk,
        payer=held.buyer,
        means=Means("cus_nobody", "pm_nobody", "Visa 4242"),
        now=held.created_at,
    )
    cancel_lapsed_hold(booking_id=held.pk, now=now)
    amount = to_minor(payment.amount_total, payment.currency)
    payments.apply(Intent("pi_late", "succeeded", amount, payment.currency, "", str(payment.pk), ""), now=now)


def test_what_a_bank_took_for_good_is_credited_and_no_more_than_was_left(paid, now):
    payment = paid.payments.get()
    give_back(payment, "3.00", now)
    lost = Chargeback.objects.create(
        payment=payment, stripe_dispute="dp_1", amount=payment.amount_total, currency="EUR",
        state=ChargebackState.LOST, stripe_status="lost", opened_at=now,
    )  # fmt: skip
    postings.chargeback_moved(lost, now=now)
    note = issue_chargeback_note(chargeback=lost, now=now)
    assert note.gross == payment.amount_total - 3
    assert issue_chargeback_note(chargeback=lost, now=now) == note
    assert document_of(note).lines[0].description == "Taken back by the cardholder's bank"
    assert is_faultless(document_of(note))
    assert list(findings()) == []


CURRENCIES = st.sampled_from(["EUR", "USD", "GBP", "JPY"])


@given(
    units=st.integers(50, 10**7),
    currency=CURRENCIES,
    tax=st.sampled_from([("standard", "0.19"), ("standard", "0.255"), ("standard", "0.07"), ("reverse_charge", "0")]),
    shares=st.lists(st.integers(0, 100), max_size=6),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_credit_notes_never_exceed_their_invoice(buyer, now, units, currency, tax, shares):
    """Through what is refunded of a plan: each step credits the difference, whatever the steps."""
    kind, rate = tax[0], Decimal(tax[1])
    amount = units * minor_unit(currency)
    if not BillingDetails.objects.filter(user=buyer).exists():
        make_billing_details(buyer, **AUSTRIAN)
    with transaction.atomic():
        plan, _ = Subscription.objects.get_or_create(user=buyer)
        paid = SubscriptionPayment.objects.create(
            subscription=plan, stripe_invoice="in_1", amount=amount, currency=currency, tier="individual",
            tax_kind=kind, tax_rate=rate, period_start=now, period_end=now + 30 * DAY, paid_at=now,
        )  # fmt: skip
        invoice = issue_subscription_invoice(subscription_payment=paid, now=now)
        check(document_of(invoice))
        for share in [*sorted(shares), 100]:
            paid.refunded = shared_out(amount, [Decimal(share), Decimal(100 - share)], currency)[0]
            paid.refunded = max(paid.refunded, Decimal(0))
            paid.save(update_fields=["refunded"])
            issue_subscription_credit_note(subscription_payment=paid, now=now)
            notes = [document_of(note) for note in invoice.corrections.all()]
            for note in notes:
                check(note)
                assert note.gross > 0
                assert note.net >= 0
                assert note.tax >= 0
            for name in ("net", "tax", "gross"):
                assert sum(getattr(note, name) for note in notes) <= getattr(invoice, name)
            assert sum(note.gross for note in notes) == paid.refunded
        for name in ("net", "tax", "gross"):
            assert sum(getattr(note, name) for note in notes) == getattr(invoice, name)
        assert issue_subscription_credit_note(subscription_payment=paid, now=now) is None
        transaction.set_rollback(True)


def test_a_refund_of_a_plan_that_fails_later_is_invoiced_again(buyer, now):
    paid = SubscriptionPayment.objects.create(
        subscription=Subscription.objects.create(user=buyer), stripe_invoice="in_1", amount=Decimal("119.00"),
        currency="EUR", tier="individual", tax_kind="standard", tax_rate=Decimal("0.19"), period_start=now,
        period_end=now + 30 * DAY, paid_at=now,
    )  # fmt: skip
    with transaction.atomic():
        postings.subscription_moved(paid, now=now)
        first = issue_subscription_invoice(subscription_payment=paid, now=now)
    for refunded in (40, 119, 30, 50):
        with transaction.atomic():
            paid.refunded = Decimal(refunded)
            paid.save(update_fields=["refunded"])
            postings.subscription_moved(paid, now=now)
            issue_subscription_credit_note(subscription_payment=paid, now=now)
            issue_subscription_reinstatement(subscription_payment=paid, now=now)
        assert list(findings()) == []
    documents = Invoice.objects.exclude(pk=first.pk).order_by("pk")
    assert [(row.series, row.gross) for row in documents] == [
        ("CN", 40),
        ("CN", 79),
        ("SUB", 79),
        ("SUB", 10),
        ("CN", 20),
    ]
    for row in documents:
        assert is_faultless(document_of(row))


@given(
    units=st.integers(0, 10**9),
    currency=CURRENCIES,
    weights=st.lists(st.decimals(0, 10**6, places=2), min_size=1, max_size=12).filter(any),
)
def test_shares_add_up_and_each_is_less_than_a_unit_off(units, currency, weights):
    unit = minor_unit(currency)
    total = units * unit
    parts = shared_out(total, weights, currency)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= unit
        assert weight or not part


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


# Kept as it was ------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
AMOUNTS = st.decimals(-(10**9), 10**9, places=2)
PARTIES = st.builds(Party, **dict.fromkeys(Party.__dataclass_fields__, WORDS))
LINES = st.builds(DocumentLine, description=WORDS, quantity=AMOUNTS, unit=WORDS, net=AMOUNTS, detail=WORDS)
DOCUMENTS = st.builds(
    InvoiceDocument,
    kind=WORDS,
    number=WORDS,
    issued_on=st.dates(),
    currency=CURRENCIES,
    seller=PARTIES,
    buyer=PARTIES,
    lines=st.lists(LINES, max_size=4).map(tuple),
    net=AMOUNTS,
    tax=AMOUNTS,
    gross=AMOUNTS,
    tax_kind=WORDS,
    tax_rate=AMOUNTS,
    supplied_from=st.none() | st.dates(),
    corrects_on=st.none() | st.dates(),
    notes=st.lists(WORDS, max_size=3).map(tuple),
)


@given(DOCUMENTS)
def test_a_document_comes_back_as_it_went(document):
    assert from_json(InvoiceDocument, to_json(document)) == document
    assert to_json(from_json(InvoiceDocument, to_json(document))) == to_json(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.pop("net"), "lacks net"),
        (lambda content: content.update(discount="1.00"), "has discount, which is not known"),
        (lambda content: content.update(net="a lot"), "net is “a lot”, which is no decimal"),
        (lambda content: content.update(net="NaN"), "net is “NaN”"),
        (lambda content: content.update(net=1.5), "net is not a string"),
        (lambda content: content.update(issued_on="21.11.2026"), "issued_on is “21.11.2026”, which is no date"),
        (lambda content: content.update(lines="none"), "lines is not a list"),
        (lambda content: content["lines"][0].pop("unit"), "lines[0] lacks unit"),
        (lambda content: content.update(seller=None), "seller is not an object"),
        (lambda content: content["buyer"].update(name=None), "buyer.name is not a string"),
    ],
)
def test_what_is_no_document_is_not_read_as_one(change, said):
    content = to_json(paper())
    change(content)
    with pytest.raises(NotADocument, match=said.replace("[", r"\[").replace("]", r"\]")):
        from_json(InvoiceDocument, content)


def test_what_came_to_documents_later_takes_its_default():
    content = to_json(paper())
    del content["notes"], content["iban"]
    assert from_json(InvoiceDocument, content) == replace(paper(), notes=(), iban="")


def test_what_changes_later_changes_no_invoice(listing, buyer, now, client, settings):
    details = make_billing_details(buyer, vat_id="DE136695976", name="Before")
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    invoice = invoice_of(booking)
    file = printing.pdf_of(invoice)
    details.name, settings.MARKETPLACE_SELLER_NAME = "After", "Another seller"
    details.save()
    booking.machine.gpu_count = 1
    booking.machine.save()
    client.force_login(buyer)
    page = client.get(f"/billing/invoices/{invoice.pk}/").text
    assert "Before" in page
    assert "After" not in page
    assert "8 × H100 SXM" in page
    assert "Another seller" not in page
    note = give_back(booking.payments.get(), "1.00", now)
    assert document_of(note).buyer.name == "Before"
    assert invoice_pdf(document_of(invoice)) == file


# Printed -------------------------------------------------------------------------------------------------------


def test_the_sweep_prints_what_was_issued_once(paid, now):
    assert printing.print_invoices(now=now) == 1
    invoice = invoice_of(paid)
    assert invoice.pdf == f"invoices/{now.year}/{invoice.number}.pdf"
    stored = files.read(invoice.pdf)
    assert stored.startswith(b"%PDF")
    assert hashlib.sha256(stored).hexdigest() == invoice.pdf_sha256
    assert printing.print_invoices(now=now) == 0


@pytest.mark.django_db(transaction=True)
def test_printing_at_once_stores_one_file(listing, buyer, now, media):
    invoice = invoice_of(make_paid(listing, buyer, start=now + 2 * DAY, asked=now))
    one, *others = at_once([lambda: printing.print_invoice(invoice=Invoice.objects.get(pk=invoice.pk))] * 4)
    assert [other == one for other in others] == [True] * 3
    assert len(list(media.rglob(f"{invoice.number}*.pdf"))) == 1


def test_opening_it_before_the_sweep_prints_it(paid, buyer, client):
    client.force_login(buyer)
    invoice = invoice_of(paid)
    answer = client.get(f"/billing/invoices/{invoice.pk}/pdf/")
    assert answer["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert answer.content == files.read(invoice_of(paid).pdf)


def test_with_the_storage_away_it_can_still_be_read(paid, now, media):
    invoice = invoice_of(paid)
    folder = media / "invoices" / str(now.year)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where the folder should be")
    try:
        assert printing.print_invoices(now=now) == 0
        unprinted = printing.pdf_of(invoice)
    finally:
        folder.unlink()
    assert invoice_of(paid).pdf == ""
    assert printing.pdf_of(invoice) == unprinted
    printed = invoice_of(paid)
    (media / printed.pdf).unlink()
    assert printing.pdf_of(printed) == unprinted


def test_a_file_that_was_changed_is_not_handed_out(paid, buyer, client, media):
    printing.print_invoice(invoice=invoice_of(paid))
    invoice = invoice_of(paid)
    (media / invoice.pdf).write_bytes(b"%PDF of somebody else")
    with pytest.raises(files.FileMissing):
        printing.pdf_of(invoice)
    client.force_login(buyer)
    answer = client.get(f"/billing/invoices/{invoice.pk}/pdf/", follow=True)
    assert "cannot be had at the moment" in answer.text


def test_one_that_cannot_be_set_holds_up_no_other(paid, listing, other_buyer, now, settings):
    settings.MARKETPLACE_SELLER_VAT_ID = ""  # nobody may show VAT without one
    faulty = invoice_of(make_paid(listing, other_buyer, start=now + 5 * DAY, asked=now))
    assert printing.print_invoices(now=now) == 1
    assert invoice_of(paid).pdf
    assert f"{faulty.number}: Document {faulty.number}: It charges VAT, but its seller has" in "\n".join(findings())


# Proved --------------------------------------------------------------------------------------------------------


def test_the_command_proves_the_invoices(paid, now):
    give_back(paid.payments.get(), "2.00", now)
    out = io.StringIO()
    call_command("check_invoices", stdout=out)
    assert "2 documents checked, 0 findings." in out.getvalue()


def test_the_command_fails_on_a_payment_without_its_invoice(paid, now):
    other = Payment.objects.get(booking=paid)
    other.pk, other.stripe_payment_intent, other.invoice_number = None, "pi_other", None
    other.save(force_insert=True)
    postings.payment_received(other, now=now)
    postings.charge_earned(other, now=now)
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("check_invoices", stdout=out)
    assert f"Payment {other.pk} was earned and has no invoice." in out.getvalue()
