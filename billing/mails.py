"""The mails about money. They go to the outbox, in the event's own transaction."""

from datetime import date, datetime

from babel.dates import format_date
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, Organization, User
from accounts.outbox import written_for
from accounts.services.telling import tell
from billing.models import Invoice, Payment
from bookings.models import Charge
from common.formats import language, locale, money, when, when_both


def stage_failed(charge: Charge, payment: Payment, *, next_try: datetime) -> None:
    """A stage could not be charged: what to do, and what happens otherwise."""
    with written_for(charge.booking.buyer):
        _stage(
            charge,
            payment,
            "stage-failed",
            _("Stage %(number)d of your booking could not be charged: %(price)s"),
            _("%(price)s for %(machine)s, %(since)s to %(until)s, could not be charged."),
            _(payment.failure),
            next_try=next_try,
        )


def stage_needs_you(charge: Charge, payment: Payment, *, next_try: datetime | None) -> None:
    """The bank wants to see the buyer before it lets a stage through."""
    with written_for(charge.booking.buyer):
        _stage(
            charge,
            payment,
            "stage-needs-you",
            _("Stage %(number)d of your booking waits for you: %(price)s"),
            _("%(price)s for %(machine)s, %(since)s to %(until)s, waits for you."),
            _("Your bank wants you to confirm it. That takes a minute on the page."),
            next_try=next_try,
        )


def _stage(
    charge: Charge, payment: Payment, event: str, title: str, said: str, why: str, *, next_try: datetime | None
) -> None:
    booking = charge.booking
    words = {
        "number": charge.number,
        "price": money(charge.amount, charge.currency),
        "machine": booking.machine.title,
        "since": when(charge.since),
        "until": when(charge.until),
    }
    again = _("We try again on %(when)s.") % {"when": when(next_try)} + " " if next_try else ""
    ends = _("If it stays unpaid, the booking ends when the paid time does: %(when)s.") % {
        "when": when_both(charge.since)
    }
    tell(
        user=booking.buyer,
        event=EventKind.UNPAID,
        key=f"{event}:{payment.pk}",
        subject=title % words,
        paragraphs=[said % words, why, f"{again}{ends}"],
        text=f"{why} {again}",
        text_for_organization=f"{said % words} {again}".strip(),  # why is the buyer's alone (decision 0043)
        action=(_("Pay it now"), reverse("charge_pay", args=[booking.pk, charge.pk])),
        tone=Notification.Tone.BAD,
        organization=booking.organization,
        about={"booking": str(booking.pk), "reference": booking.reference, "charge": str(charge.pk)},
    )


def invoice_issued(invoice: Invoice, *, to: User, address: str) -> None:
    """To where a business wants its invoices; of an organization's, to its owner or the address that it has for them."""
    with written_for(to):
        document = f"{invoice.get_series_display()} {invoice.number}"
        amount = money(invoice.gross, invoice.currency)
        corrects = _("It corrects %(number)s.") % {"number": invoice.corrects.number} if invoice.corrects else ""
        tell(
            user=to,
            event=EventKind.INVOICE,
            key=f"invoice-issued:{invoice.pk}",
            subject=f"{document}: {amount}",
            paragraphs=[
                _("%(document)s over %(amount)s has been issued.") % {"document": document, "amount": amount},
                _bought_by(invoice),
                corrects,
                _("On its page is the PDF, with the XML that accounting software reads in it."),
            ],
            action=(_("Open it"), reverse("invoice_detail", args=[invoice.pk])),
            address=address,
            organization=invoice.organization,
            about={"invoice": str(invoice.pk), "number": invoice.number},
        )


def _bought_by(invoice: Invoice) -> str:
    if invoice.organization is None:
        return ""
    return _("%(who)s bought this for %(name)s.") % {
        "who": invoice.owner.known_as,
        "name": invoice.organization.name,
    }


def statement_key(month: date) -> str:
    """Of a person's; of an organization's its id follows after a colon."""
    return f"statement:{month:%Y-%m}"


def statement_ready(account: User | Organization, month: date, *, address: str) -> None:
    """To where a business wants its invoices, on the first days of the month after."""
    if isinstance(account, Organization):
        page = reverse("organization_statement_detail", args=[account.pk, month])
        _statement(account.owner, f"{statement_key(month)}:{account.pk}", month, page, address, account)
    else:
        _statement(account, statement_key(month), month, reverse("statement_detail", args=[month]), address, None)


def _statement(user: User, key: str, month: date, page: str, address: str, organization: Organization | None) -> None:
    with written_for(user):
        said = format_date(month, "MMMM y", locale=locale(language()))
        subject = _("Statement for %(month)s") % {"month": said}
        tell(
            user=user,
            event=EventKind.INVOICE,
            key=key,
            subject=f"{organization.name}: {subject}" if organization else subject,
            paragraphs=[
                _(
                    "Your statement for %(month)s is ready: every invoice and credit note, with purchase orders and cost centres."
                )
                % {"month": said},
                _("It can be downloaded as a PDF and as a table."),
            ],
            action=(_("Open the statement"), page),
            address=address,
            organization=organization,
        )
