"""Invoices and statements on paper: what they say, that they can be kept for ever, and that words stay words."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from facturx import get_facturx_xml_from_pdf
from lxml import etree
from pypdf import PdfReader

from billing.documents import pdf as documents
from billing.documents.facts import DocumentLine, StatementDocument
from billing.documents.figures import FaultyDocument
from billing.documents.pdf import invoice_pdf, invoice_png, statement_pdf, statement_png
from billing.documents.xml import invoice_xml
from common import typesetting
from tests import papers
from tests.papers import CURRENCIES, KINDS, TAXES, paper, statement

REVERSE_CHARGE = "Reverse charge: VAT to be accounted for by the recipient, Art. 196 of Directive 2006/112/EC."
OUTSIDE_EU = "Not subject to VAT in the EU: the service is supplied where the customer is established"
NOT_REGISTERED = "No VAT is charged: the supplier is not registered for VAT."
WORDS = {"reverse_charge": REVERSE_CHARGE, "outside_eu": OUTSIDE_EU, "none": NOT_REGISTERED}
TITLES = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "self_billing": "Self-billing invoice",
    "self_billing_credit": "Self-billing credit note",
}
SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


def read(pdf: bytes) -> PdfReader:
    assert pdf.startswith(b"%PDF-")
    return PdfReader(BytesIO(pdf), strict=True)


def plain(text: str) -> str:
    """The text as somebody copies it, in one line without the invisible places where words may break."""
    return " ".join(text.replace("\N{ZERO WIDTH SPACE}", "").split())


def text_of(pdf: bytes) -> str:
    return plain("\n".join(page.extract_text() for page in read(pdf).pages))


def money(amount: Decimal, currency: str) -> str:
    return f"{SIGNS[currency]}{amount:,.{0 if currency == 'JPY' else 2}f}"


def figure(amount: Decimal) -> str:
    return f"{amount:,}".replace("-", "−")


# What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("tax", TAXES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_says_who_what_and_how_much(kind: str, tax: str, currency: str) -> None:
    document = paper(kind, tax, currency)
    pdf = invoice_pdf(document)
    assert len(read(pdf).pages) == 1
    text = text_of(pdf)
    for fact in (
        f"{TITLES[kind]} {document.number}",
        "6 December 2026",
        "18 Nov – 5 Dec 2026",
        "1a2b3c4d",
        document.seller.name,
        document.seller.street,
        document.seller.city,
        document.buyer.name,
        document.buyer.street,
        document.buyer.vat_id,
        document.seller.vat_id,
        *(line.description for line in document.lines),
        *(line.detail for line in document.lines),
        *(figure(line.net) for line in document.lines),
        f"Net, {currency}",
        money(document.net, currency),
        money(document.tax, currency),
        money(document.gross, currency),
        document.purchase_order,
        document.cost_centre,
        document.paid_by,
        document.paid_to,
    ):
        assert fact in text
    # What somebody outside the EU supplies to the platform is supplied in the EU: the platform accounts for the VAT.
    why = "reverse_charge" if tax == "outside_eu" and kind.startswith("self_billing") else tax
    for kind_of_tax, words in WORDS.items():
        assert (words in text) == (kind_of_tax == why)
    assert ("VAT (reverse charge)" in text) == (why == "reverse_charge")
    assert ("VAT 19 %" in text) == (tax == "standard")


def test_what_is_paid_is_marked() -> None:
    text = text_of(invoice_pdf(paper()))
    assert "Paid Visa ending in 4242 on 6 December 2026" in text
    assert "To be paid Nothing" in text
    assert "To be paid €0.00" in text
    unpaid = text_of(invoice_pdf(paper(paid=Decimal(0), paid_by="")))
    assert re.search(r"\bPaid\b", unpaid) is None
    assert "To be paid €13,838.01" in unpaid
    part = text_of(invoice_pdf(paper(paid=Decimal("10000.00"))))
    assert "Paid −€10,000.00" in part
    assert "To be paid €3,838.01" in part


def test_a_credit_note_says_what_it_corrects() -> None:
    text = text_of(invoice_pdf(paper("credit_note")))
    assert "Corrects invoice INV-2026-000098 of 21 November 2026." in text
    assert "Refunded" in text
    text = text_of(invoice_pdf(paper("self_billing_credit")))
    assert "Corrects self-billing invoice SB-2026-000098 of 21 November 2026." in text


def test_a_self_billing_invoice_says_that_it_is_one_and_who_supplies_whom() -> None:
    text = text_of(invoice_pdf(paper("self_billing")))
    assert "Supplier Nordlicht Rechenzentrum GmbH Am Seedeich 45, 27572 Bremerhaven, Germany VAT id DE811220642" in text
    assert "Customer Remote Servers GmbH" in text
    assert "Self-billing: Remote Servers GmbH issues this document in the name and on behalf of Nordlicht" in text
    assert "Your number P-000412" in text
    assert "Supplier" not in text_of(invoice_pdf(paper()))


def test_who_pays_finds_their_own_references() -> None:
    text = text_of(invoice_pdf(paper()))
    for fact in (
        "Booking 1a2b3c4d",
        "Your order PO-4500017733",
        "Cost centre KST 2210-07",
        "Your reference AG Lube, Raum 2.103",
        "Your VAT id DE152336201",
    ):
        assert fact in text
    assert "Your tax id 12-3456789" in text_of(invoice_pdf(paper("invoice", "outside_eu")))


def test_the_country_is_named_where_it_is_another() -> None:
    assert "1090 Wien Austria" in text_of(invoice_pdf(paper("invoice", "reverse_charge")))
    assert "37083 Göttingen Germany" not in text_of(invoice_pdf(paper()))


def test_the_seller_is_at_the_foot_of_every_page() -> None:
    pages = [plain(page.extract_text()) for page in read(invoice_pdf(paper(count=60))).pages]
    for number, page in enumerate(pages, start=1):
        assert "Remote Servers GmbH Spreeufer 12, 10179 Berlin, Germany VAT id DE136695976" in page
        assert "billing@remote-servers.example" in page
        assert f"Page {number} of {len(pages)}" in page


def test_many_lines_go_on_over_pages_under_the_same_heads() -> None:
    lines = tuple(DocumentLine(f"Line number {place}", Decimal(1), "hour", Decimal("2.00")) for place in range(1, 61))
    reader = read(invoice_pdf(paper(lines=lines)))
    pages = [plain(page.extract_text()) for page in reader.pages]
    assert len(pages) == 3
    for page in pages[1:]:
        assert "Invoice INV-2026-000123" in page
        assert "Line number" in page
    for page in pages[:-1]:
        assert "Unit price, net" in page
    everything = " ".join(pages)
    assert [int(found) for found in re.findall(r"Line number (\d+)", everything)] == list(range(1, 61))
    assert "€142.80" in pages[-1]


def test_prices_have_the_decimals_that_they_need() -> None:
    lines = (
        DocumentLine("a", Decimal("7.5"), "hour", Decimal("333.34")),
        DocumentLine("b", Decimal(1), "day", Decimal("2.00")),
    )
    text = text_of(invoice_pdf(paper(lines=lines)))
    assert "7.5 hours 44.445 333.34" in text
    assert "1 day 2.00 2.00" in text


def test_notes_are_shown() -> None:
    text = text_of(invoice_pdf(paper(notes=("Thank you for the fish.", "Second note."))))
    assert "Thank you for the fish." in text
    assert "Second note." in text


def test_whoever_reads_it_it_is_in_english() -> None:
    from django.utils import translation

    expected = invoice_pdf(paper())
    with translation.override("de"):
        assert invoice_pdf(paper()) == expected


def test_a_document_that_is_wrong_is_not_printed() -> None:
    with pytest.raises(FaultyDocument):
        invoice_pdf(paper(net=Decimal("1.00")))
    with pytest.raises(FaultyDocument):
        invoice_png(paper(net=Decimal("1.00")))


def test_the_same_document_is_the_same_bytes() -> None:
    assert invoice_pdf(paper(count=20)) == invoice_pdf(paper(count=20))
    assert statement_pdf(statement("EUR", "JPY")) == statement_pdf(statement("EUR", "JPY"))


def test_pages_can_be_looked_at() -> None:
    for pages, pdf in (
        (invoice_png(paper(count=60)), invoice_pdf(paper(count=60))),
        (statement_png(statement(count=60)), statement_pdf(statement(count=60))),
    ):
        assert len(pages) == len(read(pdf).pages)
        assert all(page.startswith(b"\x89PNG") for page in pages)


# The XML in it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_xml_is_in_it(kind: str) -> None:
    document = paper(kind)
    pdf = invoice_pdf(document)
    root = read(pdf).trailer["/Root"]
    (file,) = [one.get_object() for one in root["/AF"]]
    assert file["/F"] == file["/UF"] == "factur-x.xml"
    assert file["/AFRelationship"] == "/Alternative"
    content = file["/EF"]["/F"].get_object()
    assert content["/Subtype"] == "/text/xml"
    assert content["/Params"]["/ModDate"] == "D:20261206000000Z"
    assert content.get_data() == invoice_xml(document)
    assert root["/Names"]["/EmbeddedFiles"]["/Names"][0] == "factur-x.xml"


def test_another_program_finds_a_valid_invoice_in_it() -> None:
    document = paper("credit_note", "reverse_charge", "USD")
    name, xml = get_facturx_xml_from_pdf(invoice_pdf(document), check_xsd=True)
    assert name == "factur-x.xml"
    assert xml == invoice_xml(document)


def test_the_metadata_says_that_it_is_factur_x() -> None:
    packet = xmp(invoice_pdf(paper()))
    names = {"fx": documents.FACTUR_X}
    for name, expected in (
        ("DocumentFileName", "factur-x.xml"),
        ("DocumentType", "INVOICE"),
        ("Version", "1.0"),
        ("ConformanceLevel", "EN 16931"),
    ):
        assert [one.text for one in packet.iterfind(f".//fx:{name}", names)] == [expected]


def test_every_property_that_is_not_of_pdf_is_described_once() -> None:
    packet = xmp(invoice_pdf(paper()))
    names = {
        "ext": "http://www.aiim.org/pdfa/ns/extension/",
        "schema": "http://www.aiim.org/pdfa/ns/schema#",
        "property": "http://www.aiim.org/pdfa/ns/property#",
    }
    assert len(packet.findall(".//ext:schemas", names)) == 1
    described = [
        {one.text for one in schema.getparent().iterfind(".//property:name", names)}
        for schema in packet.iterfind(".//schema:namespaceURI", names)
        if schema.text == documents.FACTUR_X
    ]
    assert described == [{"DocumentFileName", "DocumentType", "Version", "ConformanceLevel"}]


def test_typsts_own_bytes_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = invoice_pdf(paper())
    monkeypatch.setattr(documents, "_marked_as_factur_x", lambda pdf: pdf)
    before = invoice_pdf(paper())
    assert whole.startswith(before)
    first, second = read(before), read(whole)
    assert first.trailer["/Info"] == second.trailer["/Info"]
    assert first.trailer["/ID"] == second.trailer["/ID"]
    assert len(first.pages) == len(second.pages)


@pytest.mark.parametrize("end", [b"", b"trailer\n<<>>\nstartxref\n0\n%%EOF\nand more"])
def test_a_file_that_ends_otherwise_is_refused(end: bytes) -> None:
    whole = invoice_pdf(paper())
    with pytest.raises(ValueError, match="must end with a trailer"):
        documents._marked_as_factur_x(whole + b"\n% more" + end)


def test_metadata_that_looks_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        documents._marked_as_factur_x(statement_pdf(statement()).replace(b"</rdf:RDF>", b"</rdf:ROF>"))


# Kept for ever (ISO 19005-3) -------------------------------------------------------------------------------------


def xmp(pdf: bytes) -> etree._Element:
    return etree.fromstring(read(pdf).trailer["/Root"]["/Metadata"].get_data())


def fonts_of(reader: PdfReader) -> list[Any]:
    found = {}
    for page in reader.pages:
        for name, font in page["/Resources"]["/Font"].items():
            found[name] = font.get_object()
    return [descendant.get_object() for font in found.values() for descendant in font["/DescendantFonts"]]


@pytest.mark.parametrize("made", ["invoice", "statement"])
def test_it_is_archival_and_accessible(made: str) -> None:
    pdf = invoice_pdf(paper(count=60)) if made == "invoice" else statement_pdf(statement(count=60))
    packet = etree.tostring(xmp(pdf)).decode()
    # Level A holds all that level B wants, and that it can be read aloud.
    assert "<pdfaid:part>3</pdfaid:part>" in packet
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in packet
    assert "<pdfuaid:part>1</pdfuaid:part>" in packet
    reader = read(pdf)
    root = reader.trailer["/Root"]
    (intent,) = [one.get_object() for one in root["/OutputIntents"]]
    assert intent["/S"] == "/GTS_PDFA1"
    assert intent["/DestOutputProfile"].get_object().get_data()[36:40] == b"acsp"
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]
    assert "/OpenAction" not in root
    assert "/JavaScript" not in root.get("/Names", {})
    assert "/ID" in reader.trailer
    assert not reader.is_encrypted
    fonts = fonts_of(reader)
    assert fonts
    for font in fonts:
        assert {"/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"])


def test_it_has_a_title_an_author_and_a_date() -> None:
    pdf = invoice_pdf(paper())
    metadata = read(pdf).metadata
    assert metadata is not None
    assert metadata.title == "Invoice INV-2026-000123"
    assert metadata.author == "Remote Servers GmbH"
    assert metadata.creation_date == datetime(2026, 12, 6, tzinfo=UTC)
    names = {"dc": "http://purl.org/dc/elements/1.1/", "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#"}
    assert xmp(pdf).findtext(".//dc:title//rdf:li", "", names) == metadata.title
    assert xmp(pdf).findtext(".//dc:creator//rdf:li", "", names) == metadata.author


# Words that would break it -----------------------------------------------------------------------------------------


HOSTILE = [
    '#eval("1 + 1") #read("/etc/passwd") *bold* _x_ $x^2$ @label <l>',
    '"}); #panic("x") // \\" \\u{41} #import "@preview/a:1.0.0"',
    "= Heading - item + item / term: x `raw` ~ --- ... [] {} \\",
    "<script>alert(1)</script> ]]> &amp; %s {0} </rdf:RDF>",
    "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
    "endobj trailer <</Root 1 0 R>> startxref 0 %%EOF",
]


def everywhere(words: str, kind: str = "invoice") -> Any:
    """A document in which every word that somebody could choose is this."""
    seller, buyer = papers.parties(kind, "standard")
    named = dict.fromkeys(("name", "street", "city", "postal_code", "contact", "reference", "email"), words)
    return paper(
        kind,
        number=words,
        seller=replace(seller, **named),
        buyer=replace(buyer, **named),
        lines=(DocumentLine(words, Decimal(1), "hour", Decimal("10.00"), words),),
        purchase_order=words,
        cost_centre=words,
        booking_reference=words,
        paid_by=words,
        paid_to=words,
        notes=(words,),
    )


@pytest.mark.parametrize("kind", ["invoice", "self_billing"])
@pytest.mark.parametrize("words", HOSTILE)
def test_words_come_out_letter_by_letter(words: str, kind: str) -> None:
    document = everywhere(words, kind)
    pdf = invoice_pdf(document)
    assert text_of(pdf).replace(" ", "").count(words.replace(" ", "")) >= 6
    _, xml = get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert xml == invoice_xml(document)


@pytest.mark.parametrize(
    "words",
    [
        "x" * 200,
        "深" * 120,
        "Ψ" * 200,
        "e\u0301" * 80,
        "🜚 👩‍🚀 ﷽",
        "שלום עולם",
        "\ue000\uf8ff",
        "\ud800\ufffe",
        "a\0b\x07\x1b[31m\x85",
        "one\ntwo\r\n\tthree",
        "W" * 60 + " " + "i" * 140,
    ],
)
def test_any_words_can_be_printed(words: str) -> None:
    for kind in ("invoice", "self_billing"):
        pdf = invoice_pdf(everywhere(f"A{words}", kind))
        assert 1 <= len(read(pdf).pages) <= 10


def test_a_line_longer_than_a_page_goes_on() -> None:
    line = DocumentLine("word " * 3000, Decimal(1), "hour", Decimal("10.00"))
    text = text_of(invoice_pdf(paper(lines=(line,))))
    assert text.count("word") == 3000


def test_words_cannot_turn_a_line_around_or_hide_in_it() -> None:
    buyer = replace(papers.UNIVERSITY, name="good\u202egnihtemos\u2066\u200b\0\ttext")
    assert "good gnihtemos text" in text_of(invoice_pdf(paper(buyer=buyer)))


def test_letters_without_a_font_are_written_as_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = typesetting._fonts(False)
    monkeypatch.setattr(typesetting, "_fonts", lambda system: embedded)
    document = paper(buyer=replace(papers.UNIVERSITY, name="深圳 Größe Ελλάς Київ"))
    pdf = invoice_pdf(document)
    text = text_of(pdf)
    assert "[U+6DF1][U+5733] Größe Ελλάς Київ" in text
    assert "written as their Unicode numbers" in text
    assert "−133.33" in text
    _, xml = get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert "深圳" in xml.decode()


# Statements --------------------------------------------------------------------------------------------------------


def test_a_statement_has_a_table_for_each_currency() -> None:
    document = statement("EUR", "USD", "GBP", "JPY")
    text = text_of(statement_pdf(document))
    assert "Statement ST-2026-11-000042" in text
    assert "November 2026" in text
    assert document.buyer.name in text
    assert "nothing is converted" in text
    for total in document.totals:
        for amount in (total.net, total.tax):
            assert figure(amount) in text
        assert money(total.amount, total.currency) in text
        for line in total.lines:
            under = f"{line.document} · booking {line.reference}"
            assert f"{line.on.day} Nov {line.what} {under}" in text
            assert f"{figure(line.net)} {figure(line.tax)} {figure(line.amount)}" in text
            assert line.purchase_order in text
            assert line.cost_centre in text


def test_a_long_statement_goes_on_under_the_same_heads() -> None:
    pages = [plain(page.extract_text()) for page in read(statement_pdf(statement(count=60))).pages]
    assert len(pages) == 4
    for number, page in enumerate(pages, start=1):
        assert "Order, cost centre" in page
        assert f"Page {number} of 4" in page
    documents_named = re.findall(r"(?:INV|CN)-2026-(\d+)", " ".join(pages))
    assert [int(found) for found in documents_named] == list(range(1, 61))


def test_a_month_without_anything_says_so() -> None:
    text = text_of(statement_pdf(statement(totals=())))
    assert "Nothing was charged and nothing given back." in text


@pytest.mark.parametrize("words", [*HOSTILE, "x" * 200, "深" * 100, "\ud800\0"])
def test_a_statement_prints_any_words(words: str) -> None:
    def changed(document: StatementDocument) -> StatementDocument:
        (total,) = document.totals
        line = replace(
            total.lines[0],
            what=words,
            document=words,
            reference=words,
            purchase_order=words,
            cost_centre=words,
            on=date(2026, 11, 30),
        )
        named = replace(document.buyer, name=f"A{words}", street=words, city=words, reference=words)
        return replace(document, number=f"A{words}", buyer=named, totals=(replace(total, lines=(line,)),))

    text = text_of(statement_pdf(changed(statement(count=1))))
    if words in HOSTILE:
        assert text.replace(" ", "").count(words.replace(" ", "")) >= 6
