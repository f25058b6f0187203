"""Invoices of bookings that were paid, and what is given back of them."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.models import Invoice, Payment, RefundReason, Series
from billing.services import refunds
from bookings.models import Booking

#: Of a business in another country.
AUSTRIAN = {"vat_id": "ATU13585627", "country": "AT", "name": "Akademie", "city": "Wien", "postal_code": "1090"}


def invoice_of(booking: Booking) -> Invoice:
    return Invoice.objects.get(booking=booking, series=Series.INVOICE)


def give_back(
    payment: Payment, amount: str | Decimal, now: datetime, reason: RefundReason = RefundReason.GOODWILL
) -> Invoice | None:
    """Ask for a refund. Returns its credit note."""
    with transaction.atomic():
        refund = refunds.request_refund(payment=payment, amount=Decimal(amount), reason=reason, by=None, now=now)
    return Invoice.objects.filter(refund=refund).first()
