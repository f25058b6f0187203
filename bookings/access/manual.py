"""A machine without an agent: its provider lets the buyer in and erases it, by hand, and records both."""

from datetime import datetime

from bookings import mails
from bookings.let_in import is_left_out
from bookings.models import Access, Booking
from bookings.services.late import make_up_for_delay


class ManualAccess:
    def open(self, booking: Booking, *, now: datetime) -> None:
        """Tell the buyer how to get in, or the provider that it is time to say so."""
        access = Access.objects.filter(booking=booking).first()
        if access:
            make_up_for_delay(booking, now=now)
            mails.access_ready(booking, access)
        else:
            mails.access_needed(booking)
            if is_left_out(booking) and not booking.keys_let_in().exists():
                mails.nobody_let_in(booking)

    def withdraw(self, booking: Booking, *, now: datetime) -> bool:
        """A provider who never entered the access has let nobody in."""
        return Access.objects.filter(booking=booking).exists()

    def close(self, booking: Booking, *, now: datetime) -> None:
        """Ask the provider to end the access, wipe the machine and record each step."""
        mails.wipe_needed(booking)
