"""Documents stay as they were issued: in their rows, in the storage, and by the command that proves them."""

import hashlib
import io
from dataclasses import replace

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from billing.documents.facts import DocumentLine, InvoiceDocument, Party
from billing.documents.pdf import invoice_pdf
from billing.documents.stored import NotADocument, from_json, to_json
from billing.models import Invoice, Payment
from billing.services import postings, printing
from billing.services.invoice_checks import findings
from billing.services.issuing import document_of
from common import files
from tests.invoicing import give_back, invoice_of
from tests.papers import CURRENCIES, paper
from tests.people import DAY, make_billing_details, make_paid
from tests.racing import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


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
    currency=st.sampled_from(CURRENCIES),
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
def test_printing_at_once_stores_one_file(listing, buyer, now, stored):
    invoice = invoice_of(make_paid(listing, buyer, start=now + 2 * DAY, asked=now))
    one, *others = at_once([lambda: printing.print_invoice(invoice=Invoice.objects.get(pk=invoice.pk))] * 4)
    assert [other == one for other in others] == [True] * 3
    assert len(list(stored.rglob(f"{invoice.number}*.pdf"))) == 1


def test_opening_it_before_the_sweep_prints_it(paid, buyer, client):
    client.force_login(buyer)
    invoice = invoice_of(paid)
    answer = client.get(f"/billing/invoices/{invoice.pk}/pdf/")
    assert answer["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert answer.content == files.read(invoice_of(paid).pdf)


def test_with_the_storage_away_it_can_still_be_read(paid, now, stored):
    invoice = invoice_of(paid)
    folder = stored / "invoices" / str(now.year)
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
    (stored / printed.pdf).unlink()
    assert printing.pdf_of(printed) == unprinted


def test_a_file_that_was_changed_is_not_handed_out(paid, buyer, client, stored):
    printing.print_invoice(invoice=invoice_of(paid))
    invoice = invoice_of(paid)
    (stored / invoice.pdf).write_bytes(b"%PDF of somebody else")
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
