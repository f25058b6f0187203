"""An invoice for machines: EN 16931 in UN/CEFACT's syntax (CII), profile *EN 16931* of Factur-X 1.0 and ZUGFeRD 2.

drafthorse writes it and holds it against the schema that it ships. Numbers in brackets are terms of EN 16931-1:2017.
"""

from __future__ import annotations

import re
from decimal import Decimal

from drafthorse.models.accounting import ApplicableTradeTax
from drafthorse.models.document import Document
from drafthorse.models.note import IncludedNote
from drafthorse.models.party import TaxRegistration, TradeParty
from drafthorse.models.payment import PaymentMeans, PaymentTerms
from drafthorse.models.trade import TradeAgreement, TradeSettlement
from drafthorse.models.tradelines import LineItem

from billing.documents.facts import DocumentLine, InvoiceDocument, Party
from billing.documents.figures import (
    SELF_BILLED,
    TYPE_CODES,
    UNITS,
    TaxCategory,
    check,
    due,
    is_vat_id,
    tax_category,
    unit_price,
)
from common.languages import in_english
from common.money import rounded
from common.typesetting import shown

GUIDELINE = "urn:cen.eu:en16931:2017"
SCHEMA = "FACTUR-X_EN16931"
#: The kinds of ways to pay (UNTDID 4461).
BANK_CARD, SEPA_TRANSFER, AS_AGREED = "48", "58", "ZZZ"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@in_english()
def invoice_xml(document: InvoiceDocument) -> bytes:
    """The document as EN 16931 has it, valid against the schema.

    Raises:
        FaultyDocument: its figures do not agree, or it lacks what the law wants.
    """
    check(document)
    category = tax_category(document)
    made = Document()
    made.context.guideline_parameter.id = GUIDELINE
    made.header.id = _text(document.number)
    made.header.type_code = TYPE_CODES[document.kind]
    made.header.issue_date_time = document.issued_on
    for words in _notes(document):
        note = IncludedNote()
        note.content = words
        made.header.notes.add(note)
    for place, line in enumerate(document.lines, start=1):
        made.trade.items.add(_line(place, line, document.currency, category))
    _agree(made.trade.agreement, document, category)
    # An empty delivery is forbidden (PEPPOL-EN16931-R008), so it says when it was over (BT-72).
    made.trade.delivery.event.occurrence = document.supplied_until or document.supplied_from or document.issued_on
    _settle(made.trade.settlement, document, category)
    return bytes(made.serialize(schema=SCHEMA))


def _notes(document: InvoiceDocument) -> list[str]:
    notes = []
    if document.kind in SELF_BILLED:
        notes.append("Self-billing")
    return [*notes, *filter(None, map(shown, document.notes))]


def _line(place: int, line: DocumentLine, currency: str, category: TaxCategory) -> LineItem:
    quantity, price = unit_price(line, currency)
    item = LineItem()
    item.document.line_id = str(place)
    item.product.name = _text(line.description)
    if shown(line.detail):
        item.product.description = shown(line.detail)
    item.agreement.net.amount = _plain(price)
    item.delivery.billed_quantity = (_plain(quantity), UNITS[line.unit][0])
    tax = item.settlement.trade_tax
    tax.type_code = "VAT"
    tax.category_code = category.code
    if category.rate is not None:
        tax.rate_applicable_percent = _plain(category.rate)
    item.settlement.monetary_summation.total_amount = _amount(line.net, currency)
    return item


def _agree(agreement: TradeAgreement, document: InvoiceDocument, category: TaxCategory) -> None:
    """Who with whom, and under which numbers (BG-4, BG-7, BT-10, BT-13, BT-14)."""
    seller, buyer = document.seller, document.buyer
    vat_ids = category.code != "O"
    _party(agreement.seller, seller, vat_id=vat_ids)
    if not vat_ids or not is_vat_id(seller.vat_id):
        if seller.vat_id or seller.tax_number:
            registration = TaxRegistration()
            registration.id = ("FC", _text(seller.tax_number or seller.vat_id))
            agreement.seller.tax_registrations.add(registration)
        if not seller.registration or seller.reference:
            # Somehow the buyer must know the seller again (BR-CO-26).
            agreement.seller.id = _text(seller.reference or seller.vat_id or seller.tax_number or seller.name)
    elif seller.reference:
        agreement.seller.id = _text(seller.reference)
    _party(agreement.buyer, buyer, vat_id=vat_ids)
    if shown(buyer.reference):
        agreement.buyer_reference = _text(buyer.reference)
    if shown(document.booking_reference):
        agreement.seller_order.issuer_assigned_id = _text(document.booking_reference)
    if shown(document.purchase_order):
        agreement.buyer_order.issuer_assigned_id = _text(document.purchase_order)


