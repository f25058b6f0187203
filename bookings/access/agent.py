"""A machine with an agent: it makes the buyer's account or container by itself, and erases it by itself."""

from datetime import datetime

from bookings import mails
from bookings.models import ACCESS_WORK, Access, Booking
from bookings.services import erasure, provision
from machines.models import Work, WorkKind
from machines.services.work import cancel_open


class AgentAccess:
    def open(self, booking: Booking, *, now: datetime) -> None:
        """Ask every agent of the machine to let the buyer in.

        What its provider entered by hand, before the machine had an agent, lets nobody in: it is no hand-over.
        """
        Access.objects.filter(booking=booking).delete()
        provision.ask(booking, now=now)

    def withdraw(self, booking: Booking, *, now: datetime) -> bool:
        """What an agent has been handed it may have begun, whether it said so or not: that leaves traces."""
        # First, so that what is handed out at this very moment is seen: the update waits for it.
        cancel_open(booking_id=booking.pk, kinds=ACCESS_WORK, now=now)
        begun = Work.objects.filter(booking_id=booking.pk, kind=WorkKind.PROVISION, leased_at__isnull=False)
        return begun.exists() or Access.objects.filter(booking=booking).exists()

    def close(self, booking: Booking, *, now: datetime) -> None:
        """Ask for the wipe, which begins by ending sessions and taking the keys away."""
        erasure.ask_for_wipe(booking, now=now)
        mails.ended(booking)
