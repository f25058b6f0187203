"""What PDF and XML must say alike: unit prices, the words about VAT, and that the figures of a document agree."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django_countries.data import COUNTRIES

from billing.documents.facts import DocumentLine, InvoiceDocument, Party
from common.money import Currency, minor_unit, rounded

#: What a quantity is counted in: how EN 16931 names it (UN/ECE recommendation 20), and in words for one and for many.
UNITS = {
    "hour": ("HUR", "hour", "hours"),
    "day": ("DAY", "day", "days"),
    "week": ("WEE", "week", "weeks"),
    "month": ("MON", "month", "months"),
    "item": ("C62", "item", "items"),
}
#: Kinds of documents (UNTDID 1001).
TYPE_CODES = {"invoice": "380", "credit_note": "381", "self_billing": "389", "self_billing_credit": "261"}
CREDITS = {"credit_note", "self_billing_credit"}
SELF_BILLED = {"self_billing", "self_billing_credit"}
TAX_KINDS = {"standard", "reverse_charge", "outside_eu", "none"}

REVERSE_CHARGE = "Reverse charge: VAT to be accounted for by the recipient, Art. 196 of Directive 2006/112/EC."
OUTSIDE_EU = (
    "Not subject to VAT in the EU: the service is supplied where the customer is established, "
    "Art. 44 of Directive 2006/112/EC."
)
NOT_REGISTERED = "No VAT is charged: the supplier is not registered for VAT."
NOT_CHARGED = "No VAT is charged on this supply."
#: Prefixes of VAT ids that are no country's code: Greece, Northern Ireland.
PREFIXES = {"EL", "XI"}
#: More decimals than this no unit price has.
FINEST = 12


class FaultyDocument(ValueError):
    """A document that nobody may be sent: its figures do not agree, or something is missing that the law wants."""


@dataclass(frozen=True)
class TaxCategory:
    """How a document is taxed, as EN 16931 has it (BT-118 to BT-121); ``rate`` is in per cent, or none."""

    code: str
    rate: Decimal | None
    reason: str = ""
    reason_code: str = ""


def tax_category(document: InvoiceDocument) -> TaxCategory:
    """The one VAT category of all lines of a document.

    Category O forbids VAT ids and rates (BR-O-2 to BR-O-5), E and AE want a tax id of the seller (BR-E-2, BR-AE-2), AE
    one of the buyer too. So a seller without any tax id is outside the scope of VAT as far as the XML goes, whatever
    the reason that people read.
    """
    seller, buyer = document.seller, document.buyer
    seller_known = bool(seller.vat_id or seller.tax_number)
    buyer_known = is_vat_id(buyer.vat_id) or bool(buyer.registration)
    if document.tax_kind == "standard":
        return TaxCategory("S", _percent(document.tax_rate))
    if is_reverse_charge(document):
        if seller_known and buyer_known:
            return TaxCategory("AE", Decimal(0), REVERSE_CHARGE, "VATEX-EU-AE")
        return TaxCategory("O", None, REVERSE_CHARGE, "VATEX-EU-O")
    if document.tax_kind == "outside_eu":
        return TaxCategory("O", None, OUTSIDE_EU, "VATEX-EU-O")
    if seller_known:
        return TaxCategory("E", Decimal(0), NOT_CHARGED if is_vat_id(seller.vat_id) else NOT_REGISTERED)
    return TaxCategory("O", None, NOT_REGISTERED, "VATEX-EU-O")


def is_reverse_charge(document: InvoiceDocument) -> bool:
    """Whether the buyer accounts for the VAT: also for what somebody outside the EU supplies to the platform.

    Such a service is supplied where the platform is (Art. 44), so it is not outside the EU's VAT as what the platform
    supplies to somebody there.
    """
    from_outside = document.tax_kind == "outside_eu" and document.kind in SELF_BILLED
    return document.tax_kind == "reverse_charge" or from_outside


def is_vat_id(number: str) -> bool:
    """Whether it begins with a country, as VAT ids do (BR-CO-9); other tax numbers of the world do not."""
    prefix = number.strip()[:2]
    return prefix in COUNTRIES or prefix in PREFIXES


def _percent(share: Decimal) -> Decimal:
    return Decimal(f"{(share * 100).normalize():f}")


def unit_price(line: DocumentLine, currency: str) -> tuple[Decimal, Decimal]:
    """The quantity and the net price of one (BT-129, BT-146), with as many decimals as it takes that both give the net.

    A price is never negative (BR-27): where something is taken off, the quantity is.
    """
    if not line.quantity:
        return line.quantity, Decimal(0)
    quantity = abs(line.quantity).copy_sign(line.net if line.net else line.quantity)
    exact = abs(line.net / line.quantity)
    for places in range(-_exponent(minor_unit(currency)), FINEST + 1):
        price = round(exact, places)
        if rounded(price * quantity, currency) == line.net:
            return quantity, price
    return quantity, exact


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def due(document: InvoiceDocument) -> Decimal:
    """What is still to be paid (BT-115)."""
    return document.gross - document.paid


def check(document: InvoiceDocument) -> None:
    """See that a document is one.

    Raises:
        FaultyDocument: with every fault in it, a sentence each.
    """
    faults = [*_wrong_words(document), *_wrong_lines(document)]
    if not faults:
        faults = _wrong_sums(document)
    if faults:
        raise FaultyDocument(" ".join([f"Document {document.number or 'without a number'}:", *faults]))


def _wrong_words(document: InvoiceDocument) -> list[str]:
    faults = []
    if document.kind not in TYPE_CODES:
        faults.append(f"Its kind “{document.kind}” is not known.")
    if document.tax_kind not in TAX_KINDS:
        faults.append(f"Its tax “{document.tax_kind}” is not known.")
    if document.currency not in Currency:
        faults.append(f"Its currency “{document.currency}” is not known.")
    if not document.number.strip():
        faults.append("It has no number.")
    faults += _wrong_party("seller", document.seller) + _wrong_party("buyer", document.buyer)
    if document.kind in CREDITS and not (document.corrects_number and document.corrects_on):
        faults.append("It does not say which document of which day it corrects (Art. 219 of Directive 2006/112/EC).")
    if document.supplied_from and document.supplied_until and document.supplied_until < document.supplied_from:
        faults.append("What it is for ended before it began.")
    if document.tax_kind == "standard":
        if document.tax_rate <= 0:
            faults.append("It charges VAT at no rate.")
        if not (document.seller.vat_id or document.seller.tax_number):
            faults.append("It charges VAT, but its seller has neither a VAT id nor a tax number.")
    elif document.tax:
        faults.append("It has an amount of VAT where none is charged.")
    is_sold = document.kind not in SELF_BILLED
    if is_sold and document.tax_kind == "reverse_charge" and not is_vat_id(document.buyer.vat_id):
        faults.append("Its buyer is to account for the VAT, and has no VAT id (Art. 226 of Directive 2006/112/EC).")
    return faults


def _wrong_party(role: str, party: Party) -> list[str]:
    faults = []
    if not party.name.strip():
        faults.append(f"Its {role} has no name.")
    if len(party.country) != 2 or not party.country.isupper():
        faults.append(f"Its {role} has no country.")
    return faults


def _wrong_lines(document: InvoiceDocument) -> list[str]:
    faults = [] if document.lines else ["It has no lines."]
    for place, line in enumerate(document.lines, start=1):
        if line.unit not in UNITS:
            faults.append(f"Line {place} is counted in “{line.unit}”, which is not known.")
        if not line.quantity and line.net:
            faults.append(f"Line {place} costs something, but there is none of it.")
    return faults


def _wrong_sums(document: InvoiceDocument) -> list[str]:
    faults = []
    amounts = [document.net, document.tax, document.gross, document.paid, *(line.net for line in document.lines)]
    if any(amount != rounded(amount, document.currency) for amount in amounts):
        faults.append("An amount is finer than the currency's minor unit.")
    if sum(line.net for line in document.lines) != document.net:
        faults.append("Its lines do not add up to its net amount.")
    if document.net + document.tax != document.gross:
        faults.append("Its net amount and VAT do not add up to its total.")
    for place, line in enumerate(document.lines, start=1):
        quantity, price = unit_price(line, document.currency)
        if rounded(quantity * price, document.currency) != line.net:
            faults.append(f"No unit price makes line {place} what it costs.")
    return faults
