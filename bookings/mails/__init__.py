"""What people are told about a booking: one function an event. Told in the event's own transaction."""

from bookings.mails.access import (
    access_failed,
    access_needed,
    access_ready,
    delayed,
    key_needed,
    keys_changed,
    left,
    mismatch,
    nobody_let_in,
    shut_out,
)
from bookings.mails.erasure import (
    completed,
    ended,
    wipe_gave_up,
    wipe_needed,
)
from bookings.mails.money import (
    canceled,
    confirmed,
    cut,
    ended_early,
    extended,
    extension_lapsed,
    requested,
    time_lost,
    undelivered,
)
from bookings.mails.upkeep import (
    maintenance_announced,
    maintenance_canceled,
)

__all__ = [
    "access_failed",
    "access_needed",
    "access_ready",
    "canceled",
    "completed",
    "confirmed",
    "cut",
    "delayed",
    "ended",
    "ended_early",
    "extended",
    "extension_lapsed",
    "key_needed",
    "keys_changed",
    "left",
    "maintenance_announced",
    "maintenance_canceled",
    "mismatch",
    "nobody_let_in",
    "requested",
    "shut_out",
    "time_lost",
    "undelivered",
    "wipe_gave_up",
    "wipe_needed",
]
