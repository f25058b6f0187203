"""Issuing invoices and what corrects them. Each is frozen whole when it is issued, and nothing changes it afterwards.

All of these run in the transaction of what they document, after its posting to the ledger and with the payment's row
locked, as the last thing in it: numbers are taken here (:mod:`billing.services.numbering`). Asked for the same thing
again they give what was issued the first time.

What a credit note takes back is what the ledger takes from what was earned. So a refund that failed and is asked for
again is credited once, and a payment that never was earned, because it came too late, has neither invoice nor note.
What is earned again after all, because a bank has changed its mind, is invoiced again, as a correction of the note.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from accounts.models import Organization, User
from accounts.tax import TaxKind, Treatment, details_of, split_of, supplier_treatment_of, treatment_of
from billing import mails
from billing.documents import parties
from billing.documents.facts import DocumentLine, InvoiceDocument
from billing.documents.stored import from_json, to_json
from billing.models import (
    Chargeback,
    Invoice,
    Payment,
    Payout,
    PayoutLine,
    PayoutMethod,
    Refund,
    Series,
    SubscriptionPayment,
)
from billing.services import postings
from billing.services.numbering import take_number
from bookings.models import Charge, ChargeKind
from common.languages import in_english
from common.money import minor_unit, shared_out
from common.queue import soon

ZERO = Decimal(0)
KINDS = {
    Series.INVOICE: "invoice",
    Series.SUBSCRIPTION: "invoice",
    Series.CREDIT_NOTE: "credit_note",
    Series.SELF_BILLING: "self_billing",
    Series.SELF_BILLING_CREDIT: "self_billing_credit",
}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
#: What documents say of chargebacks.
TAKEN_BACK, GIVEN_AGAIN = "Taken back by the cardholder's bank", "Given back by the cardholder's bank"


def document_of(invoice: Invoice) -> InvoiceDocument:
    """What it said when it was issued.

    Raises:
        NotADocument: the row holds something else.
    """
    return from_json(InvoiceDocument, invoice.document)


# What is sold to buyers ----------------------------------------------------------------------------------


@in_english()
def issue_invoice(*, payment: Payment, now: datetime) -> Invoice:
    """For a payment whose charge is confirmed: a booking, a stage of one or an extension."""
    issued = _first_of(payment)
    if issued is not None:
        return issued
    booking, charge = payment.booking, payment.charge
    charge.booking = booking
    net, tax = split_of(booking.tax_kind, booking.tax_rate, payment.amount_total, payment.currency)
    paid_at = payment.paid_at or now
    document = InvoiceDocument(
        kind=KINDS[Series.INVOICE],
        number="",
        issued_on=_day(now),
        currency=payment.currency,
        seller=parties.platform(),
        buyer=parties.buyer(payment.payer, booking.billed_to),
        lines=_lines_of(charge, net, payment.currency),
        net=net,
        tax=tax,
        gross=payment.amount_total,
        tax_kind=booking.tax_kind,
        tax_rate=booking.tax_rate,
        supplied_from=_day(charge.covers_from),
        supplied_until=_last_day(charge.covers_until),
        purchase_order=booking.purchase_order,
        cost_centre=booking.cost_centre,
        paid=payment.amount_total,
        paid_by=f"{payment.card_label or 'Card'} on {_date(_day(paid_at))}",
        card_digits=_digits(payment.card_label),
        booking_reference=booking.reference,
    )
    invoice = _issue(
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


def _first_of(payment: Payment) -> Invoice | None:
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
    detail = f"Booking {charge.booking.reference}, {_window(charge.covers_from, charge.covers_until)}"
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


# What corrects it ----------------------------------------------------------------------------------------


@in_english()
def issue_credit_note(*, refund: Refund, now: datetime) -> Invoice | None:
    """At the moment a refund is owed, after :func:`~billing.services.postings.refund_owed`.

    ``None`` where there is nothing to correct: no invoice, or the amount was credited before.
    """
    return _credit_payment(refund.payment, refund.get_reason_display(), now=now, refund=refund)


@in_english()
def issue_chargeback_note(*, chargeback: Chargeback, now: datetime) -> Invoice | None:
    """When a bank has decided for the buyer, after :func:`~billing.services.postings.chargeback_moved`.

    ``None`` where there is nothing to correct.
    """
    return _credit_payment(chargeback.payment, TAKEN_BACK, now=now, chargeback=chargeback)


def _credit_payment(payment: Payment, why: str, *, now: datetime, **about: Refund | Chargeback) -> Invoice | None:
    invoice = _first_of(payment)
    if invoice is None:
        return None
    notes = (f"It goes back to {payment.card_label}.",) if "refund" in about and payment.card_label else ()
    wanted = postings.reversed_by(**about) - _credited_for(**about)
    issued = _credit(invoice, wanted, why, now=now, notes=notes, payment=payment, **about)
    return issued or Invoice.objects.filter(series=Series.CREDIT_NOTE, **about).first()


def _credited_for(**about: Refund | Chargeback) -> Decimal:
    """What credit notes took back for a refund or a chargeback and was not invoiced again."""
    documents = Invoice.objects.filter(**about)
    return _sum(documents.filter(series=Series.CREDIT_NOTE)) - _sum(documents.exclude(series=Series.CREDIT_NOTE))


@in_english()
def issue_reinstatement(*, chargeback: Chargeback, now: datetime) -> list[Invoice]:
    """When a bank no longer decides for the buyer: invoices what a chargeback's credit notes took back too much.

    Nothing where they took back what the ledger says.
    """
    wanted = _credited_for(chargeback=chargeback) - postings.reversed_by(chargeback=chargeback)
    invoice = _first_of(chargeback.payment)
    if invoice is None:
        return []
    notes = Invoice.objects.filter(series=Series.CREDIT_NOTE, chargeback=chargeback)
    about = {"payment": chargeback.payment, "chargeback": chargeback}
    return _reinstate(invoice, notes, wanted, GIVEN_AGAIN, now=now, **about)


@in_english()
def issue_subscription_credit_note(
    *, subscription_payment: SubscriptionPayment, now: datetime, why: str = "Refunded"
) -> Invoice | None:
    """For what went back of a period of a plan and is in no credit note yet; ``None`` where that is nothing."""
    invoice = _first_of_plan(subscription_payment)
    if invoice is None:
        return None
    wanted = subscription_payment.given_back - credited(invoice)
    return _credit(invoice, wanted, why, now=now, subscription_payment=subscription_payment)


@in_english()
def issue_subscription_reinstatement(
    *, subscription_payment: SubscriptionPayment, now: datetime, why: str = "Not refunded after all"
) -> list[Invoice]:
    """For what credit notes of a period of a plan took back and was kept after all: the refund has failed, or a bank has
    decided otherwise.
    """
    invoice = _first_of_plan(subscription_payment)
    if invoice is None:
        return []
    wanted = credited(invoice) - subscription_payment.given_back
    notes = invoice.corrections.filter(series=Series.CREDIT_NOTE)
    about = {"subscription_payment": subscription_payment}
    return _reinstate(invoice, notes, wanted, why, now=now, **about)


def _first_of_plan(paid: SubscriptionPayment) -> Invoice | None:
    first = Invoice.objects.filter(subscription_payment=paid, series=Series.SUBSCRIPTION, corrects=None)
    return first.select_related("owner", "booking").first()


def credited(invoice: Invoice) -> Decimal:
    """What its credit notes have taken back so far and was not invoiced again, tax included."""
    return _sum(invoice.corrections.all()) - _sum(Invoice.objects.filter(corrects__corrects=invoice))


def _sum(documents: QuerySet[Invoice]) -> Decimal:
    return documents.aggregate(total=Sum("gross"))["total"] or ZERO


def _credit(
    invoice: Invoice, wanted: Decimal, why: str, *, now: datetime, notes: tuple[str, ...] = (), **about: Any
) -> Invoice | None:
    """Take back ``wanted`` of an invoice, and never more than it has left."""
    amount = min(wanted, invoice.gross - credited(invoice))
    if amount <= 0:
        return None
    changes = {"notes": notes, "paid": ZERO, "paid_by": "", "card_digits": ""}
    return _correct(invoice, invoice, -amount, why, now=now, changes=changes, **about)


def _reinstate(
    invoice: Invoice, notes: QuerySet[Invoice], wanted: Decimal, why: str, *, now: datetime, **about: Any
) -> list[Invoice]:
    """Invoice ``wanted`` again, of the newest credit note first, and never more than each took back."""
    issued = []
    for note in notes.order_by("-issued_at", "-sequence"):
        amount = min(wanted, note.gross - _sum(note.corrections.all()))
        if amount > 0:
            wanted -= amount
            issued.append(_correct(invoice, note, amount, why, now=now, changes={"paid": amount}, **about))
    return issued


def _correct(
    invoice: Invoice,
    corrected: Invoice,
    change: Decimal,
    why: str,
    *,
    now: datetime,
    changes: dict[str, Any],
    **about: Any,
) -> Invoice:
    """A document that makes ``change`` to what is left of an invoice: less by a credit note of it, more by an invoice
    that corrects a credit note.

    Net and tax are the difference between those of what was kept before and of what is kept afterwards: so they agree
    with the ledger, and the last note takes exactly what is left.
    """
    original = document_of(invoice)
    before = invoice.gross - credited(invoice)
    net, tax = (
        abs(kept - held)
        for held, kept in zip(
            split_of(original.tax_kind, original.tax_rate, before, invoice.currency),
            split_of(original.tax_kind, original.tax_rate, before + change, invoice.currency),
            strict=True,
        )
    )
    unit = minor_unit(invoice.currency)
    series = Series.CREDIT_NOTE if change < 0 else invoice.series
    document = replace(
        original,
        kind=KINDS[Series(series)],
        number="",
        issued_on=_day(now),
        lines=(DocumentLine(why, Decimal(1), "item", net.quantize(unit), original.lines[0].detail),),
        net=net.quantize(unit),
        tax=tax.quantize(unit),
        gross=abs(change).quantize(unit),
        corrects_number=corrected.number,
        corrects_on=document_of(corrected).issued_on,
        **changes,
    )
    about = {"organization": invoice.organization, "booking": invoice.booking, "corrects": corrected, **about}
    return _issue(series, document, owner=invoice.owner, now=now, **about)


# What is bought from providers ---------------------------------------------------------------------------


@in_english()
def issue_self_billing(*, payout: Payout, now: datetime) -> Invoice:
    """For a payout that is scheduled: what its provider has sold, in their name (Art. 224 of Directive 2006/112/EC).

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
        issued_on=_day(now),
        currency=first.currency,
        seller=parties.supplier(first.provider),
        buyer=parties.platform(),
        lines=tuple(map(_earned, lines)),
        net=net,
        tax=first.tax,
        gross=first.amount,
        tax_kind=tax.kind,
        tax_rate=tax.rate,
        supplied_from=min((_day(line.booking.start) for line in lines), default=None),
        supplied_until=max((_last_day(line.booking.end) for line in lines), default=None),
        paid_to=f"SEPA transfer to {first.account.label}" if is_sepa else first.account.label,
        iban=first.account.iban if is_sepa else "",
    )
    return _issue(Series.SELF_BILLING, document, owner=first.provider, now=now, payout=first)


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
        f"Booking {booking.reference}, {_window(booking.start, booking.end)}",
    )


