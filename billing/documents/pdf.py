"""Invoices and statements on paper: archival (PDF/A-3a), tagged (PDF/UA-1), the same bytes for the same facts.

Typst sets them from ``templates/typst/invoice.typ`` and ``statement.typ`` (:mod:`common.typesetting` says how) and
attaches the XML of an invoice. What Factur-X wants in the metadata besides, Typst cannot write: it is added after it,
in an incremental update, which leaves every byte that Typst wrote as it is.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any

import typst
from babel import Locale
from babel.numbers import format_currency, format_decimal
from pypdf import PdfReader
from pypdf.generic import IndirectObject, StreamObject

from billing.documents.facts import InvoiceDocument, Party, StatementDocument, StatementLine, StatementTotal
from billing.documents.figures import (
    CREDITS,
    SELF_BILLED,
    UNITS,
    check,
    due,
    is_reverse_charge,
    is_vat_id,
    tax_category,
    unit_price,
)
from billing.documents.xml import invoice_xml
from common.languages import in_english
from common.money import minor_unit
from common.typesetting import shown, typeset_pdf, typeset_png

INVOICE, STATEMENT = "invoice", "statement"
STANDARDS: list[typst.PDFStandard] = ["a-3a", "ua-1"]
TITLES = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "self_billing": "Self-billing invoice",
    "self_billing_credit": "Self-billing credit note",
}
#: When nothing of it is left to be paid; and what is left, where something is.
DONE = {
    "invoice": "Paid",
    "credit_note": "Refunded",
    "self_billing": "Paid out",
    "self_billing_credit": "Settled",
}
LEFT = {
    "invoice": "To be paid",
    "credit_note": "To be refunded",
    "self_billing": "To be paid out",
    "self_billing_credit": "To be settled",
}
ENGLISH = Locale("en")
MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"


@in_english()
def invoice_pdf(document: InvoiceDocument) -> bytes:
    """The document to be read, with its XML in it (Factur-X 1.0, profile EN 16931).

    Raises:
        FaultyDocument: its figures do not agree, or it lacks what the law wants.
    """
    xml = invoice_xml(document).decode()
    made = typeset_pdf(
        INVOICE, _invoice(document), at=_midnight(document.issued_on), standards=STANDARDS, files={"xml": xml}
    )
    return _marked_as_factur_x(made)


@in_english()
def invoice_png(document: InvoiceDocument, ppi: float = 110) -> list[bytes]:
    """The document's pages as pictures, to look at."""
    check(document)
    return typeset_png(INVOICE, _invoice(document), at=_midnight(document.issued_on), ppi=ppi, files={"xml": ""})


@in_english()
def statement_pdf(document: StatementDocument) -> bytes:
    """A month of an account as a PDF."""
    return typeset_pdf(STATEMENT, _statement(document), at=_midnight(document.month), standards=STANDARDS)


@in_english()
def statement_png(document: StatementDocument, ppi: float = 110) -> list[bytes]:
    """A statement's pages as pictures, to look at."""
    return typeset_png(STATEMENT, _statement(document), at=_midnight(document.month), ppi=ppi)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


# What Factur-X wants in the metadata ----------------------------------------------------------------------------

FACTUR_X = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
PROPERTIES = {
    "DocumentFileName": ("factur-x.xml", "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document in capital letters"),
    "Version": ("1.0", "The version of the standard that applies to the embedded XML document"),
    "ConformanceLevel": ("EN 16931", "The conformance level of the embedded XML document"),
}
VALUES = f'<rdf:Description rdf:about="" xmlns:fx="{FACTUR_X}">{{}}</rdf:Description>'.format(
    "".join(f"<fx:{name}>{value}</fx:{name}>" for name, (value, _) in PROPERTIES.items())
)
#: PDF/A wants every property that is not its own described (ISO 19005-3, 6.6.2.3).
DESCRIPTION = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
    f"<pdfaSchema:namespaceURI>{FACTUR_X}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>{}</rdf:Seq></pdfaSchema:property></rdf:li>"
).format(
    "".join(
        f'<rdf:li rdf:parseType="Resource"><pdfaProperty:name>{name}</pdfaProperty:name>'
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{words}</pdfaProperty:description></rdf:li>"
        for name, (_, words) in PROPERTIES.items()
    )
)


#: The end of what Typst writes: its trailer and where its table of objects begins.
END = re.compile(rb"trailer\s*<<(?P<trailer>.+)>>\s*startxref\s+(?P<table>[0-9]+)\s+%%EOF\s*", re.DOTALL)


