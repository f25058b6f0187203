"""What the marketplace refuses about bookings."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cached_property

from django.utils.translation import gettext as _

from common.errors import MarketplaceError
from common.formats import when


class BookingError(MarketplaceError):
    """A booking that cannot be made or changed like this."""


Window = tuple[datetime, datetime]


class WindowTaken(BookingError):
    """Somebody was quicker.

    What to take instead is looked up when it is asked for: a refusal that nobody reads costs nothing.

    Attributes:
        taken: the windows that are in the way, as ``(start, end)``, the blocking end included. Empty when a rival
            took it and gave it back again while we were looking.
        is_yours: whether it is the person's own booking that is in the way.
        upkeep: those of ``taken`` that are announced maintenance.
    """

    def __init__(
        self,
        start: datetime,
        *,
        taken: list[Window],
        find_free: Callable[[], list[Window]],
        is_yours: bool = False,
        upkeep: Collection[Window] = (),
    ) -> None:
        super().__init__(_("This window is taken."), field="start")
        self.upkeep = upkeep
        self.is_yours = is_yours
        self.start = start
        self.taken = taken
        self._find_free = find_free

    @cached_property
    def free(self) -> list[Window]:
        """Windows of the same length that are free, soonest first."""
        return self._find_free()

    @property
    def message(self) -> str:
        if not self.taken:
            return _("Somebody was quicker: this window has just been taken.")
        later = next((start for start, _ in self.free if start >= self.start), None)
        whose = _("You have it yourself: %(windows)s.") if self.is_yours else _("Taken by someone else: %(windows)s.")
        said = [
            what % {"windows": ", ".join(_span(*window) for window in windows[:3])}
            for what, windows in (
                (whose, [window for window in self.taken if window not in self.upkeep]),
                (
                    _("Closed for announced maintenance: %(windows)s."),
                    [window for window in self.taken if window in self.upkeep],
                ),
            )
            if windows
        ]
        if later:
            said.append(_("It is free from %(moment)s.") % {"moment": when(later)})
        return " ".join(said)

    def __str__(self) -> str:
        return self.message


class ExtensionTaken(WindowTaken):
    """A booking cannot be extended so far: somebody has the machine by then.

    Attributes:
        latest: until when it could be extended; ``None``: not at all.
        equal: the path of a search for equal machines that are free for the time that was wanted.
    """

    def __init__(
        self,
        start: datetime,
        *,
        taken: list[Window],
        latest: datetime | None,
        equal: str,
        is_yours: bool = False,
        upkeep: Collection[Window] = (),
    ) -> None:
        super().__init__(start, taken=taken, find_free=list, is_yours=is_yours, upkeep=upkeep)
        self.field = "end"
        self.latest = latest
        self.equal = equal

    @property
    def message(self) -> str:
        at_most = _("What follows is not to be had.")
        if self.latest:
            at_most = _("You can extend until %(moment)s.") % {"moment": when(self.latest)}
        return f"{super().message} {at_most}"


class PriceChanged(BookingError):
    """The price is no longer the one that the buyer was shown."""


class RefundChanged(BookingError):
    """What comes back is no longer what the person was shown."""


class NotYours(BookingError):
    """The person has no part in this booking, or not the one that this needs."""


def _span(start: datetime, end: datetime) -> str:
    return _("%(start)s to %(end)s") % {"start": when(start), "end": when(end)}
