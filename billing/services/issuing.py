"""Issuing a document, whichever it is: numbered, frozen whole, sent to whoever wants it by mail, printed later.

All of :mod:`~billing.services.invoices`, :mod:`~billing.services.credit_notes` and :mod:`~billing.services.self_billing`
run in the transaction of what they document, after its posting to the ledger and with the payment's row locked, as the
last thing in it: numbers are taken here (:mod:`billing.services.numbering`). Asked for the same thing again they give
what was issued the first time. Nothing changes a document afterwards.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from accounts.models import Organization, User
from accounts.tax import details_of
from billing import mails
from billing.documents.facts import InvoiceDocument
from billing.documents.stored import from_json, to_json
from billing.models import Invoice, Series
from billing.services.numbering import take_number
from common.queue import soon

KINDS = {
    Series.INVOICE: "invoice",
    Series.SUBSCRIPTION: "invoice",
    Series.CREDIT_NOTE: "credit_note",
    Series.SELF_BILLING: "self_billing",
    Series.SELF_BILLING_CREDIT: "self_billing_credit",
}


def document_of(invoice: Invoice) -> InvoiceDocument:
    """What it said when it was issued.

    Raises:
        NotADocument: the row holds something else.
    """
    return from_json(InvoiceDocument, invoice.document)


def issue(series: str, document: InvoiceDocument, *, owner: User, now: datetime, **about: Any) -> Invoice:
    """Give the document its number and keep it.

    Args:
        about: what it documents, as :class:`~billing.models.Invoice` names it.
    """
    year = document.issued_on.year
    sequence, number = take_number(series=series, year=year)
    document = replace(document, number=number)
    invoice = Invoice.objects.create(
        series=series,
        year=year,
        sequence=sequence,
        number=number,
        issued_at=now,
        owner=owner,
        currency=document.currency,
        net=document.net,
        tax=document.tax,
        gross=document.gross,
        tax_kind=document.tax_kind,
        tax_rate=document.tax_rate,
        purchase_order=document.purchase_order,
        cost_centre=document.cost_centre,
        document=to_json(document),
        **about,
    )
    whose = invoice.organization or owner
    details = details_of(whose)
    if isinstance(whose, Organization):
        mails.invoice_issued(invoice, to=whose.owner, address=details.invoice_email if details else "")
    elif details is not None and details.is_business:
        mails.invoice_issued(invoice, to=owner, address=details.invoice_email)
    soon("billing.tasks.print_invoice", str(invoice.pk))
    return invoice


def day(moment: datetime) -> date:
    """The seller's calendar is UTC."""
    return moment.astimezone(UTC).date()


def last_day(until: datetime) -> date:
    """Of a time that ends at ``until``."""
    return day(until - timedelta(microseconds=1))


def date_in_words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def window(start: datetime, end: datetime) -> str:
    """Documents are in English and in UTC, whoever reads them."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{date_in_words(last.date())}, {last:%H:%M}"
    return f"{date_in_words(first.date())}, {first:%H:%M} – {until} UTC"
