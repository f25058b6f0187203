"""When a machine was on offer: what its reliability is measured over."""

from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Greatest

from machines.models import ListedPeriod, Listing


def note_listed(*, machine_id: UUID, now: datetime) -> None:
    """Open the machine's period, or close it: it has an open one while one of its listings is active.

    Called after each change of a listing's status, in its transaction, by whoever holds the machine's lock. Suspended
    or not, an active listing is on offer: how else should the machine show that it is better again?
    """
    is_on_offer = Listing.objects.on_offer().filter(machine=machine_id).exists()
    opened = ListedPeriod.objects.filter(machine=machine_id, ended_at=None)
    if not is_on_offer:
        opened.update(ended_at=Greatest(F("began_at"), now))
    elif not opened.exists():
        ListedPeriod.objects.create(machine_id=machine_id, began_at=now)
