"""What a booking costs, part by part, as its page shows it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.tax import TaxKind, split_of
from bookings.models import Booking, Charge, ChargeKind
from common.formats import counted, day, money, percent, when

ZERO = Decimal(0)


@dataclass(frozen=True)
class Part:
    """One charge: for when, how much, and where it stands. ``is_late``: the buyer should pay it now."""

    charge: Charge
    label: str
    tone: str
    state: str
    is_late: bool


@dataclass(frozen=True)
class Costs:
    """``lines`` are the quote of the booking as it was made; ``extra`` what came to it or off it since; together they
    make ``total``. ``parts`` are empty where all was paid at once."""

    lines: list[dict[str, Any]]
    extra: list[tuple[str, Decimal]]
    total: Decimal
    tax: str
    parts: list[Part]
    first: Charge | None
    extension: Charge | None

    @property
    def label(self) -> str:
        """Of the total, while not all of it has been paid or asked for."""
        return _("Total, charged in stages") if any(part.charge.is_stage for part in self.parts) else _("Total")


def costs_of(booking: Booking, *, now: datetime) -> Costs:
    """Reads the booking's charges, once if they are prefetched."""
    charges = list(booking.charges.all())
    kept = [charge for charge in charges if charge.is_open or charge.is_paid]
    shown = [charge for charge in charges if _is_shown(charge)]
    return Costs(
        lines=booking.lines(),
        extra=_extra(booking, charges),
        total=booking.price_total,
        tax=tax_words(booking, [charge for charge in kept if charge.is_paid or not charge.is_extension]),
        parts=[_part(charge, now=now) for charge in shown] if len(shown) > 1 else [],
        first=next((charge for charge in charges if charge.kind == ChargeKind.BOOKING), None),
        extension=next((charge for charge in charges if charge.is_open and charge.is_extension), None),
    )


def _is_shown(charge: Charge) -> bool:
    """An extension that was never paid has left nothing behind."""
    return charge.is_paid or charge.paid_at is not None or not charge.is_extension


def _extra(booking: Booking, charges: list[Charge]) -> list[tuple[str, Decimal]]:
    listed = sum((line["amount"] for line in booking.lines()), ZERO)
    asked = sum((charge.amount for charge in charges if not charge.is_extension), ZERO)
    stages = [charge.amount for charge in charges if charge.is_stage and not charge.is_open and not charge.is_paid]
    rows = [(_("VAT, not charged"), asked - listed)] if asked != listed and charges else []
    rows += [(_extended(charge), charge.amount) for charge in charges if charge.is_extension and charge.is_paid]
    return [*rows, (_("Stages that are not charged"), -sum(stages, ZERO))] if any(stages) else rows


def _extended(charge: Charge) -> str:
    words = ", ".join(_words(line, charge.currency) for line in charge.lines())
    said = _("Extended to %(moment)s: %(lines)s") if words else _("Extended to %(moment)s")
    return said % {"moment": when(charge.until), "lines": words}


def _words(line: dict[str, Any], currency: str) -> str:
    return counted(line["unit"], line["quantity"], money(line["rate"], currency))


def tax_words(booking: Booking, charges: list[Charge]) -> str:
    """The VAT in these charges, or why there is none. It is in each payment, so it is rounded in each."""
    if booking.tax_kind == TaxKind.REVERSE_CHARGE:
        return _("No VAT: reverse charge, you account for it.")
    if booking.tax_kind == TaxKind.OUTSIDE_EU:
        return _("No VAT: it is supplied outside the EU.")
    if booking.tax_kind != TaxKind.STANDARD:
        return ""
    splits = (split_of(booking.tax_kind, booking.tax_rate, charge.amount, charge.currency) for charge in charges)
    tax = sum((tax for _net, tax in splits), ZERO)
    return _("Of which %(rate)s VAT: %(amount)s.") % {
        "rate": percent(booking.tax_rate),
        "amount": money(tax, booking.currency),
    }


def _part(charge: Charge, *, now: datetime) -> Part:
    label = {ChargeKind.BOOKING: _("Booking"), ChargeKind.STAGE: _("Stage %(number)s") % {"number": charge.number}}.get(
        ChargeKind(charge.kind), _("Extension")
    )
    tone, state, is_late = charge.tone, charge.get_status_display(), False
    if charge.is_paid and charge.paid_at:
        state = _("Paid %(day)s") % {"day": day(charge.paid_at)} if charge.amount else pgettext("costs nothing", "Free")
    elif charge.paid_at:
        state = _("Given back")
    elif charge.is_open and charge.is_stage:
        is_late = charge.due_at <= now
        tone, state = (
            ("bad", _("To be paid now")) if is_late else ("soft", _("Charged on %(day)s") % {"day": day(charge.due_at)})
        )
    elif not charge.is_open:
        state = _("Not charged")
    return Part(charge, label, tone, state, is_late and charge.is_payable(now=now))
