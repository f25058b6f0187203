"""How long a machine needs to be erased, learned from how long it took."""

from datetime import timedelta
from math import ceil
from uuid import UUID

from django.conf import settings
from django.db import transaction

from bookings.models import Booking
from machines.models import Machine
from machines.services.machines import LONGEST_TURNAROUND

MINUTE = timedelta(minutes=1)


@transaction.atomic
def learn_turnaround(*, machine_id: UUID) -> bool:
    """Make the machine's turnaround longer when its own wipes take longer (rules: When). Returns whether it was.

    Never shorter: what the provider set by hand stays. Bookings already made keep the turnaround they were made with.
    """
    needed = needed_turnaround(machine_id)
    machine = Machine.objects.select_for_update(of=("self",), no_key=True).get(pk=machine_id)
    if needed is None or needed <= machine.turnaround:
        return False
    machine.turnaround = needed
    machine.save(update_fields=["turnaround", "updated_at"])
    return True


def needed_turnaround(machine_id: UUID) -> timedelta | None:
    """30 minutes, or what 95 of 100 of its own wipes took when that is longer, in whole minutes and at most a day.

    ``None``: no agent has erased it yet.
    """
    usual = Booking.objects.filter(machine=machine_id).usual_wipe()
    if usual is None:
        return None
    whole = ceil(usual.length / MINUTE) * MINUTE
    return min(max(whole, settings.MARKETPLACE_TURNAROUND), LONGEST_TURNAROUND)
