"""Since when a buyer could be let in, whether they were at all, and whether that nobody was is the machine's doing."""

from datetime import datetime

from django.conf import settings
from django.db.models import Max, Min, QuerySet

from accounts.permissions import Booker, booker
from bookings.models import Booking, KeyChoice
from machines.models import Work, WorkKind, WorkState


def is_left_out(booking: Booking) -> bool:
    """Its buyer may not book for the organization that it is for (any more): keys of their own are not let in."""
    who = _booker(booking)
    return who is not None and not who.may


def could_be_let_in(booking: Booking) -> datetime:
    """From when on it is the machine's time that passes: not while the booking was unpaid or its buyer had no key."""
    moments = (_begin(booking), _first_key_at(booking))
    return max(moment for moment in moments if moment is not None)


def lacked_a_key(booking: Booking) -> bool:
    """That nobody came in is not the machine's doing.

    The buyer has given no key to let in, or only at the last moment, or took it back at once; or by then they did not book
    for the organization any more that it is for, and this had no key of its own to let in.
    """
    if booking.started_at is None or getattr(booking, "access", None) is not None:
        return False
    agents = booking.machine.agents.enrolled().filter(enrolled_at__lt=booking.end)
    if booking.is_automatic and not agents.exists():
        return False
    overdue = _begin(booking) + settings.MARKETPLACE_LATE_START
    who = _booker(booking)
    if who is not None and not who.may and (who.since is None or who.since < overdue):
        return not booking.keys_let_in().exists()
    if booking.is_automatic and not _asked(booking).exclude(state=WorkState.CANCELED).exists():
        return True
    came_back = who is not None and who.may and who.since is not None and who.since >= overdue
    if not (booking.is_automatic or came_back):
        return False
    since = could_be_let_in(booking)
    return since >= overdue and booking.end - since < settings.MARKETPLACE_LATE_START


def was_never_let_in(booking: Booking, *, now: datetime) -> bool:
    """Could be let in long enough ago, and the machine has not let its buyer in, who has given a key."""
    if booking.started_at is None or getattr(booking, "access", None) is not None:
        return False
    is_overdue = now >= could_be_let_in(booking) + settings.MARKETPLACE_LATE_START
    return is_overdue and not lacked_a_key(booking)


def _booker(booking: Booking) -> Booker | None:
    """Of a booking for an organization: whether its buyer may book for it, and since when that is so."""
    if booking.organization_id is None:
        return None
    return booker(user=booking.buyer_id, organization=booking.organization_id)


def _begin(booking: Booking) -> datetime:
    return max(booking.start, booking.paid_at) if booking.paid_at else booking.start


def _asked(booking: Booking) -> QuerySet[Work]:
    return Work.objects.filter(booking_id=booking.pk, kind=WorkKind.PROVISION)


def _first_key_at(booking: Booking) -> datetime | None:
    """Since when there has been a key to let in: one that an agent was told of counts though it has been replaced since.

    Of a buyer who did not book for the organization for a while and does again, nothing from before counts.
    """
    who, asked = _booker(booking), _asked(booking)
    again = who.since if who is not None and who.may else None
    if again is not None:
        locked = Work.objects.filter(booking_id=booking.pk, kind=WorkKind.REVOKE, created_at__lte=again)
        if last := locked.aggregate(at=Max("created_at"))["at"]:
            asked = asked.filter(created_at__gt=last)
    choice = KeyChoice.objects.filter(booking=booking).first()
    since = [moment for moment in (choice.counts_from if choice else None, again) if moment is not None]
    added = [
        key.created_at if key.is_of_organization else max([key.created_at, *since]) for key in booking.keys_let_in()
    ]
    first = asked.aggregate(at=Min("created_at"))["at"]
    return min((moment for moment in (first, *added) if moment is not None), default=None)
