"""What machines announce. Rooms above observe; machines know nothing of bookings.

Sent inside the transaction of the change, as in ``bookings/events.py``: observers only write rows.
"""

from django.dispatch import Signal

#: A piece of work is finished. Arguments: ``work`` (:class:`machines.models.Work`, locked, its result and state set),
#: ``report`` (:class:`machines.models.Report`, or ``None`` where it was refused as implausible: the work has failed
#: then), ``now``. An observer that finds the result implausible raises
#: :class:`machines.services.errors.Implausible`: the whole report is refused then.
work_reported = Signal()