# Plans ---------------------------------------------------------------------------------------------------


@in_english()
def issue_subscription_invoice(*, subscription_payment: SubscriptionPayment, now: datetime) -> Invoice:
    """For a period of a plan that has been paid."""
    paid = subscription_payment
    issued = _first_of_plan(paid)
    if issued is not None:
        return issued
    net, tax = split_of(paid.tax_kind, paid.tax_rate, paid.amount, paid.currency)
    user: User = paid.subscription.user
    document = InvoiceDocument(
        kind=KINDS[Series.SUBSCRIPTION],
        number="",
        issued_on=_day(now),
        currency=paid.currency,
        seller=parties.platform(),
        buyer=parties.buyer(user, _billed_to(paid)),
        lines=(
            DocumentLine(
                f"Plan: {paid.get_tier_display()}",
                Decimal(1),
                "item",
                net,
                _window(paid.period_start, paid.period_end),
            ),
        ),
        net=net,
        tax=tax,
        gross=paid.amount,
        tax_kind=paid.tax_kind,
        tax_rate=paid.tax_rate,
        supplied_from=_day(paid.period_start),
        supplied_until=_last_day(paid.period_end),
        paid=paid.amount,
        paid_by=f"Card on {_date(_day(paid.paid_at))}",
    )
    return _issue(Series.SUBSCRIPTION, document, owner=user, now=now, subscription_payment=paid)


def _billed_to(paid: SubscriptionPayment) -> dict[str, str]:
    """The details that its tax was decided by, if those of today say otherwise."""
    if treatment_of(paid.subscription.user).kind == paid.tax_kind:
        return {}
    billed_to: dict[str, str] = paid.subscription.billing_details.get("billed_to", {})
    return billed_to


# All of them ---------------------------------------------------------------------------------------------


def _issue(series: str, document: InvoiceDocument, *, owner: User, now: datetime, **about: Any) -> Invoice:
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


def _digits(card_label: str) -> str:
    """The last four of ``Visa 4242``."""
    last = card_label.rpartition(" ")[2]
    return last if len(last) == 4 and last.isdigit() else ""


def _day(moment: datetime) -> date:
    """The seller's calendar is UTC."""
    return moment.astimezone(UTC).date()


def _last_day(until: datetime) -> date:
    return _day(until - timedelta(microseconds=1))


def _date(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _window(start: datetime, end: datetime) -> str:
    """Documents are in English and in UTC, whoever reads them."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{_date(last.date())}, {last:%H:%M}"
    return f"{_date(first.date())}, {first:%H:%M} – {until} UTC"
