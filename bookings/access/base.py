from datetime import datetime
from typing import Protocol

from bookings.models import Booking


class MachineAccess(Protocol):
    """Lets a buyer in and erases the machine afterwards. Called inside the booking's transaction, its row locked."""

    def open(self, booking: Booking, *, now: datetime) -> None:
        """The booking has started: see to it that the buyer gets in."""

    def withdraw(self, booking: Booking, *, now: datetime) -> bool:
        """The booking is over: nobody new is let in. Returns whether anything of the buyer may be on the machine."""

    def close(self, booking: Booking, *, now: datetime) -> None:
        """Something may be there: see to it that access ends and the machine is wiped."""
