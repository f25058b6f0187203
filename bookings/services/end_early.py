"""Ending a running booking before its time: what is left of it is given back by the terms (rules: When)."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import events, mails
from bookings.errors import BookingError, NotYours, RefundChanged
from bookings.let_in import lacked_a_key, was_never_let_in
from bookings.models import Booking
from bookings.services.cancel import check_shown
from bookings.services.charges import drop_open, paid_minutes
from bookings.services.extend import tell_agents
from bookings.services.history import note
from bookings.services.locks import locked
from bookings.terms import Ending, earliest_end, refund_for_ending
from common.formats import money, when_both
from common.languages import said_later

#: The new end may be so far ahead, so that what a page shows holds while it is being read.
AHEAD = timedelta(minutes=10)
BECAUSE = "Ended early by the buyer"


def why_not_end(booking: Booking, *, now: datetime) -> str:
    """Why the booking cannot be ended early, in words; empty if it can."""
    if booking.ended_early_at is not None:
        return _("You have ended this booking: its end is %(end)s.") % {"end": when_both(booking.end)}
    if not booking.is_active or not booking.is_going_on(now=now) or booking.left_at is not None:
        return _("Only a booking that runs can be ended early.")
    if earliest_end(booking, now=now) >= booking.end:
        return _("This booking ends within the minute.")
    is_waiting = getattr(booking, "access", None) is None and not lacked_a_key(booking)
    if is_waiting and not was_never_let_in(booking, now=now):
        return _("You are being let in just now. If that takes long, you can end it, and everything comes back.")
    return ""


@transaction.atomic
def end_early(
    *,
    booking_id: UUID,
    by: User,
    now: datetime,
    at: datetime | None = None,
    expected_back: Decimal | None = None,
) -> Booking:
    """End a running booking, and owe the buyer what :func:`bookings.terms.refund_for_ending` says. Twice is quiet.

    The calendar is free from then on. The ordinary sweep ends the access at the new end and has the machine erased.

    Args:
        at: the new end, a few minutes ahead at most; if not given, the next whole minute.
        expected_back: what the buyer was shown that comes back; anything else is refused rather than done.

    Raises:
        NotYours: the person is not its buyer.
        RefundChanged: it is no longer ``expected_back``, or ``at`` has passed.
        BookingError: it does not run, or cannot be ended like this.
    """
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours(_("This booking is not yours."))
    if booking.ended_early_at is not None:
        return booking
    if why_not := why_not_end(booking, now=now):
        raise BookingError(why_not)
    ending = refund_for_ending(booking, now=now, at=_checked(booking, at, now=now))
    check_shown(booking, ending.back, expected_back)
    _end(booking, ending, now=now)
    note(booking, BECAUSE, now=now, by=by, detail=said_later(lambda: _told(booking, ending)))
    events.booking_ended_early.send(Booking, booking=booking, amount=ending.back, by=by, now=now)
    mails.ended_early(booking, ending)
    tell_agents(booking, now=now)
    return booking


def _told(booking: Booking, ending: Ending) -> str:
    back, price = money(ending.back, booking.currency), money(ending.price, booking.currency)
    return f"It ends {when_both(booking.end)}. {back} of {price} comes back."


def _checked(booking: Booking, at: datetime | None, *, now: datetime) -> datetime | None:
    if at is None:
        return None
    if at < earliest_end(booking, now=now):
        raise RefundChanged(_("The minute at which it was to end has passed. Look at it again, then decide."))
    if at > now + AHEAD or at >= booking.end or at.second or at.microsecond:
        raise BookingError(_("A booking is ended within the next minutes, on a whole one."))
    return at


def _end(booking: Booking, ending: Ending, *, now: datetime) -> None:
    drop_open(booking, BECAUSE, now=now)
    early = booking.end - ending.end
    booking.end -= early
    booking.blocked_until -= early
    if booking.booked_end is not None:
        booking.booked_end -= early
    booking.paid_minutes = paid_minutes(booking)
    booking.ended_early_at, booking.unused_amount = now, ending.back
    fields = ["end", "blocked_until", "booked_end", "paid_minutes", "price_total", "ended_early_at", "unused_amount"]
    booking.save(update_fields=fields)
