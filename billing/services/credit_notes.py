"""What corrects invoices: credit notes, and invoices that correct credit notes.

What a credit note takes back is what the ledger takes from what was earned. So a refund that failed and is asked for
again is credited once, and a payment that never was earned, because it came too late, has neither invoice nor note.
What is earned again after all, because a bank has changed its mind, is invoiced again, as a correction of the note.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from accounts.tax import split_of
from billing.documents.facts import DocumentLine
from billing.models import Chargeback, Invoice, Payment, Refund, Series, SubscriptionPayment
from billing.services import postings
from billing.services.invoices import first_of, first_of_plan
from billing.services.issuing import KINDS, day, document_of, issue
from common.languages import in_english
from common.money import minor_unit

ZERO = Decimal(0)
#: What documents say of refunds of plans.
REFUNDED, KEPT_AFTER_ALL = "Refunded", "Not refunded after all"
#: What documents say of chargebacks.
TAKEN_BACK, GIVEN_AGAIN = "Taken back by the cardholder's bank", "Given back by the cardholder's bank"


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
    invoice = first_of(payment)
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
    invoice = first_of(chargeback.payment)
    if invoice is None:
        return []
    notes = Invoice.objects.filter(series=Series.CREDIT_NOTE, chargeback=chargeback)
    about = {"payment": chargeback.payment, "chargeback": chargeback}
    return _reinstate(invoice, notes, wanted, GIVEN_AGAIN, now=now, **about)


@in_english()
def issue_subscription_credit_note(
    *, subscription_payment: SubscriptionPayment, now: datetime, why: str = REFUNDED
) -> Invoice | None:
    """For what went back of a period of a plan and is in no credit note yet; ``None`` where that is nothing."""
    invoice = first_of_plan(subscription_payment)
    if invoice is None:
        return None
    wanted = subscription_payment.given_back - credited(invoice)
    return _credit(invoice, wanted, why, now=now, subscription_payment=subscription_payment)


@in_english()
def issue_subscription_reinstatement(
    *, subscription_payment: SubscriptionPayment, now: datetime, why: str = KEPT_AFTER_ALL
) -> list[Invoice]:
    """For what credit notes of a period of a plan took back and was kept after all: the refund has failed, or a bank has
    decided otherwise.
    """
    invoice = first_of_plan(subscription_payment)
    if invoice is None:
        return []
    wanted = credited(invoice) - subscription_payment.given_back
    notes = invoice.corrections.filter(series=Series.CREDIT_NOTE)
    about = {"subscription_payment": subscription_payment}
    return _reinstate(invoice, notes, wanted, why, now=now, **about)


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
        issued_on=day(now),
        lines=(DocumentLine(why, Decimal(1), "item", net.quantize(unit), original.lines[0].detail),),
        net=net.quantize(unit),
        tax=tax.quantize(unit),
        gross=abs(change).quantize(unit),
        corrects_number=corrected.number,
        corrects_on=document_of(corrected).issued_on,
        **changes,
    )
    about = {"organization": invoice.organization, "booking": invoice.booking, "corrects": corrected, **about}
    return issue(series, document, owner=invoice.owner, now=now, **about)
