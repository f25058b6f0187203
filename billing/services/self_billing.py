"""Self-billing: invoices of what is bought from providers, written in their name (Art. 224 of Directive 2006/112/EC)."""

from datetime import datetime
from decimal import Decimal

from accounts.tax import TaxKind, Treatment, supplier_treatment_of
from billing.documents import parties
from billing.documents.facts import DocumentLine, InvoiceDocument
from billing.models import Invoice, Payout, PayoutLine, PayoutMethod, Series
from billing.services.issuing import KINDS, day, issue, last_day, window
from common.languages import in_english

ZERO = Decimal(0)


@in_english()
def issue_self_billing(*, payout: Payout, now: datetime) -> Invoice:
    """For a payout that is scheduled: what its provider has sold.

    A retry pays the same invoice as the first try.

    Raises:
        ValueError: the payout's lines and its tax are not its amount.
    """
    first = payout
    while first.retry_of is not None:
        first = first.retry_of
    issued = Invoice.objects.filter(payout=first, series=Series.SELF_BILLING).first()
    if issued is not None:
        return issued
    lines = list(first.lines.select_related("booking__machine__gpu").order_by("booking__start", "pk"))
    net = first.amount - first.tax
    if sum((line.amount for line in lines), ZERO) != net:
        raise ValueError(f"The lines of payout {first.pk} do not add up to {net} {first.currency}.")
    tax = _supplier_tax(first)
    is_sepa = first.method == PayoutMethod.SEPA
    document = InvoiceDocument(
        kind=KINDS[Series.SELF_BILLING],
        number="",
        issued_on=day(now),
        currency=first.currency,
        seller=parties.supplier(first.provider),
        buyer=parties.platform(),
        lines=tuple(map(_earned, lines)),
        net=net,
        tax=first.tax,
        gross=first.amount,
        tax_kind=tax.kind,
        tax_rate=tax.rate,
        supplied_from=min((day(line.booking.start) for line in lines), default=None),
        supplied_until=max((last_day(line.booking.end) for line in lines), default=None),
        paid_to=f"SEPA transfer to {first.account.label}" if is_sepa else first.account.label,
        iban=first.account.iban if is_sepa else "",
    )
    return issue(Series.SELF_BILLING, document, owner=first.provider, now=now, payout=first)


def _supplier_tax(payout: Payout) -> Treatment:
    """The payout's tax is what was decided; the words for there being none are of today."""
    treatment = supplier_treatment_of(payout.provider)
    if payout.tax and treatment.kind != TaxKind.STANDARD:
        rate = treatment.listed_rate
        return Treatment(TaxKind.STANDARD, rate, rate)
    if not payout.tax and treatment.kind == TaxKind.STANDARD:
        return Treatment(TaxKind.NONE, ZERO, treatment.listed_rate)
    return treatment


def _earned(line: PayoutLine) -> DocumentLine:
    booking, machine = line.booking, line.booking.machine
    what = f"{machine.title}, {machine.name}"
    is_taken_off = line.amount < 0
    return DocumentLine(
        f"Taken off: {what}" if is_taken_off else f"Rental of {what}",
        Decimal(-1 if is_taken_off else 1),
        "item",
        line.amount,
        f"Booking {booking.reference}, {window(booking.start, booking.end)}",
    )
