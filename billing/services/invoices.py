"""Invoices of what is sold to buyers: bookings, their stages and extensions, and periods of plans."""

from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import User
from accounts.tax import split_of, treatment_of
from billing.documents import parties
from billing.documents.facts import DocumentLine, InvoiceDocument
from billing.models import Invoice, Payment, Series, SubscriptionPayment
from billing.services.issuing import KINDS, date_in_words, day, issue, last_day, window
from bookings.models import Charge, ChargeKind
from common.languages import in_english
from common.money import shared_out

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


# Bookings ------------------------------------------------------------------------------------------------


@in_english()
def issue_invoice(*, payment: Payment, now: datetime) -> Invoice:
    """For a payment whose charge is confirmed: a booking, a stage of one or an extension."""
    issued = first_of(payment)
    if issued is not None:
        return issued
    booking, charge = payment.booking, payment.charge
    charge.booking = booking
    net, tax = split_of(booking.tax_kind, booking.tax_rate, payment.amount_total, payment.currency)
    paid_at = payment.paid_at or now
    document = InvoiceDocument(
        kind=KINDS[Series.INVOICE],
        number="",
        issued_on=day(now),
        currency=payment.currency,
        seller=parties.platform(),
        buyer=parties.buyer(payment.payer, booking.billed_to),
        lines=_lines_of(charge, net, payment.currency),
        net=net,
        tax=tax,
        gross=payment.amount_total,
        tax_kind=booking.tax_kind,
        tax_rate=booking.tax_rate,
        supplied_from=day(charge.covers_from),
        supplied_until=last_day(charge.covers_until),
        purchase_order=booking.purchase_order,
        cost_centre=booking.cost_centre,
        paid=payment.amount_total,
        paid_by=f"{payment.card_label or 'Card'} on {date_in_words(day(paid_at))}",
        card_digits=_digits(payment.card_label),
        booking_reference=booking.reference,
    )
    invoice = issue(
        Series.INVOICE,
        document,
        owner=payment.payer,
        now=now,
        organization=booking.organization,
        booking=booking,
        payment=payment,
    )
    payment.invoice_number = invoice.number
    payment.save(update_fields=["invoice_number"])
    return invoice


def first_of(payment: Payment) -> Invoice | None:
    """What the payment was invoiced with, not what corrects a credit note."""
    first = Invoice.objects.filter(payment=payment, series=Series.INVOICE, corrects=None)
    return first.select_related("owner", "organization", "booking").first()


def _lines_of(charge: Charge, net: Decimal, currency: str) -> tuple[DocumentLine, ...]:
    """A line for each of the quote's, without tax; of a booking in stages one line for the stage's time."""
    machine = charge.booking.machine
    stages = charge.booking.charges.filter(kind__in=[ChargeKind.BOOKING, ChargeKind.STAGE]).count()
    is_stage = charge.kind != ChargeKind.EXTENSION and stages > 1
    what = f"Extension: {machine.title}" if charge.kind == ChargeKind.EXTENSION else f"Rental of {machine.title}"
    if is_stage:
        what += f", stage {charge.number} of {stages}"
    detail = f"Booking {charge.booking.reference}, {window(charge.covers_from, charge.covers_until)}"
    quoted = [] if is_stage else charge.lines()
    weights = [line["amount"] for line in quoted]
    if not quoted or min(weights) < 0 or not any(weights):
        quantity, unit = _measured(charge.length)
        return (DocumentLine(what, quantity, unit, net, detail),)
    return tuple(
        DocumentLine(what, Decimal(line["quantity"]), line["unit"], part, "" if place else detail)
        for place, (line, part) in enumerate(zip(quoted, shared_out(net, weights, currency), strict=True))
    )


def _measured(length: timedelta) -> tuple[Decimal, str]:
    if length % DAY:
        return (Decimal(length // MINUTE) / 60).quantize(Decimal("0.01")).normalize(), "hour"
    return Decimal(length // DAY), "day"


def _digits(card_label: str) -> str:
    """The last four of ``Visa 4242``."""
    last = card_label.rpartition(" ")[2]
    return last if len(last) == 4 and last.isdigit() else ""


# Plans ---------------------------------------------------------------------------------------------------


@in_english()
def issue_subscription_invoice(*, subscription_payment: SubscriptionPayment, now: datetime) -> Invoice:
    """For a period of a plan that has been paid."""
    paid = subscription_payment
    issued = first_of_plan(paid)
    if issued is not None:
        return issued
    net, tax = split_of(paid.tax_kind, paid.tax_rate, paid.amount, paid.currency)
    user: User = paid.subscription.user
    document = InvoiceDocument(
        kind=KINDS[Series.SUBSCRIPTION],
        number="",
        issued_on=day(now),
        currency=paid.currency,
        seller=parties.platform(),
        buyer=parties.buyer(user, _billed_to(paid)),
        lines=(
            DocumentLine(
                f"Plan: {paid.get_tier_display()}",
                Decimal(1),
                "item",
                net,
                window(paid.period_start, paid.period_end),
            ),
        ),
        net=net,
        tax=tax,
        gross=paid.amount,
        tax_kind=paid.tax_kind,
        tax_rate=paid.tax_rate,
        supplied_from=day(paid.period_start),
        supplied_until=last_day(paid.period_end),
        paid=paid.amount,
        paid_by=f"Card on {date_in_words(day(paid.paid_at))}",
    )
    return issue(Series.SUBSCRIPTION, document, owner=user, now=now, subscription_payment=paid)


def _billed_to(paid: SubscriptionPayment) -> dict[str, str]:
    """The details that its tax was decided by, if those of today say otherwise."""
    if treatment_of(paid.subscription.user).kind == paid.tax_kind:
        return {}
    billed_to: dict[str, str] = paid.subscription.billing_details.get("billed_to", {})
    return billed_to


def first_of_plan(paid: SubscriptionPayment) -> Invoice | None:
    """What the period was invoiced with, not what corrects a credit note."""
    first = Invoice.objects.filter(subscription_payment=paid, series=Series.SUBSCRIPTION, corrects=None)
    return first.select_related("owner", "booking").first()
