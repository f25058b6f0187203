"""Whether a machine is in somebody's hands: what may not be changed under them.

Bookings stand above machines; what is asked of them are moments that they passed (see ``MachineQuerySet``).
"""

from django.db.models import Q

from machines.models import Machine


def is_busy(machine: Machine) -> bool:
    """A booking runs on it, or the erasure after one is not shown yet."""
    running = Q(started_at__isnull=False, completed_at=None)
    unwiped = Q(wipe_opened_at__isnull=False, wiped_at=None)
    return bool(machine.bookings.filter(running | unwiped).exists())
