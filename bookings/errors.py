"""What the marketplace refuses about bookings."""

from datetime import datetime

from common.errors import MarketplaceError


class BookingError(MarketplaceError):
    """A booking that cannot be made or changed like this."""


class WindowTaken(BookingError):
    """Somebody was quicker.

    Attributes:
        taken: the windows that are in the way, as ``(start, end)``, the blocking end included.
        free: windows of the same length that are free, soonest first.
    """

    def __init__(
        self, message: str, *, taken: list[tuple[datetime, datetime]], free: list[tuple[datetime, datetime]]
    ) -> None:
        super().__init__(message, field="start")
        self.taken = taken
        self.free = free


class PriceChanged(BookingError):
    """The price is no longer the one that the buyer was shown."""


class NotYours(BookingError):
    """The person has no part in this booking, or not the one that this needs."""