def _marked_as_factur_x(pdf: bytes) -> bytes:
    """The same file, whose metadata says that it carries an invoice for machines (ISO 32000-1, 7.5.6).

    Raises:
        ValueError: Typst writes its files otherwise than this expects.
    """
    end = END.fullmatch(pdf, pdf.rfind(b"trailer"))
    found = PdfReader(BytesIO(pdf)).root_object.raw_get("/Metadata")
    metadata = found.get_object()
    if end is None or not isinstance(found, IndirectObject) or not isinstance(metadata, StreamObject):
        raise ValueError("The PDF must end with a trailer and have its metadata in an object of its own")
    packet = metadata.get_data().decode()
    for before, added in (("</rdf:Bag></pdfaExtension:schemas>", DESCRIPTION), ("</rdf:RDF>", VALUES)):
        if packet.count(before) != 1:
            raise ValueError(f"The metadata of a PDF must have “{before}” once")
        packet = packet.replace(before, added + before)
    content = packet.encode()
    head = b"\n%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n" % (found.idnum, len(content))
    changed = head + content + b"\nendstream\nendobj\n"
    return b"".join(
        (
            pdf,
            changed,
            b"xref\n%d 1\n%010d 00000 n\r\n" % (found.idnum, len(pdf) + 1),
            b"trailer\n<<%s/Prev %s>>\n" % (end["trailer"], end["table"]),
            b"startxref\n%d\n%%%%EOF\n" % (len(pdf) + len(changed)),
        )
    )


# What the templates are given ------------------------------------------------------------------------------------


def _invoice(document: InvoiceDocument) -> dict[str, Any]:
    self_billed = document.kind in SELF_BILLED
    issuer, recipient = (document.buyer, document.seller) if self_billed else (document.seller, document.buyer)
    currency = document.currency
    return {
        "kind": document.kind,
        "title": TITLES[document.kind],
        "number": shown(document.number),
        "date": [document.issued_on.year, document.issued_on.month, document.issued_on.day],
        "currency": currency,
        "issuer": _party(issuer),
        "recipient": _address(recipient, home=issuer.country),
        "facts": _facts(document),
        "roles": [_role("Supplier", document.seller), _role("Customer", document.buyer)] if self_billed else [],
        "corrects": _corrects(document),
        "band": _band(document),
        "lines": _lines(document),
        "totals": _totals(document),
        "done": DONE[document.kind] if document.paid and not due(document) else "",
        "settled": _settled(document),
        "tax_words": tax_category(document).reason,
        "self_billing_words": (
            f"Self-billing: {shown(issuer.name)} issues this document in the name and on behalf of "
            f"{shown(recipient.name)}, Art. 224 of Directive 2006/112/EC."
            if self_billed
            else ""
        ),
        "notes": [words for words in map(shown, document.notes) if words],
    }


def _facts(document: InvoiceDocument) -> list[tuple[str, str]]:
    """What is looked for on an invoice, at its head; only what there is."""
    pairs = [
        ("Number", document.number),
        ("Date", _day(document.issued_on)),
        ("Booking", document.booking_reference),
        ("Your order", document.purchase_order),
        ("Cost centre", document.cost_centre),
    ]
    if document.kind in SELF_BILLED:
        pairs.append(("Your number", document.seller.reference))
    else:
        pairs += [("Your reference", document.buyer.reference), _your_tax_id(document.buyer)]
    return [(label, shown(words)) for label, words in pairs if shown(words)]


def _your_tax_id(party: Party) -> tuple[str, str]:
    return "Your VAT id" if is_vat_id(party.vat_id) else "Your tax id", party.vat_id


def _corrects(document: InvoiceDocument) -> str:
    if not document.corrects_on:
        return ""
    corrected = "self-billing " if document.kind in SELF_BILLED else ""
    corrected += "invoice" if document.kind in CREDITS else "credit note"
    return f"Corrects {corrected} {shown(document.corrects_number)} of {_day(document.corrects_on)}."


def _band(document: InvoiceDocument) -> list[tuple[str, str]]:
    """The two or three things that most readers want to know."""
    left = due(document)
    currency = document.currency
    band = [("Total credited" if document.kind in CREDITS else "Total", _money(document.gross, currency))]
    if left or document.paid:
        band.append((LEFT[document.kind], _money(left, currency) if left else "Nothing"))
    supplied = _period(document.supplied_from, document.supplied_until)
    if supplied:
        band.append(("For the time", supplied))
    return band


def _lines(document: InvoiceDocument) -> list[dict[str, Any]]:
    """The lines, with figures in two parts so that they align at the decimal point."""
    priced = [(line, *unit_price(line, document.currency)) for line in document.lines]
    least = _places(minor_unit(document.currency))
    return [
        {
            "what": shown(line.description) or "–",
            "detail": shown(line.detail),
            "quantity": _figure(quantity),
            "unit": UNITS[line.unit][1 if abs(quantity) == 1 else 2],
            "price": _figure(price, least),
            "net": _amount(line.net, document.currency),
        }
        for line, quantity, price in priced
    ]


def _totals(document: InvoiceDocument) -> list[tuple[str, str, str]]:
    """Label, amount and how much it weighs."""
    currency = document.currency
    rows = [
        ("Net", _money(document.net, currency), ""),
        (_vat(document), _money(document.tax, currency), ""),
        ("Total credited" if document.kind in CREDITS else "Total", _money(document.gross, currency), "total"),
    ]
    if document.paid:
        rows.append((DONE[document.kind], _money(-document.paid, currency), ""))
    if document.paid or document.kind in SELF_BILLED:
        rows.append((LEFT[document.kind], _money(due(document), currency), "left"))
    return rows


