"""What bookings announce. Rooms above observe; bookings know nothing of money.

A signal is sent *inside* the transaction of the change it tells of, so that what an observer writes (a
refund that is owed) stands or falls with the change itself: a process that dies between the two loses
nothing. Observers must only write rows here and leave everything slow to a task (``common.queue.soon``).
"""

from django.dispatch import Signal

#: A booking was canceled. Arguments: ``booking``, ``refund`` (``bookings.terms.Refund``), ``reason`` (a
#: :class:`CancelReason` value), ``by`` (a user or ``None``), ``now``.
booking_canceled = Signal()

#: A booking is over and the machine was never handed over. Arguments: ``booking``, ``now``.
booking_undelivered = Signal()

#: The buyer has ended a booking early. Arguments: ``booking``, ``amount`` (``Decimal``, perhaps zero: what comes back
#: for the time that was left), ``by``, ``now``.
booking_ended_early = Signal()

#: A booking was cut to its paid time, because a stage was not paid. Arguments: ``booking``, ``charges`` (those that had
#: been paid for later time, perhaps none; they are dropped), ``now``. Whoever observes it answers with what goes back of
#: them (``Decimal``): a part may have gone back before.
booking_cut = Signal()

#: A booking is over and the buyer could not use all of it. Arguments: ``booking``, ``amount`` (``Decimal``, of its
#: price), ``reason`` (``"late"``, ``"down"``, ``"late_and_down"`` or ``"not_as_booked"``), ``by``, ``now``.
booking_time_lost = Signal()
