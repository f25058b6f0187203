"""The life of a booking: its states and the one table of transitions between them.

The states are the logical model's (1.4). ``python manage.py draw_lifecycle`` prints the diagram of
``docs/architecture.md`` from this table.
"""

from django.db import models
from django.utils.translation import gettext, pgettext_lazy

from common.errors import MarketplaceError
from common.formats import lowered


class BookingStatus(models.TextChoices):
    PENDING = "pending", pgettext_lazy("a booking", "Pending")
    ACTIVE = "active", pgettext_lazy("a booking", "Active")
    COMPLETED = "completed", pgettext_lazy("a booking", "Completed")
    CANCELED = "canceled", pgettext_lazy("a booking", "Canceled")
    DISPUTED = "disputed", pgettext_lazy("a booking", "Disputed")

    @property
    def tone(self) -> str:
        return {"pending": "warn", "active": "good", "completed": "soft", "canceled": "soft", "disputed": "bad"}[
            self.value
        ]


#: The states in which a booking keeps the machine to itself: the exclusion constraint's condition.
HOLDS_MACHINE = (BookingStatus.PENDING, BookingStatus.ACTIVE, BookingStatus.DISPUTED)

#: The buyer is inside, or was and the machine has not been erased since.
RUNNING = (BookingStatus.ACTIVE, BookingStatus.DISPUTED)

#: Not over yet.
LIVE = (BookingStatus.PENDING, BookingStatus.ACTIVE, BookingStatus.DISPUTED)

TRANSITIONS: dict[BookingStatus, frozenset[BookingStatus]] = {
    BookingStatus.PENDING: frozenset({BookingStatus.ACTIVE, BookingStatus.CANCELED}),
    BookingStatus.ACTIVE: frozenset({BookingStatus.COMPLETED, BookingStatus.DISPUTED}),
    BookingStatus.COMPLETED: frozenset({BookingStatus.DISPUTED}),
    BookingStatus.DISPUTED: frozenset({BookingStatus.COMPLETED}),
    BookingStatus.CANCELED: frozenset(),
}


class IllegalTransition(MarketplaceError):
    """A booking cannot go from the state it is in to the one asked for."""


def check_transition(before: str, after: str) -> None:
    """
    Raises:
        IllegalTransition: the table has no such step.
    """
    if BookingStatus(after) not in TRANSITIONS[BookingStatus(before)]:
        raise IllegalTransition(
            gettext("A booking that is %(before)s cannot become %(after)s.")
            % {"before": lowered(BookingStatus(before).label), "after": lowered(BookingStatus(after).label)}
        )
