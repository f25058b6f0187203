"""A charge is paid. Called by billing, which has recorded the money first."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.services.organizations import locked_organization
from bookings import mails
from bookings.models import Booking, Charge, ChargeKind
from bookings.services.budgets import OverBudget, check_budgets
from bookings.services.charges import Confirmation, set_paid
from bookings.services.extend import confirm_extension
from bookings.services.history import note
from bookings.services.locks import locked
from common.formats import money, window
from common.languages import said_later


@transaction.atomic
def confirm_charge(*, charge_id: UUID, now: datetime) -> Confirmation:
    """Give what the charge pays for. What does not fit is said, not raised: the money has arrived either way."""
    booking = locked(Charge.objects.values_list("booking_id", flat=True).get(pk=charge_id))
    charge = Charge.objects.select_for_update(of=("self",)).get(pk=charge_id)
    charge.booking = booking
    if charge.is_paid:
        return Confirmation.ALREADY_PAID
    if charge.kind == ChargeKind.EXTENSION:
        return confirm_extension(charge, now=now)
    outcome = _confirm_stage(charge, now=now) if charge.is_stage else _confirm_hold(booking, now=now)
    if outcome == Confirmation.CONFIRMED:
        set_paid(charge, now=now)
    return outcome


def _confirm_hold(booking: Booking, *, now: datetime) -> Confirmation:
    """A hold past its time that no sweep has canceled yet still has its window, so it is confirmed.

    Budgets do not wait for the sweep, so it has to fit into what others have left of them since.
    """
    if not booking.is_hold:
        return Confirmation.TOO_LATE
    if booking.organization_id and booking.hold_expires_at <= now and not _still_fits(booking, now=now):
        return Confirmation.TOO_LATE
    booking.paid_at = now
    booking.save(update_fields=["paid_at"])
    note(booking, "Paid and confirmed", now=now, by=booking.buyer)
    mails.confirmed(booking)
    return Confirmation.CONFIRMED


def _still_fits(booking: Booking, *, now: datetime) -> bool:
    assert booking.organization_id is not None
    try:
        check_budgets(
            organization=locked_organization(booking.organization_id),
            project=booking.project,
            member=booking.buyer,
            amount=booking.price_total,
            currency=booking.currency,
            now=now,
        )
    except OverBudget:
        return False
    return True


def _confirm_stage(charge: Charge, *, now: datetime) -> Confirmation:
    booking = charge.booking
    if not charge.is_open or not booking.is_going_on(now=now):
        return Confirmation.TOO_LATE
    what = said_later(
        lambda: f"{money(charge.amount, charge.currency)} for {window(charge.covers_from, charge.covers_until)}."
    )
    note(booking, f"Stage {charge.number} paid", now=now, detail=what)
    return Confirmation.CONFIRMED
