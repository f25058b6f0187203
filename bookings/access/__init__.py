"""Access to machines (Factory): the right kind for each booking.

A booking keeps the kind that its machine had at the start: whoever handed it over takes it back. A further kind plugs
in here: one more class, one more entry in ``KINDS``, one more value of :class:`machines.models.AccessKind`.
"""

from bookings.access.agent import AgentAccess
from bookings.access.base import MachineAccess
from bookings.access.manual import ManualAccess
from bookings.models import Booking
from machines.models import AccessKind

#: An account or a container is the agent's business: both are asked for alike.
KINDS: dict[str, MachineAccess] = {
    AccessKind.MANUAL: ManualAccess(),
    AccessKind.AGENT: AgentAccess(),
    AccessKind.CONTAINER: AgentAccess(),
}


def access_for(booking: Booking) -> MachineAccess:
    """The kind of access that this booking has, from its start on."""
    return KINDS[booking.access_kind]
