"""What an invoice says, apart from how it is drawn: the one shape that PDF, XML and pages are made from.

All amounts are ``Decimal`` in the document's currency, rounded to its minor unit. Terms in brackets are those of
EN 16931-1:2017.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Party:
    """A seller (BG-4) or a buyer (BG-7), as it was when the document was issued. ``country`` is ISO 3166-1 alpha-2.

    ``reference`` is a buyer's word for who it is for (BT-10), or the number under which a seller is known to the buyer
    (BT-29). ``tax_number`` is of a seller that has no VAT id (BT-32), ``registration`` an entry in a register of
    companies (BT-30).
    """

    name: str
    street: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    vat_id: str = ""
    email: str = ""
    reference: str = ""
    contact: str = ""
    tax_number: str = ""
    registration: str = ""


@dataclass(frozen=True)
class DocumentLine:
    """A line (BG-25). ``net`` is without tax; ``unit`` is *hour*, *day*, *week*, *month* or *item*.

    ``quantity`` may be negative where something is taken off. The unit price follows from both.
    """

    description: str
    quantity: Decimal
    unit: str
    net: Decimal
    detail: str = ""


@dataclass(frozen=True)
class InvoiceDocument:
    """An invoice, a credit note, or a self-billing invoice.

    ``kind``: *invoice*, *credit_note*, *self_billing* or *self_billing_credit*. ``tax_kind``: *standard*,
    *reverse_charge*, *outside_eu* or *none*; ``tax_rate`` is a share (0.19). Credit notes have positive amounts.
    """

    kind: str
    number: str
    issued_on: date
    currency: str
    seller: Party
    buyer: Party
    lines: tuple[DocumentLine, ...]
    net: Decimal
    tax: Decimal
    gross: Decimal
    tax_kind: str
    tax_rate: Decimal
    #: The time in which it was supplied (BG-14), both days included.
    supplied_from: date | None = None
    supplied_until: date | None = None
    #: Of a correction, or of an invoice that takes a credit note back: the number and the day of what it corrects (BG-3).
    corrects_number: str = ""
    corrects_on: date | None = None
    #: BT-13 and BT-19.
    purchase_order: str = ""
    cost_centre: str = ""
    #: What was paid already (BT-113), and in words how: "Visa 4242 on 21 November 2026".
    paid: Decimal = Decimal(0)
    paid_by: str = ""
    #: The last digits of the card that it was paid with (BT-87), where it was one.
    card_digits: str = ""
    #: Of a self-billing invoice: where the money goes, "SEPA transfer to DE12 … 3000".
    paid_to: str = ""
    #: That account's whole IBAN (BT-84): the XML can say *SEPA credit transfer* only with it.
    iban: str = ""
    booking_reference: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class StatementLine:
    """A row of a monthly statement; ``amount`` is negative where money came back."""

    on: date
    what: str
    document: str
    reference: str
    purchase_order: str
    cost_centre: str
    net: Decimal
    tax: Decimal
    amount: Decimal


@dataclass(frozen=True)
class StatementTotal:
    currency: str
    lines: tuple[StatementLine, ...]
    net: Decimal
    tax: Decimal
    amount: Decimal


@dataclass(frozen=True)
class StatementDocument:
    """A month of an account, a table for each currency: there is no conversion between them."""

    number: str
    month: date
    seller: Party
    buyer: Party
    totals: tuple[StatementTotal, ...]
