"""What a booking costs, part by part, as its page shows it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.tax import TaxKind, split_of
from bookings.models import Booking, Charge, ChargeKind
from common.formats import day, money, number, percent, when

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
        return "Total, charged in stages" if any(part.charge.is_stage for part in self.parts) else "Total"


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
    rows = [("VAT, not charged", asked - listed)] if asked != listed and charges else []
    rows += [(_extended(charge), charge.amount) for charge in charges if charge.is_extension and charge.is_paid]
    return [*rows, ("Stages that are not charged", -sum(stages, ZERO))] if any(stages) else rows


def _extended(charge: Charge) -> str:
    words = ", ".join(_words(line, charge.currency) for line in charge.lines())
    return f"Extended to {when(charge.until)}{f': {words}' if words else ''}"


def _words(line: dict[str, Any], currency: str) -> str:
    unit = line["unit"] if abs(line["quantity"]) == 1 else f"{line['unit']}s"
    less = "less " if line["quantity"] < 0 else ""
    return f"{less}{number(abs(line['quantity']))} {unit} × {money(line['rate'], currency)}"


def tax_words(booking: Booking, charges: list[Charge]) -> str:
    """The VAT in these charges, or why there is none. It is in each payment, so it is rounded in each."""
    if booking.tax_kind == TaxKind.REVERSE_CHARGE:
        return "No VAT: reverse charge, you account for it."
    if booking.tax_kind == TaxKind.OUTSIDE_EU:
        return "No VAT: it is supplied outside the EU."
    if booking.tax_kind != TaxKind.STANDARD:
        return ""
    splits = (split_of(booking.tax_kind, booking.tax_rate, charge.amount, charge.currency) for charge in charges)
    tax = sum((tax for _, tax in splits), ZERO)
    return f"Of which {percent(booking.tax_rate)} VAT: {money(tax, booking.currency)}."


def _part(charge: Charge, *, now: datetime) -> Part:
    label = {ChargeKind.BOOKING: "Booking", ChargeKind.STAGE: f"Stage {charge.number}"}.get(
        ChargeKind(charge.kind), "Extension"
    )
    tone, state, is_late = charge.tone, charge.get_status_display(), False
    if charge.is_paid and charge.paid_at:
        state = f"Paid {day(charge.paid_at)}" if charge.amount else "Free"
    elif charge.paid_at:
        state = "Given back"
    elif charge.is_open and charge.is_stage:
        is_late = charge.due_at <= now
        tone, state = ("bad", "To be paid now") if is_late else ("soft", f"Charged on {day(charge.due_at)}")
    elif not charge.is_open:
        state = "Not charged"
    return Part(charge, label, tone, state, is_late and charge.is_payable(now=now))