def _vat(document: InvoiceDocument) -> str:
    rate = tax_category(document).rate
    if rate:
        return f"VAT {_percent(rate)}"
    if is_reverse_charge(document):
        return "VAT (reverse charge)"
    return "VAT (outside the EU)" if document.tax_kind == "outside_eu" else "VAT"


def _settled(document: InvoiceDocument) -> str:
    """How it was paid, or will be."""
    how = shown(document.paid_to if document.kind in SELF_BILLED else document.paid_by)
    return how or shown(document.paid_by) or shown(document.paid_to)


def _party(party: Party) -> dict[str, Any]:
    return {
        "name": shown(party.name),
        "address": _address(party, home="")[1:],
        "email": shown(party.email),
        "ids": [words for words in map(shown, _ids(party)) if words],
    }


def _ids(party: Party) -> list[str]:
    return [
        f"{'VAT' if is_vat_id(party.vat_id) else 'Tax'} id {party.vat_id}" if party.vat_id else "",
        f"Tax number {party.tax_number}" if party.tax_number else "",
        party.registration,
    ]


def _role(label: str, party: Party) -> dict[str, Any]:
    return {"label": label, **_party(party)}


def _address(party: Party, home: str) -> list[str]:
    """A party as it stands in the window of an envelope; its country where that is not ``home``."""
    place = " ".join(part for part in (shown(party.postal_code), shown(party.city)) if part)
    country = "" if party.country == home else str(ENGLISH.territories.get(party.country, party.country))
    return [words for words in (shown(party.name), shown(party.contact), shown(party.street), place, country) if words]


def _statement(document: StatementDocument) -> dict[str, Any]:
    month = f"{ENGLISH.months['format']['wide'][document.month.month]} {document.month.year}"
    return {
        "title": "Statement",
        "number": shown(document.number),
        "month": month,
        "date": [document.month.year, document.month.month, document.month.day],
        "issuer": _party(document.seller),
        "recipient": _address(document.buyer, home=document.seller.country),
        "facts": [
            (label, shown(words))
            for label, words in (
                ("Number", document.number),
                ("Month", month),
                ("Your reference", document.buyer.reference),
                _your_tax_id(document.buyer),
            )
            if shown(words)
        ],
        "band": [(total.currency, _money(total.amount, total.currency)) for total in document.totals],
        "totals": [_currency_table(total) for total in document.totals],
    }


def _currency_table(total: StatementTotal) -> dict[str, Any]:
    return {
        "currency": total.currency,
        "lines": [_statement_line(line, total.currency) for line in total.lines],
        "net": _amount(total.net, total.currency),
        "tax": _amount(total.tax, total.currency),
        "amount": _money(total.amount, total.currency),
    }


def _statement_line(line: StatementLine, currency: str) -> dict[str, str]:
    return {
        "on": f"{line.on.day}{NBSP}{ENGLISH.months['format']['abbreviated'][line.on.month]}",
        "what": shown(line.what) or "–",
        "document": shown(line.document),
        "reference": shown(line.reference),
        "purchase_order": shown(line.purchase_order),
        "cost_centre": shown(line.cost_centre),
        "net": _amount(line.net, currency),
        "tax": _amount(line.tax, currency),
        "amount": _amount(line.amount, currency),
    }


# How figures are written: in English, whoever asks for the paper ----------------------------------------------------


def _money(amount: Decimal, currency: str) -> str:
    return str(format_currency(amount, currency, locale=ENGLISH)).replace("-", MINUS)


def _amount(amount: Decimal, currency: str) -> str:
    """An amount in a column whose head names the currency."""
    return _grouped(amount, _places(minor_unit(currency)))


def _figure(number: Decimal, least: int = 0) -> tuple[str, str]:
    """A number before and from its decimal point, without zeros at its end beyond ``least`` decimals."""
    places = max(least, _places(number.normalize()))
    whole, _, part = _grouped(number, places).partition(".")
    return whole, f".{part}" if part else ""


def _grouped(number: Decimal, places: int) -> str:
    pattern = "#,##0" + ("." + "0" * places if places else "")
    return str(format_decimal(number, format=pattern, locale=ENGLISH)).replace("-", MINUS)


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _percent(rate: Decimal) -> str:
    whole, part = _figure(rate)
    return f"{whole}{part}{NBSP}%"


def _day(day: date) -> str:
    return f"{day.day}{NBSP}{ENGLISH.months['format']['wide'][day.month]}{NBSP}{day.year}"


def _period(first: date | None, last: date | None) -> str:
    if first and last and first != last:
        if first.year == last.year:
            month = ENGLISH.months["format"]["abbreviated"][first.month]
            start = f"{first.day}{NBSP}{month}" if first.month != last.month else f"{first.day}"
        else:
            start = _short(first)
        return f"{start} – {_short(last)}"
    only = first or last
    return _short(only) if only else ""


def _short(day: date) -> str:
    return f"{day.day}{NBSP}{ENGLISH.months['format']['abbreviated'][day.month]}{NBSP}{day.year}"
