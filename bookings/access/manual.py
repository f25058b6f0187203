"""A machine without an agent: its provider lets the buyer in and erases it, by hand, and records both."""

from datetime import datetime

from bookings import mails
from bookings.models import Access, Booking


class ManualAccess:
    def open(self, booking: Booking, *, now: datetime) -> None:
        """Tell the buyer how to get in, or the provider that it is time to say so."""
        access = Access.objects.filter(booking=booking).first()
        if access:
            mails.access_ready(booking, access)
        else:
            mails.access_needed(booking)

    def close(self, booking: Booking, *, now: datetime) -> None:
        """Ask the provider to end the access, wipe the machine and record each step."""
        mails.wipe_needed(booking)
