"""Machines that would do instead of one that cannot be had."""

from datetime import datetime, timedelta

from django.http import QueryDict
from django.urls import reverse

from bookings.availability import whole_minute
from bookings.errors import Window
from bookings.models import Booking

#: Somebody has to read the results and pay before the window begins.
A_MOMENT = timedelta(minutes=5)


def equal_machines(booking: Booking, *, now: datetime, window: Window | None = None) -> str:
    """The path of a search: the same GPU, as many of them, free for as long as was booked, from its start or from now.

    Args:
        window: free then, and not at the booking's own time.
    """
    machine = booking.machine
    wanted, until = window or (booking.start, booking.start + booking.booked_duration)
    start = max(wanted, whole_minute(now) + A_MOMENT)
    query = QueryDict(mutable=True)
    query["start"] = start.isoformat()
    query["end"] = (start + (until - wanted)).isoformat()
    if machine.gpu:
        query["gpu"] = machine.gpu.slug
    elif machine.gpu_count:
        query["q"] = machine.gpu_model
    else:
        query["cpu"] = str(machine.cpu_cores)
    if machine.gpu_count:
        query["gpu_count"] = str(machine.gpu_count)
    return f"{reverse('listing_list')}?{query.urlencode()}"
