"""Invoices as files: set from the frozen document, stored once, and proved by their digest ever after."""

import hashlib
import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.documents.pdf import invoice_pdf
from billing.documents.xml import invoice_xml
from billing.models import Invoice
from billing.services.issuing import document_of
from common import files

log = logging.getLogger(__name__)


def print_invoices(*, now: datetime, limit: int = 6) -> int:
    """Sweep: set and store what is not printed yet, and return how many that were. Stops when the storage is away.

    The newest come first, so that one that cannot be set holds up nobody who waits for theirs.
    """
    printed = 0
    waiting = Invoice.objects.filter(pdf="", issued_at__lte=now).order_by("-issued_at", "-sequence")
    for invoice in waiting[:limit]:
        try:
            print_invoice(invoice=invoice)
            printed += 1
        except files.StorageAway:
            break
        except Exception:
            log.exception("invoice %s could not be printed", invoice.number)
    return printed


def print_one(*, invoice_id: UUID) -> bool:
    """As :func:`print_invoice`, for a task that was asked for it. Returns whether it is stored now."""
    try:
        print_invoice(invoice=Invoice.objects.get(pk=invoice_id))
    except (Invoice.DoesNotExist, files.StorageAway):
        return False
    return True


def print_invoice(*, invoice: Invoice) -> bytes:
    """Set it and store it, unless somebody has, and return the PDF that is stored.

    Raises:
        StorageAway: it is set, and cannot be stored or read at the moment.
        FaultyDocument: its figures do not agree, or it lacks what the law wants.
    """
    if invoice.pdf:
        return pdf_of(invoice)
    pdf = invoice_pdf(document_of(invoice))
    # Around the transaction: a file that no row names is taken away again.
    with files.kept_with_rows(), transaction.atomic():
        row = Invoice.objects.select_for_update(of=("self",), no_key=True).get(pk=invoice.pk)
        if not row.pdf:
            row.pdf = files.store(f"invoices/{row.year}/{row.number}.pdf", pdf)
            row.pdf_sha256 = hashlib.sha256(pdf).hexdigest()
            row.save(update_fields=["pdf", "pdf_sha256"])
            return pdf
    return pdf_of(row)


def pdf_of(invoice: Invoice) -> bytes:
    """The PDF as it was stored. One that is not stored yet, or cannot be read, is set anew from the frozen document.

    Raises:
        StorageAway, FileMissing: it cannot be read, and what is set anew is not the same to the byte.
    """
    if not invoice.pdf:
        try:
            return print_invoice(invoice=invoice)
        except files.StorageAway:
            return invoice_pdf(document_of(invoice))
    try:
        pdf = files.read(invoice.pdf)
    except (files.StorageAway, files.FileMissing) as error:
        log.warning("the PDF of %s could not be read: %s", invoice.number, error)
        pdf = invoice_pdf(document_of(invoice))
        if hashlib.sha256(pdf).hexdigest() != invoice.pdf_sha256:
            raise
        return pdf
    if hashlib.sha256(pdf).hexdigest() != invoice.pdf_sha256:
        log.critical("the stored PDF of %s is not the one that was printed", invoice.number)
        raise files.FileMissing("The stored PDF is not the one that was issued. We have been told.")
    return pdf


def xml_of(invoice: Invoice) -> bytes:
    """EN 16931 in the syntax of UN/CEFACT (Factur-X), from the frozen document."""
    return invoice_xml(document_of(invoice))
