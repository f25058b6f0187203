from datetime import datetime
from typing import Protocol

from bookings.models import Booking


class MachineAccess(Protocol):
    """Lets a buyer in and erases the machine afterwards. Called inside the booking's transaction."""

    def open(self, booking: Booking, *, now: datetime) -> None:
        """The booking has started: see to it that the buyer gets in."""

    def close(self, booking: Booking, *, now: datetime) -> None:
        """The booking is over: see to it that access ends and the machine is wiped."""
