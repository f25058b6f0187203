"""The mails about money. They go to the outbox, in the event's own transaction."""

from datetime import date, datetime

from babel.dates import format_date
from django.urls import reverse

from accounts.models import Notification, User
from accounts.outbox import write_mail, written_for
from accounts.services.notifications import notify
from billing.models import Invoice, Payment
from bookings.models import Charge
from common.formats import language, locale, money, when, when_both


def stage_failed(charge: Charge, payment: Payment, *, next_try: datetime) -> None:
    """A stage could not be charged: what to do, and what happens otherwise."""
    _stage(charge, payment, "stage-failed", "could not be charged", payment.failure, next_try=next_try)


def stage_needs_you(charge: Charge, payment: Payment, *, next_try: datetime | None) -> None:
    """The bank wants to see the buyer before it lets a stage through."""
    why = "Your bank wants you to confirm it. That takes a minute on the page."
    _stage(charge, payment, "stage-needs-you", "waits for you", why, next_try=next_try)


def _stage(charge: Charge, payment: Payment, event: str, what: str, why: str, *, next_try: datetime | None) -> None:
    booking, price = charge.booking, money(charge.amount, charge.currency)
    page = reverse("charge_pay", args=[booking.pk, charge.pk])
    with written_for(booking.buyer):
        again = f"We try again on {when(next_try)}. " if next_try else ""
        title = f"Stage {charge.number} of your booking {what}: {price}"
        ends = f"If it stays unpaid, the booking ends when the paid time does: {when_both(charge.since)}."
        write_mail(
            user=booking.buyer,
            key=f"{event}:{payment.pk}",
            subject=title,
            paragraphs=[
                f"{price} for {booking.machine.title}, {when(charge.since)} to {when(charge.until)}, {what}.",
                why,
                f"{again}{ends}",
            ],
            action=("Pay it now", page),
        )
        notify(
            user=booking.buyer,
            key=f"{event}:{payment.pk}",
            title=title,
            text=f"{why} {again}",
            link=page,
            tone=Notification.Tone.BAD,
        )


def invoice_issued(invoice: Invoice, *, address: str) -> None:
    """To where a business wants its invoices."""
    document = f"{invoice.get_series_display()} {invoice.number}"
    with written_for(invoice.owner):
        amount = money(invoice.gross, invoice.currency)
        write_mail(
            user=invoice.owner,
            key=f"invoice-issued:{invoice.pk}",
            subject=f"{document}: {amount}",
            paragraphs=[
                f"{document} over {amount} has been issued.",
                f"It corrects {invoice.corrects.number}." if invoice.corrects else "",
                "On its page is the PDF, with the XML that accounting software reads in it.",
            ],
            action=("Open it", reverse("invoice_detail", args=[invoice.pk])),
            address=address,
        )


def statement_key(month: date) -> str:
    return f"statement:{month:%Y-%m}"


def statement_ready(user: User, month: date, *, address: str) -> None:
    """To where a business wants its invoices, on the first days of the month after."""
    name = format_date(month, "MMMM y", locale=locale(language()))
    write_mail(
        user=user,
        key=statement_key(month),
        subject=f"Statement for {name}",
        paragraphs=[
            f"Your statement for {name} is ready: every invoice and credit note, with purchase orders and cost centres.",
            "It can be downloaded as a PDF and as a table.",
        ],
        action=("Open the statement", reverse("statement_detail", args=[month])),
        address=address,
    )
