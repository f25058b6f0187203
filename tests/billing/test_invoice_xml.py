"""The invoice for machines: valid against two schemas and every business rule, and its figures are the document's."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from billing.documents.facts import DocumentLine, InvoiceDocument
from billing.documents.figures import FaultyDocument, unit_price
from billing.documents.xml import invoice_xml
from common.money import from_minor, minor_unit, rounded
from tests import papers
from tests.papers import CURRENCIES, KINDS, NAMES, TAXES, broken_rules, factur_x_schema, paper, value

AGREEMENT = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeAgreement"
SETTLEMENT = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement"
SUMS = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
TAX = f"{SETTLEMENT}/ram:ApplicableTradeTax"
MEANS = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementPaymentMeans"
SELLER, BUYER = f"{AGREEMENT}/ram:SellerTradeParty", f"{AGREEMENT}/ram:BuyerTradeParty"
VA, FC = "ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']", "ram:SpecifiedTaxRegistration/ram:ID[@schemeID='FC']"


def rows(xml: bytes) -> list[tuple[str, Decimal, str, Decimal, Decimal]]:
    """The lines: name, quantity, unit, price, net."""
    found = []
    for item in etree.fromstring(xml).iter(f"{{{NAMES['ram']}}}IncludedSupplyChainTradeLineItem"):
        quantity = item.find(".//ram:BilledQuantity", NAMES)
        found.append(
            (
                item.findtext(".//ram:Name", "", NAMES),
                Decimal(quantity.text),
                quantity.get("unitCode"),
                Decimal(item.findtext(".//ram:ChargeAmount", "", NAMES)),
                Decimal(item.findtext(".//ram:LineTotalAmount", "", NAMES)),
            )
        )
    return found


def valid(document: InvoiceDocument) -> bytes:
    """Its XML, which is held against the schema of Factur-X 1.09 and the business rules."""
    xml = invoice_xml(document)
    factur_x_schema().assertValid(etree.fromstring(xml))
    assert broken_rules(xml) == []
    return xml


# Every kind --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("tax", TAXES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_every_rule_and_says_what_the_document_says(kind: str, tax: str, currency: str) -> None:
    document = paper(kind, tax, currency)
    xml = valid(document)
    assert value(xml, "rsm:ExchangedDocument/ram:ID") == document.number
    assert value(xml, f"{SETTLEMENT}/ram:InvoiceCurrencyCode") == currency
    for name, amount in (
        ("LineTotalAmount", document.net),
        ("TaxBasisTotalAmount", document.net),
        ("TaxTotalAmount", document.tax),
        ("GrandTotalAmount", document.gross),
        ("DuePayableAmount", document.gross - document.paid),
    ):
        written = value(xml, f"{SUMS}/ram:{name}")
        assert Decimal(written) == amount
        assert written == str(amount.quantize(minor_unit(currency)))
    assert Decimal(value(xml, f"{SUMS}/ram:TotalPrepaidAmount") or 0) == document.paid
    assert [(name, net) for name, _, _, _, net in rows(xml)] == [
        (line.description, line.net) for line in document.lines
    ]
    for _, quantity, _, price, net in rows(xml):
        assert rounded(quantity * price, currency) == net
        assert price >= 0


@pytest.mark.parametrize(
    ("kind", "code"),
    [("invoice", "380"), ("credit_note", "381"), ("self_billing", "389"), ("self_billing_credit", "261")],
)
def test_the_kind_has_its_code(kind: str, code: str) -> None:
    assert value(invoice_xml(paper(kind)), "rsm:ExchangedDocument/ram:TypeCode") == code


def test_the_profile_is_en_16931() -> None:
    path = "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"
    assert value(invoice_xml(paper()), path) == "urn:cen.eu:en16931:2017"


def test_units_have_their_codes() -> None:
    units = {"hour": "HUR", "day": "DAY", "week": "WEE", "month": "MON", "item": "C62"}
    lines = tuple(DocumentLine(unit, Decimal(2), unit, Decimal("9.98")) for unit in units)
    assert {name: code for name, _, code, _, _ in rows(valid(paper(lines=lines)))} == units


def test_the_same_document_is_the_same_bytes() -> None:
    assert invoice_xml(paper()) == invoice_xml(paper())


def test_the_rules_find_what_is_wrong() -> None:
    """The check of the checks: a total that is not the sum is found."""
    xml = invoice_xml(paper()).replace(b"<ram:GrandTotalAmount>13838.01<", b"<ram:GrandTotalAmount>13838.02<")
    assert any("BR-CO-15" in rule for rule in broken_rules(xml))


# VAT -----------------------------------------------------------------------------------------------------------


def test_vat_is_charged_at_its_rate() -> None:
    xml = invoice_xml(paper(tax_rate=Decimal("0.1900")))
    assert value(xml, f"{TAX}/ram:CategoryCode") == "S"
    assert value(xml, f"{TAX}/ram:RateApplicablePercent") == "19"
    assert value(xml, f"{TAX}/ram:ExemptionReason") == ""


def test_the_recipient_accounts_for_reverse_charge() -> None:
    xml = invoice_xml(paper("invoice", "reverse_charge"))
    assert value(xml, f"{TAX}/ram:CategoryCode") == "AE"
    assert value(xml, f"{TAX}/ram:RateApplicablePercent") == "0"
    assert value(xml, f"{TAX}/ram:ExemptionReasonCode") == "VATEX-EU-AE"
    assert value(xml, f"{TAX}/ram:ExemptionReason") == (
        "Reverse charge: VAT to be accounted for by the recipient, Art. 196 of Directive 2006/112/EC."
    )
    assert value(xml, f"{SELLER}/{VA}") == papers.PLATFORM.vat_id
    assert value(xml, f"{BUYER}/{VA}") == papers.AUSTRIAN.vat_id


def test_outside_the_eu_there_are_neither_vat_ids_nor_rates() -> None:
    xml = invoice_xml(paper("invoice", "outside_eu"))
    assert value(xml, f"{TAX}/ram:CategoryCode") == "O"
    assert value(xml, f"{TAX}/ram:ExemptionReasonCode") == "VATEX-EU-O"
    assert b"RateApplicablePercent" not in xml
    assert b'schemeID="VA"' not in xml
    assert value(xml, f"{SELLER}/{FC}") == papers.PLATFORM.vat_id


def test_what_comes_from_outside_the_eu_is_reverse_charge_for_the_platform() -> None:
    """Art. 196 of Directive 2006/112/EC: the supplier is not established where the recipient is, wherever else."""
    xml = valid(paper("self_billing", "outside_eu"))
    assert value(xml, f"{TAX}/ram:CategoryCode") == "AE"
    assert value(xml, f"{SELLER}/{FC}") == papers.AMERICAN.vat_id
    assert value(xml, f"{BUYER}/{VA}") == papers.PLATFORM.vat_id
    unknown = valid(paper("self_billing", "outside_eu", seller=replace(papers.AMERICAN, vat_id="")))
    assert value(unknown, f"{TAX}/ram:CategoryCode") == "O"
    assert value(unknown, f"{TAX}/ram:ExemptionReason").startswith("Reverse charge")


def test_a_registered_supplier_who_charges_nothing_is_not_called_unregistered() -> None:
    xml = valid(paper("self_billing", "none", seller=papers.PROVIDER))
    assert value(xml, f"{TAX}/ram:CategoryCode") == "E"
    assert value(xml, f"{TAX}/ram:ExemptionReason") == "No VAT is charged on this supply."


def test_a_seller_who_is_not_registered_is_exempt_with_a_tax_number_and_outside_vat_without_one() -> None:
    with_number = replace(papers.SMALL_PROVIDER, tax_number="19800101-1234")
    exempt = valid(paper("self_billing", "none", seller=with_number))
    assert value(exempt, f"{TAX}/ram:CategoryCode") == "E"
    assert value(exempt, f"{SELLER}/{FC}") == "19800101-1234"
    without = valid(paper("self_billing", "none"))
    assert value(without, f"{TAX}/ram:CategoryCode") == "O"
    for xml in (exempt, without):
        assert value(xml, f"{TAX}/ram:ExemptionReason") == (
            "No VAT is charged: the supplier is not registered for VAT."
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tax", ["reverse_charge", "outside_eu", "none"])
@pytest.mark.parametrize("seller", ["", "12-3456789", "EU372001951", "ATU13585627", "EL094259216", "XI123456789"])
@pytest.mark.parametrize("buyer", ["", "12-3456789", "DE136695976"])
def test_whatever_ids_there_are_the_rules_are_kept(kind: str, tax: str, seller: str, buyer: str) -> None:
    document = paper(kind, tax)
    seller_party = replace(document.seller, vat_id=seller, registration="", reference="")
    buyer_party = replace(document.buyer, vat_id=buyer, registration="")
    document = replace(document, seller=seller_party, buyer=buyer_party)
    if tax == "reverse_charge" and kind in ("invoice", "credit_note") and buyer != "DE136695976":
        with pytest.raises(FaultyDocument, match="has no VAT id"):
            invoice_xml(document)
    else:
        valid(document)


# What it refers to -----------------------------------------------------------------------------------------------


def test_references_stand_where_machines_look_for_them() -> None:
    xml = invoice_xml(paper())
    assert value(xml, f"{AGREEMENT}/ram:BuyerReference") == "AG Lube, Raum 2.103"
    assert value(xml, f"{AGREEMENT}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID") == "PO-4500017733"
    assert value(xml, f"{AGREEMENT}/ram:SellerOrderReferencedDocument/ram:IssuerAssignedID") == "1a2b3c4d"
    assert value(xml, f"{SETTLEMENT}/ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID") == "KST 2210-07"
    period = f"{SETTLEMENT}/ram:BillingSpecifiedPeriod"
    assert value(xml, f"{period}/ram:StartDateTime/udt:DateTimeString") == "20261118"
    assert value(xml, f"{period}/ram:EndDateTime/udt:DateTimeString") == "20261205"


def test_parties_have_their_addresses() -> None:
    xml = invoice_xml(paper())
    address = f"{BUYER}/ram:PostalTradeAddress"
    assert value(xml, f"{BUYER}/ram:Name") == papers.UNIVERSITY.name
    assert value(xml, f"{address}/ram:LineOne") == "Lotzestraße 16–18"
    assert value(xml, f"{address}/ram:PostcodeCode") == "37083"
    assert value(xml, f"{address}/ram:CityName") == "Göttingen"
    assert value(xml, f"{address}/ram:CountryID") == "DE"
    assert value(xml, f"{BUYER}/ram:DefinedTradeContact/ram:PersonName") == "Prof. Dr. Jörg Müßig"
    endpoint = f"{BUYER}/ram:URIUniversalCommunication/ram:URIID[@schemeID='EM']"
    assert value(xml, endpoint) == papers.UNIVERSITY.email
    assert value(xml, f"{SELLER}/{VA}") == papers.PLATFORM.vat_id


def test_a_supplier_is_the_seller_of_a_self_billing_invoice() -> None:
    xml = invoice_xml(paper("self_billing"))
    assert value(xml, f"{SELLER}/ram:Name") == papers.PROVIDER.name
    assert value(xml, f"{SELLER}/ram:ID") == "P-000412"
    assert value(xml, f"{BUYER}/ram:Name") == papers.PLATFORM.name
    assert value(xml, "rsm:ExchangedDocument/ram:IncludedNote/ram:Content") == "Self-billing"


@pytest.mark.parametrize("kind", ["credit_note", "self_billing_credit"])
def test_a_correction_names_what_it_corrects(kind: str) -> None:
    xml = invoice_xml(paper(kind))
    corrected = f"{SETTLEMENT}/ram:InvoiceReferencedDocument"
    assert value(xml, f"{corrected}/ram:IssuerAssignedID").endswith("-2026-000098")
    assert value(xml, f"{corrected}/ram:FormattedIssueDateTime/qdt:DateTimeString") == "20261121"


def test_a_card_shows_its_last_digits_only() -> None:
    xml = valid(paper(card_digits="4242424242424242"))
    assert value(xml, f"{MEANS}/ram:TypeCode") == "48"
    assert value(xml, f"{MEANS}/ram:ApplicableTradeSettlementFinancialCard/ram:ID") == "4242"
    assert value(xml, f"{MEANS}/ram:Information") == "Visa ending in 4242 on 6 December 2026"


def test_a_sepa_transfer_has_its_account_and_another_way_none() -> None:
    sepa = invoice_xml(paper("self_billing"))
    assert value(sepa, f"{MEANS}/ram:TypeCode") == "58"
    assert value(sepa, f"{MEANS}/ram:PayeePartyCreditorFinancialAccount/ram:IBANID") == "DE02120300000000202051"
    connect = valid(paper("self_billing", iban="", paid_to="Stripe account of Nordlicht"))
    assert value(connect, f"{MEANS}/ram:TypeCode") == "ZZZ"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_paid_yet_says_how_it_will_be(kind: str) -> None:
    xml = valid(paper(kind, paid=Decimal(0), paid_by="", paid_to="", card_digits="", iban=""))
    assert value(xml, f"{SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:Description")
    assert value(xml, f"{SUMS}/ram:DuePayableAmount") == value(xml, f"{SUMS}/ram:GrandTotalAmount")


def test_a_part_that_is_paid_leaves_the_rest() -> None:
    xml = valid(paper(paid=Decimal("10000.00")))
    assert value(xml, f"{SUMS}/ram:DuePayableAmount") == "3838.01"


def test_the_least_that_a_document_can_say_is_enough() -> None:
    least = paper(
        count=1,
        supplied_from=None,
        supplied_until=None,
        booking_reference="",
        purchase_order="",
        cost_centre="",
        buyer=replace(papers.PERSON, street="", city="", postal_code=""),
    )
    xml = valid(least)
    delivered = "rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeDelivery/ram:ActualDeliverySupplyChainEvent"
    assert value(xml, f"{delivered}/ram:OccurrenceDateTime/udt:DateTimeString") == "20261206"


# Words that would break it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "<ram:Name>x</ram:Name> & ]]> <!-- <?pi?> <!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]> &b;",
        "a\0b\x07c\x1bd\x85e",
        "one\ntwo\r\n\tthree",
        "\ud800 \ufffe \uffff",
        "\u202eevil\u2066\u200b",
        "x" * 5000,
        "深圳 שלום 🜚",
        "   ",
        "\0",
    ],
)
def test_hostile_words_stay_words(words: str) -> None:
    hostile = replace(papers.UNIVERSITY, street=words, city=words, postal_code=words, contact=words, reference=words)
    line = DocumentLine(words, Decimal(1), "hour", Decimal("10.00"), words)
    document = paper(
        lines=(line,),
        buyer=replace(hostile, email=words),
        notes=(words,),
        purchase_order=words,
        cost_centre=words,
        booking_reference=words,
        paid_by=words,
    )
    xml = valid(document)
    name = value(xml, f"{BUYER}/ram:PostalTradeAddress/ram:LineOne")
    assert "\u202e" not in name
    assert "\n" not in name
    if words.startswith("<"):
        assert name == words


# Figures -----------------------------------------------------------------------------------------------------------


@given(
    currency=st.sampled_from(CURRENCIES),
    quantity=st.decimals("0.001", "100000", places=3) | st.integers(1, 9000).map(Decimal),
    minor=st.integers(-(10**9), 10**9),
)
@settings(max_examples=400, deadline=None)
def test_quantity_times_price_is_always_the_net(currency: str, quantity: Decimal, minor: int) -> None:
    line = DocumentLine("x", quantity, "hour", from_minor(minor, currency))
    counted, price = unit_price(line, currency)
    assert rounded(counted * price, currency) == line.net
    assert price >= 0
    assert abs(counted) == quantity


def test_a_unit_price_has_no_more_decimals_than_it_needs() -> None:
    for quantity, net, price in (
        ("72", "181.44", "2.52"),
        ("3", "10.00", "3.333"),
        ("1000", "2999.99", "2.99999"),
        ("-3", "-10.00", "3.333"),
        ("3", "-10.00", "3.333"),
        ("5", "0.00", "0.00"),
    ):
        _, found = unit_price(DocumentLine("x", Decimal(quantity), "hour", Decimal(net)), "EUR")
        assert str(found) == price


@given(data=st.data(), currency=st.sampled_from(CURRENCIES), kind=st.sampled_from(KINDS))
@settings(max_examples=60, deadline=None)
def test_any_lines_make_a_valid_document(data: st.DataObject, currency: str, kind: str) -> None:
    """The price that people see includes VAT: net and VAT are what is left of it after rounding."""
    minor = st.integers(1, 10**8)
    quantities = st.decimals("0.01", "9999", places=2)
    lines = tuple(
        DocumentLine(f"line {place}", quantity, "hour", from_minor(amount, currency))
        for place, (quantity, amount) in enumerate(
            data.draw(st.lists(st.tuples(quantities, minor), min_size=1, max_size=6))
        )
    )
    net = sum((line.net for line in lines), Decimal(0))
    gross = rounded(net * Decimal("1.19"), currency)
    valid(paper(kind, "standard", currency, lines=lines, tax=gross - net, gross=gross, paid=Decimal(0)))


# Documents that are none ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"net": Decimal("1.00")}, "do not add up to its net"),
        ({"tax": Decimal("1.00")}, "do not add up to its total"),
        ({"tax_kind": "reverse_charge"}, "VAT where none is charged"),
        ({"tax_rate": Decimal(0)}, "VAT at no rate"),
        ({"lines": (), "net": Decimal(0), "tax": Decimal(0), "gross": Decimal(0)}, "no lines"),
        ({"kind": "credit_note"}, "which document of which day"),
        ({"kind": "letter"}, "kind “letter”"),
        ({"currency": "CHF"}, "currency “CHF”"),
        ({"number": " "}, "no number"),
        ({"seller": replace(papers.PLATFORM, vat_id="")}, "neither a VAT id nor a tax number"),
        ({"buyer": replace(papers.UNIVERSITY, country="")}, "buyer has no country"),
        ({"buyer": replace(papers.UNIVERSITY, name="")}, "buyer has no name"),
        ({"supplied_until": date(2026, 1, 1)}, "ended before it began"),
        ({"paid": Decimal("0.001")}, "finer than"),
        ({"lines": (DocumentLine("x", Decimal(0), "hour", Decimal("1.00")),)}, "there is none of it"),
        ({"lines": (DocumentLine("x", Decimal(1), "fortnight", Decimal("1.00")),)}, "“fortnight”"),
    ],
)
def test_a_document_that_is_wrong_is_not_written(changes: dict, fault: str) -> None:
    with pytest.raises(FaultyDocument, match=fault):
        invoice_xml(replace(paper(), **changes))
