"""Maintenance that was announced, or is not after all."""

from django.utils.translation import gettext as _

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
    name = _called(machine, booking)
    with written_for(user):
        if booking is None:
            told = _("Nobody can book it then, and the time does not count as down. Buyers see it in the calendar.")
        else:
            told = _("Your booking is not touched: nothing of it lies in that time.")
        subject = _("Maintenance: %(machine)s") % {"machine": name}
        said = _("%(machine)s is closed for announced maintenance: %(window)s (%(kind)s).")
        _tell_of_maintenance("announced", subject, said, told, Notification.Tone.INFO, user, upkeep, machine, booking)


def maintenance_canceled(user: User, upkeep: MaintenanceWindow, machine: Machine, booking: Booking | None) -> None:
    name = _called(machine, booking)
    with written_for(user):
        subject = _("No maintenance: %(machine)s") % {"machine": name}
        said = _("%(machine)s is not closed after all for the maintenance that was announced: %(window)s (%(kind)s).")
        told = _("It can be booked then.")
        _tell_of_maintenance("canceled", subject, said, told, Notification.Tone.GOOD, user, upkeep, machine, booking)


def _called(machine: Machine, booking: Booking | None) -> str:
    return machine.name if booking is None else machine.title


def _tell_of_maintenance(
    event: str,
    subject: str,
    said: str,
    told: str,
    tone: str,
    user: User,
    upkeep: MaintenanceWindow,
    machine: Machine,
    booking: Booking | None,
) -> None:
    """``said``: the sentence, with places for ``machine``, ``window`` and ``kind``."""
    between = {
        "machine": _called(machine, booking),
        "window": f"{when_both(upkeep.start)} – {when_both(upkeep.end)}",
        "kind": upkeep.get_kind_display(),
    }
    tell(
        user=user,
        event=EventKind.UPKEEP if booking is None else EventKind.MAINTENANCE,
        key=f"maintenance-{event}:{upkeep.pk}",
        subject=subject,
        paragraphs=[
            said % between,
            _("“%(note)s”") % {"note": upkeep.note} if upkeep.note else "",
            "" if booking is None else _("You have booked it: %(window)s.") % {"window": window(booking)},
            told,
        ],
        text=formats.window(upkeep.start, upkeep.end),
        action=(_("See the maintenance"), f"/machines/{machine.pk}/maintenance/")
        if booking is None
        else (_("Open the booking"), f"/bookings/{booking.pk}/"),
        tone=tone,
        organization=machine.organization if booking is None else booking.organization,
        about={"machine": str(machine.pk)} if booking is None else about(booking),
    )
