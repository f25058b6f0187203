"""A charge is paid. Called by billing, which has recorded the money first."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from bookings import mails
from bookings.models import Charge, ChargeKind
from bookings.services.charges import Confirmation, set_paid
from bookings.services.extend import confirm_extension
from bookings.services.history import note
from bookings.services.locks import locked_with_organization
from bookings.services.purposes import is_for_it_still
from common.formats import money, window_both
from common.languages import said_later


@transaction.atomic
def confirm_charge(*, charge_id: UUID, now: datetime) -> Confirmation:
    """Give what the charge pays for. What does not fit is said, not raised: the money has arrived either way."""
    booking = locked_with_organization(Charge.objects.values_list("booking_id", flat=True).get(pk=charge_id))
    charge = Charge.objects.select_for_update(of=("self",)).get(pk=charge_id)
    charge.booking = booking
    if charge.is_paid:
        return Confirmation.ALREADY_PAID
    if charge.kind == ChargeKind.EXTENSION:
        return confirm_extension(charge, now=now)
    outcome = _confirm_stage(charge, now=now) if charge.is_stage else _confirm_hold(charge, now=now)
    if outcome == Confirmation.CONFIRMED:
        set_paid(charge, now=now)
    return outcome


def _confirm_hold(charge: Charge, *, now: datetime) -> Confirmation:
    """A hold past its time that no sweep has canceled yet still has its window, so it is confirmed."""
    booking = charge.booking
    if not booking.is_hold or not is_for_it_still(charge, now=now):
        return Confirmation.TOO_LATE
    booking.paid_at = now
    booking.save(update_fields=["paid_at"])
    note(booking, "Paid and confirmed", now=now, by=booking.buyer)
    mails.confirmed(booking)
    return Confirmation.CONFIRMED


def _confirm_stage(charge: Charge, *, now: datetime) -> Confirmation:
    booking = charge.booking
    if not charge.is_open or not booking.is_going_on(now=now):
        return Confirmation.TOO_LATE
    what = said_later(
        lambda: f"{money(charge.amount, charge.currency)} for {window_both(charge.covers_from, charge.covers_until)}."
    )
    note(booking, f"Stage {charge.number} paid", now=now, detail=what)
    return Confirmation.CONFIRMED
