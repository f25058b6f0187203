"""What people's accounts announce. Rooms above observe; accounts know nothing of machines and bookings.

Sent inside the transaction of the change, as in ``bookings/events.py``: observers only write rows.
"""

from django.dispatch import Signal

#: Somebody has become verified, or is so no longer. Arguments: ``user``, ``now``.
verification_changed = Signal()

#: Somebody belongs to an organization from now on, has another role in it, or does not belong to it any more. Arguments:
#: ``membership`` (as it is now; its organization is locked), ``before`` (the role until now; empty: they did not belong to
#: it), ``by`` (a user), ``now``.
membership_changed = Signal()

#: An organization has another owner. Arguments: ``organization`` (locked, its owner set), ``before`` and ``after``
#: (users), ``now``. An observer that finds that the new owner cannot take over what is the organization's raises a
#: :class:`common.errors.MarketplaceError`, and nothing has changed.
ownership_transferred = Signal()
