"""A booking as a timeline: what happened, what is now, what comes next and when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bookings.lifecycle import BookingStatus
from bookings.models import Booking, BookingEvent, DataWipe, WipeStatus
from bookings.terms import is_overdue
from common.formats import duration


@dataclass(frozen=True)
class Step:
    """``state`` is done, now, next or bad; ``at`` a moment or words."""

    title: str
    state: str
    at: datetime | str = ""
    detail: str = ""
    by: str = ""


def steps(booking: Booking, *, now: datetime) -> list[Step]:
    """Every recorded event, then where it stands, then what follows from its times."""
    return [*_past(booking), *_present(booking, now=now), *_future(booking, now=now)]


def _past(booking: Booking) -> list[Step]:
    people = {booking.buyer_id: "the buyer", booking.machine.provider_id: "the provider"}
    unclean = _unclean(booking)
    return [
        Step(
            event.what,
            # What a person canceled is as they wanted it; what the marketplace had to cancel went wrong.
            "bad" if _went_wrong(event) or _tells_of(event, unclean) else "done",
            event.at,
            event.detail,
            _by(event, people),
        )
        for event in booking.events.all()
    ]


def _went_wrong(event: BookingEvent) -> bool:
    return event.status_after == BookingStatus.CANCELED and event.actor_id is None


def _by(event: BookingEvent, people: dict[UUID, str]) -> str:
    """Who did it, unless the line says so itself."""
    who = people.get(event.actor_id, "an administrator") if event.actor_id else ""
    return "" if who and who in event.what else who


def _unclean(booking: Booking) -> list[DataWipe]:
    """The steps of the wipe that did not succeed."""
    if booking.wipe_opened_at is None:
        return []
    return [wipe for wipe in booking.wipes.all() if wipe.status != WipeStatus.SUCCESS]


def _tells_of(event: BookingEvent, wipes: list[DataWipe]) -> bool:
    """Whether the event is the line that was written with one of these records, by the same person at the same time."""
    return any(
        (event.at, event.actor_id) == (wipe.recorded_at, wipe.recorded_by_id)
        and event.what.startswith(f"{wipe.get_method_display()}:")
        for wipe in wipes
    )


def _present(booking: Booking, *, now: datetime) -> list[Step]:
    access = getattr(booking, "access", None)
    if booking.is_hold:
        return [Step("Waiting for payment", "now", booking.hold_expires_at, "The window is given back at this time.")]
    if booking.is_confirmed and booking.start > now:
        return [Step("Confirmed, waiting for the start", "now", "now", f"{duration(booking.start - now)} to go")]
    if booking.is_confirmed and not is_overdue(booking, now=now):
        return [Step("Starting", "now", "now", "This page tells by itself when it is yours.")]
    if booking.is_confirmed:
        return [
            Step(
                "Not handed over in time",
                "bad",
                "now",
                "Nothing starts on a machine that has not been shown to be erased after the booking before. You can wait, "
                "or cancel with a full refund.",
            )
        ]
    if booking.is_awaiting_wipe:
        return [Step("Being erased", "now", "now", "The machine is in quarantine until every step is shown.")]
    if booking.is_active and booking.end > now:
        what = "Yours" if access else "Started: the provider is letting you in"
        return [Step(what, "now", "now", f"{duration(booking.end - now)} left")]
    return []


def _future(booking: Booking, *, now: datetime) -> list[Step]:
    if booking.is_canceled or booking.is_completed:
        return []
    coming = []
    if booking.start > now:
        coming.append(Step("Handed over", "next", booking.start, "You get the command and the host key to expect."))
    if booking.end > now:
        coming.append(
            Step(
                "Access ends, the machine is erased",
                "next",
                booking.end,
                "Keys, processes, home, account; then verified.",
            )
        )
    by = booking.blocked_until if booking.blocked_until > now else ""
    coming.append(Step("Erased, with evidence", "next", by, "Never billed."))
    return coming
