"""Maintenance that was announced, or is not after all."""

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.telling import tell
from bookings.mails.writing import about, window
from bookings.models import Booking
from common import formats
from common.formats import when_both
from machines.models import Machine, MaintenanceWindow


def maintenance_announced(user: User, upkeep: MaintenanceWindow, machine: Machine, booking: Booking | None) -> None:
    """To the provider, or to whoever has the booking near it."""
    if booking is None:
        told = "Nobody can book it then, and the time does not count as down. Buyers see it in the calendar."
    else:
        told = "Your booking is not touched: nothing of it lies in that time."
    words, tone = "is closed for announced maintenance", Notification.Tone.INFO
    _tell_of_maintenance("announced", "Maintenance", words, told, tone, user, upkeep, machine, booking)


def maintenance_canceled(user: User, upkeep: MaintenanceWindow, machine: Machine, booking: Booking | None) -> None:
    told, tone = "It can be booked then.", Notification.Tone.GOOD
    words = "is not closed after all for the maintenance that was announced"
    _tell_of_maintenance("canceled", "No maintenance", words, told, tone, user, upkeep, machine, booking)


def _tell_of_maintenance(
    event: str,
    subject: str,
    words: str,
    told: str,
    tone: str,
    user: User,
    upkeep: MaintenanceWindow,
    machine: Machine,
    booking: Booking | None,
) -> None:
    name = machine.name if booking is None else machine.title
    with written_for(user):
        paragraphs = [
            f"{name} {words}: {when_both(upkeep.start)} – {when_both(upkeep.end)} ({upkeep.get_kind_display()}).",
            f"“{upkeep.note}”" if upkeep.note else "",
            "" if booking is None else f"You have booked it: {window(booking)}.",
            told,
        ]
        text = formats.window(upkeep.start, upkeep.end)
    tell(
        user=user,
        event=EventKind.UPKEEP if booking is None else EventKind.MAINTENANCE,
        key=f"maintenance-{event}:{upkeep.pk}",
        subject=f"{subject}: {name}",
        paragraphs=paragraphs,
        text=text,
        action=("See the maintenance", f"/machines/{machine.pk}/maintenance/")
        if booking is None
        else ("Open the booking", f"/bookings/{booking.pk}/"),
        tone=tone,
        organization=machine.organization if booking is None else booking.organization,
        about={"machine": str(machine.pk)} if booking is None else about(booking),
    )
