"""Proving the invoices: no number is missing, every document adds up, and together they are what was paid and given back."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

from django.db.models import F, Max, Q, QuerySet, Sum

from billing.documents.figures import FaultyDocument, check
from billing.documents.stored import NotADocument
from billing.models import (
    BEFORE_INVOICES,
    AccountKind,
    Invoice,
    InvoiceCounter,
    LedgerEntry,
    LedgerTransaction,
    Payout,
    Posting,
    Series,
    SubscriptionPayment,
)
from billing.services.issuing import document_of
from billing.services.numbering import number_of
from billing.services.postings import EARNINGS

ZERO = Decimal(0)
A_CHUNK = 500
#: Fields of the row that say what the document says.
SAME = ("number", "currency", "net", "tax", "gross", "tax_kind", "tax_rate", "purchase_order", "cost_centre")


def findings() -> Iterator[str]:
    """Everything that is not as it should be, a sentence each; nothing where all is well."""
    yield from _numbers()
    yield from _documents()
    yield from _corrections()
    yield from _accounts()
    yield from _payments()
    yield from _givings_back()
    yield from _payouts()
    yield from _subscriptions()


def _numbers() -> Iterator[str]:
    """From 1 to the counter, each once."""
    counters = {(row.series, row.year): row.last for row in InvoiceCounter.objects.all()}
    used = Invoice.objects.order_by().values_list("series", "year").annotate(last=Max("sequence"))
    issued = {(series, year): last for series, year, last in used}
    for series, year in sorted(counters.keys() | issued.keys()):
        last, most = counters.get((series, year), 0), issued.get((series, year), 0)
        if last != most:
            yield f"{series}-{year}: the counter stands at {last}, the last number is {most}."
        expected = count(1)
        numbers = (
            Invoice.objects.filter(series=series, year=year).order_by("sequence").values_list("sequence", "number")
        )
        for sequence, number in numbers.iterator(chunk_size=A_CHUNK):
            wanted = next(expected)
            if sequence != wanted:
                yield f"{series}-{year}: after {wanted - 1} comes {sequence}."
                expected = count(sequence + 1)
            if number != number_of(series, year, sequence):
                yield f"{number} is number {sequence} of {series}-{year}."


def _documents() -> Iterator[str]:
    for invoice in Invoice.objects.order_by("issued_at", "pk").iterator(chunk_size=A_CHUNK):
        try:
            document = document_of(invoice)
            check(document)
        except (NotADocument, FaultyDocument) as error:
            yield f"{invoice.number}: {error}"
            continue
        for name in SAME:
            if getattr(document, name) != getattr(invoice, name):
                yield f"{invoice.number}: its {name} is {getattr(document, name)} in the document and {getattr(invoice, name)} beside it."
        if document.issued_on.year != invoice.year:
            yield f"{invoice.number} was issued on {document.issued_on}, which is not in {invoice.year}."


def _corrections() -> Iterator[str]:
    """Never more than what they correct, in net, tax or total."""
    again = _invoiced_again()
    corrected = Invoice.objects.filter(corrections__isnull=False).annotate(
        net_back=Sum("corrections__net"), tax_back=Sum("corrections__tax"), gross_back=Sum("corrections__gross")
    )
    for row in corrected.iterator(chunk_size=A_CHUNK):
        for name in ("net", "tax", "gross"):
            back = getattr(row, f"{name}_back") - again[row.pk][name]
            if back > getattr(row, name):
                yield f"{row.number}: {back} {row.currency} of its {name} is corrected, it is over {getattr(row, name)}."


def _invoiced_again() -> defaultdict[Any, dict[str, Decimal]]:
    """What corrects the credit notes of an invoice, by the invoice."""
    rows = Invoice.objects.filter(corrects__corrects__isnull=False).order_by().values_list("corrects__corrects")
    again: defaultdict[Any, dict[str, Decimal]] = defaultdict(lambda: {"net": ZERO, "tax": ZERO, "gross": ZERO})
    for pk, net, tax, gross in rows.annotate(Sum("net"), Sum("tax"), Sum("gross")):
        again[pk] = {"net": net, "tax": tax, "gross": gross}
    return again


def _accounts() -> Iterator[str]:
    """What was bought for an organization is the organization's, and nothing else is."""
    differs = Q(organization=None, booking__organization__isnull=False) | Q(organization__isnull=False) & (
        Q(booking__organization=None) | ~Q(organization=F("booking__organization"))
    )
    for row in Invoice.objects.filter(differs, booking__isnull=False).select_related("booking").defer("document"):
        yield f"{row.number} is not in the books of whoever booking {row.booking} was made for."