def _party(made: TradeParty, party: Party, *, vat_id: bool) -> None:
    made.name = _text(party.name)
    if shown(party.registration):
        made.legal_organization.id = _text(party.registration)
    made.address.country_id = party.country
    for field, words in (
        ("postcode", party.postal_code),
        ("line_one", party.street),
        ("city_name", party.city),
    ):
        if shown(words):
            setattr(made.address, field, shown(words))
    email = shown(party.email)
    if shown(party.contact):
        made.contact.person_name = shown(party.contact)
        if email:
            made.contact.email.address = email
    if EMAIL.fullmatch(email):
        made.electronic_address.uri_ID = ("EM", email)
    if vat_id and is_vat_id(party.vat_id):
        registration = TaxRegistration()
        registration.id = ("VA", _text(party.vat_id).replace(" ", ""))
        made.tax_registrations.add(registration)


def _settle(settlement: TradeSettlement, document: InvoiceDocument, category: TaxCategory) -> None:
    """What it comes to and how it is paid (BG-16, BG-22, BG-23)."""
    currency = document.currency
    settlement.currency_code = currency
    for means in _means(document):
        settlement.payment_means.add(means)
    tax = ApplicableTradeTax()
    tax.calculated_amount = _amount(document.tax, currency)
    tax.type_code = "VAT"
    tax.basis_amount = _amount(document.net, currency)
    tax.category_code = category.code
    if category.reason:
        tax.exemption_reason = category.reason
    if category.reason_code:
        tax.exemption_reason_code = category.reason_code
    if category.rate is not None:
        tax.rate_applicable_percent = _plain(category.rate)
    settlement.trade_tax.add(tax)
    if document.supplied_from:
        settlement.period.start = document.supplied_from
    if document.supplied_until:
        settlement.period.end = document.supplied_until
    if due(document) > 0:
        terms = PaymentTerms()
        terms.description = _terms(document)
        settlement.terms.add(terms)
    sums = settlement.monetary_summation
    sums.line_total = _amount(document.net, currency)
    sums.tax_basis_total = (_amount(document.net, currency), None)
    sums.tax_total = (_amount(document.tax, currency), currency)
    sums.grand_total = (_amount(document.gross, currency), None)
    if document.paid:
        sums.prepaid_total = _amount(document.paid, currency)
    sums.due_amount = _amount(due(document), currency)
    if document.corrects_number:
        settlement.invoice_referenced_document.issuer_assigned_id = _text(document.corrects_number)
        if document.corrects_on:
            settlement.invoice_referenced_document.issue_date_time = document.corrects_on
    if shown(document.cost_centre):
        # One booking is one cost centre: the reference of the whole (BT-19), not that of each line (BT-133).
        settlement.accounting_account.id = _text(document.cost_centre)


def _means(document: InvoiceDocument) -> list[PaymentMeans]:
    made = PaymentMeans()
    if document.iban:
        made.type_code = SEPA_TRANSFER
        made.payee_account.iban = _text(document.iban).replace(" ", "")
    elif document.card_digits or document.paid_by:
        made.type_code = BANK_CARD
        if document.card_digits:
            made.financial_card.id = _text(document.card_digits)[-4:]
    elif document.paid_to:
        made.type_code = AS_AGREED
    else:
        return []
    words = shown(document.paid_to or document.paid_by)
    if words:
        made.information.add(words)
    return [made]


def _terms(document: InvoiceDocument) -> str:
    """In words when it is paid (BT-20), which a document that is not yet paid must say (BR-CO-25)."""
    to = shown(document.paid_to)
    if document.kind == "credit_note":
        return "Will be refunded."
    if document.kind == "self_billing_credit":
        return "Will be set off against the next payout."
    return f"Will be paid by {to}." if to else "Payable on receipt."


def _text(words: str) -> str:
    """Words where there must be some."""
    return shown(words) or "–"


def _amount(amount: Decimal, currency: str) -> str:
    return f"{rounded(amount, currency):f}"


def _plain(number: Decimal) -> str:
    """A number without an exponent and without zeros that say nothing."""
    written = f"{number:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written
