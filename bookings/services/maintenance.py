"""Announcing maintenance, and taking it back (rules: What).

Bookings stand above machines, so this is where the two are kept apart: with the good message here, and with a
guarantee by triggers on both tables (``bookings/migrations/0008_maintenance_and_bookings.py``).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from bookings import mails
from bookings.availability import in_the_way, whole_minute
from bookings.errors import BookingError, NotYours
from bookings.models import Booking
from common.formats import duration, when, window
from machines.models import Machine, MaintenanceWindow

#: The most that a machine is closed for at once, and how far ahead that is announced.
LONGEST = timedelta(days=7)
FARTHEST = timedelta(days=365)
#: Whoever is booked so close to it is told.
NEAR = timedelta(hours=24)


@transaction.atomic
def announce(
    *, machine: Machine, by: User, kind: str, start: datetime, end: datetime, note: str = "", now: datetime
) -> MaintenanceWindow:
    """Close the machine for ``[start, end)``: nobody can book it then, and it does not count as down.

    The provider and everybody who is booked near it get word.

    Raises:
        NotYours: it is not this person's machine.
        BookingError: too soon, too far, too long, or something is in the way; with the field it belongs to.
    """
    _check(machine, by)
    _check_times(start, end, now=now)
    # For ourselves: whoever books it at this moment shares the row, so they are through or they wait for us.
    Machine.objects.select_for_update().get(pk=machine.pk)
    _check_free(machine, start, end)
    announced = MaintenanceWindow.objects.create(
        machine=machine, kind=kind, start=start, end=end, note=note.strip(), announced_at=now, announced_by=by
    )
    _tell(announced, machine, mails.maintenance_announced)
    return announced


@transaction.atomic
def cancel_maintenance(*, window_id: UUID, by: User, now: datetime) -> MaintenanceWindow:
    """Take it back. One that has begun ends now: what has passed of it stays. Doing it twice is quiet.

    Raises:
        MaintenanceWindow.DoesNotExist: there is none.
        NotYours: it is not of this person's machine.
        BookingError: it is over.
    """
    found = MaintenanceWindow.objects.get(pk=window_id)
    machine = Machine.objects.select_for_update(no_key=True).get(pk=found.machine_id)
    _check(machine, by)
    row = MaintenanceWindow.objects.select_for_update(no_key=True).get(pk=window_id)
    if row.canceled_at is not None:
        return row
    if row.end <= now:
        raise BookingError(_("This maintenance is over."))
    if row.start >= now:
        row.canceled_at = now
        row.save(update_fields=["canceled_at"])
        _tell(row, machine, mails.maintenance_canceled)
    elif whole_minute(now) < row.end:
        row.end = whole_minute(now)
        row.save(update_fields=["end"])
    return row


def _check(machine: Machine, by: User) -> None:
    if machine.provider_id != by.pk:
        raise NotYours(_("This machine is not yours."))


def _check_times(start: datetime, end: datetime, *, now: datetime) -> None:
    notice = settings.MARKETPLACE_MAINTENANCE_NOTICE
    if any(moment.second or moment.microsecond for moment in (start, end)):
        raise BookingError(_("Maintenance starts and ends on a whole minute."), field="start")
    if start < now + notice:
        raise BookingError(
            _("Maintenance is announced at least %(notice)s ahead: from %(moment)s on.")
            % {"notice": duration(notice), "moment": when(whole_minute(now + notice))},
            field="start",
        )
    if start > now + FARTHEST:
        raise BookingError(_("Maintenance is announced a year ahead at most."), field="start")
    if end <= start:
        raise BookingError(_("The end must be after the start."), field="end")
    if end - start > LONGEST:
        raise BookingError(
            _("Maintenance takes %(longest)s at most at a time.") % {"longest": duration(LONGEST)}, field="end"
        )


def _check_free(machine: Machine, start: datetime, end: datetime) -> None:
    rivals = list(in_the_way(machine.pk, start, end))
    if not rivals:
        return
    booked = [(first, last) for first, last, _, is_upkeep in rivals if not is_upkeep]
    windows = booked or [(row[0], row[1]) for row in rivals]
    words = "; ".join(window(first, last) for first, last in windows[:3])
    if len(windows) > 3:
        words = _("%(windows)s and %(count)s more") % {"windows": words, "count": len(windows) - 3}
    said = (
        _("Booked: %(windows)s (the time to erase it included). Choose another time.")
        if booked
        else _("Announced already: %(windows)s. Choose another time.")
    )
    raise BookingError(said % {"windows": words}, field="start")


def _tell(
    row: MaintenanceWindow,
    machine: Machine,
    write: Callable[[User, MaintenanceWindow, Machine, Booking | None], None],
) -> None:
    """The provider, and once each everybody who is booked from a day before to a day after."""
    near = (
        Booking.objects.holding()
        .filter(machine=machine)
        .overlapping(row.start - NEAR, row.end + NEAR)
        .select_related("buyer", "organization")
        .order_by("buyer", "start")
        .distinct("buyer")
    )
    told: list[tuple[User, Booking | None]] = [
        (machine.provider, None),
        *((booking.buyer, booking) for booking in near),
    ]
    for user, booking in told:
        write(user, row, machine, booking)