def _payments() -> Iterator[str]:
    """Each payment that was earned has an invoice of its amount; less its credit notes it is what still counts as earned.

    Those from before there were invoices have none.
    """
    earned = _earnings("transaction__payment")
    tax = _earnings("transaction__payment", kinds=(AccountKind.TAX,))
    again = _invoiced_again()
    invoices: dict[Any, Any] = {
        row.payment_id: row
        for row in Invoice.objects.filter(series=Series.INVOICE, corrects=None)
        .select_related("payment")
        .defer("document")
        .annotate(gross_back=Sum("corrections__gross"), tax_back=Sum("corrections__tax"))
    }
    for payment in _told_of(Posting.EARNED, "payment"):
        if payment not in invoices:
            yield f"Payment {payment} was earned and has no invoice."
    for payment, row in invoices.items():
        if row.payment is None:
            yield f"{row.number} is for no payment."
            continue
        if row.gross != row.payment.amount_total or row.currency != row.payment.currency:
            yield f"{row.number} is over {row.gross} {row.currency}, its payment over {row.payment.amount_total} {row.payment.currency}."
        if row.payment.invoice_number != row.number:
            yield f"Payment {payment} names {row.payment.invoice_number}, its invoice is {row.number}."
        for name, left, held in (
            ("total", row.gross - (row.gross_back or ZERO) + again[row.pk]["gross"], earned.get(payment, ZERO)),
            ("tax", row.tax - (row.tax_back or ZERO) + again[row.pk]["tax"], tax.get(payment, ZERO)),
        ):
            if left != held:
                yield f"{row.number}: {left} {row.currency} of its {name} is not credited, the ledger holds {held} as earned."


def _givings_back() -> Iterator[str]:
    """Each refund and each chargeback that took something from what was earned is credited with that amount.

    Less what was invoiced again.
    """
    for name in ("refund", "chargeback"):
        taken = {pk: -amount for pk, amount in _earnings(f"transaction__{name}").items()}
        notes: defaultdict[Any, Decimal] = defaultdict(Decimal)
        documents = Invoice.objects.filter(**{f"{name}__isnull": False}).order_by().values_list(f"{name}_id", "series")
        for pk, series, gross in documents.annotate(Sum("gross")):
            notes[pk] += gross if series == Series.CREDIT_NOTE else -gross
        invoiced = set(Invoice.objects.filter(series=Series.INVOICE).values_list("payment_id", flat=True))
        payments = dict(
            LedgerTransaction.objects.filter(**{f"{name}__isnull": False}).values_list(f"{name}_id", "payment_id")
        )
        for pk in taken.keys() | notes.keys():
            amount, credited = taken.get(pk, ZERO), notes.get(pk, ZERO)
            if amount != credited and (pk in notes or payments.get(pk) in invoiced):
                yield f"{name.capitalize()} {pk} took {amount} from what was earned, {credited} is credited for it."


def _payouts() -> Iterator[str]:
    """Each payout, retries aside, has one self-billing invoice of its amount."""
    for payout in Payout.objects.filter(retry_of=None).prefetch_related("invoices").iterator(chunk_size=A_CHUNK):
        invoices = [row for row in payout.invoices.all() if row.series == Series.SELF_BILLING]
        if len(invoices) != 1:
            yield f"Payout {payout.pk} has {len(invoices)} self-billing invoices."
        for row in invoices:
            if (row.gross, row.tax, row.currency) != (payout.amount, payout.tax, payout.currency):
                yield f"{row.number} is over {row.gross} {row.currency} with {row.tax} tax, its payout over {payout.amount} {payout.currency} with {payout.tax}."


def _subscriptions() -> Iterator[str]:
    """Each paid period of a plan has an invoice of its amount, and what went back of it is credited."""
    paid = SubscriptionPayment.objects.prefetch_related("invoices")
    for payment in paid.iterator(chunk_size=A_CHUNK):
        rows = list(payment.invoices.all())
        invoiced = sum((row.gross for row in rows if row.corrects_id is None), ZERO)
        credited = sum((row.signed_gross for row in rows if row.corrects_id is not None), ZERO)
        if (invoiced, -credited) != (payment.amount, payment.given_back):
            yield f"Subscription payment {payment.pk}: {payment.amount} paid and {payment.given_back} given back, {invoiced} invoiced and {-credited} credited."


def _earnings(by: str, *, kinds: tuple[str, ...] = EARNINGS) -> dict[Any, Decimal]:
    """What was earned, for each row that the ledger's transactions tell of: credits are positive."""
    entries: QuerySet[LedgerEntry] = LedgerEntry.objects.filter(account__kind__in=kinds, **{f"{by}__isnull": False})
    return {pk: -total for pk, total in entries.order_by().values_list(by).annotate(Sum("amount"))}


def _told_of(kind: str, name: str) -> set[Any]:
    told = LedgerTransaction.objects.filter(kind=kind).exclude(note=BEFORE_INVOICES)
    return set(told.values_list(f"{name}_id", flat=True))
