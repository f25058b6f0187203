"""Bookings that are paid in stages, and what becomes of one whose stage is not paid (rules: Money)."""

from datetime import datetime
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.db import transaction

from bookings import events, mails
from bookings.availability import whole_minute
from bookings.models import Booking, Charge, ChargeKind
from bookings.services.charges import drop, drop_open, paid_minutes
from bookings.services.extend import tell_agents
from bookings.services.history import note
from bookings.services.locks import locked
from common.formats import money, when_both
from common.languages import said_later

BECAUSE = "A stage was not paid"


@transaction.atomic
def cut_to_paid(*, charge_id: UUID, now: datetime) -> bool:
    """End the booking where the time begins that this stage was to pay for. Returns whether it was due.

    It and all later stages are not charged any more, and what was paid for later time comes back, unless it has before.
    The ordinary sweep ends the booking then, in order, and has the machine erased.
    """
    booking = locked(Charge.objects.values_list("booking_id", flat=True).get(pk=charge_id))
    charge = Charge.objects.select_for_update(of=("self",)).get(pk=charge_id)
    if not charge.is_open or charge.kind != ChargeKind.STAGE or not booking.is_going_on(now=now):
        return False
    end = charge.covers_from + booking.made_up
    drop_open(booking, BECAUSE, now=now)
    dropped = _drop_later(booking, charge.covers_from, now=now)
    # A sweep that comes late has let it run on: that time is over, and nobody pays for it.
    _cut(booking, min(booking.end, max(end, whole_minute(now))))
    answers = events.booking_cut.send(Booking, booking=booking, charges=dropped, now=now)
    back = sum((cast(Decimal, answer) for _observer, answer in answers), Decimal(0))
    note(
        booking,
        f"Ends early: stage {charge.number} was not paid",
        now=now,
        detail=said_later(lambda: _told(booking, back)),
    )
    mails.cut(booking, charge, back)
    tell_agents(booking, now=now)
    return True


def _told(booking: Booking, back: Decimal) -> str:
    end = f"It ends {when_both(booking.end)}."
    return f"{end} {money(back, booking.currency)} comes back." if back else end


def _drop_later(booking: Booking, since: datetime, *, now: datetime) -> list[Charge]:
    """Drop what was paid for time that there will not be: it is no part of the price any more."""
    charges = list(booking.charges.paid().filter(covers_from__gte=since).select_for_update(of=("self",)))
    for charge in charges:
        drop(charge, BECAUSE, now=now)
        booking.price_total -= charge.amount
    return charges


def _cut(booking: Booking, end: datetime) -> None:
    early = booking.end - end
    booking.end -= early
    booking.blocked_until -= early
    if booking.booked_end is not None:
        booking.booked_end -= early
    booking.paid_minutes = paid_minutes(booking)
    booking.save(update_fields=["end", "blocked_until", "booked_end", "paid_minutes", "price_total"])
