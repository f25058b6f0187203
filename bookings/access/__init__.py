"""Access to machines (Factory): the right kind for each machine.

Today every machine is handed over by its provider. The agent that does it by itself plugs in here: one more
class, one more entry in ``KINDS``, one more value of :class:`machines.models.AccessKind`.
"""

from bookings.access.base import MachineAccess
from bookings.access.manual import ManualAccess
from machines.models import AccessKind, Machine

KINDS: dict[str, MachineAccess] = {AccessKind.MANUAL: ManualAccess()}


def access_for(machine: Machine) -> MachineAccess:
    """The kind of access that this machine has."""
    return KINDS[machine.access_kind]
