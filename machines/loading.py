"""One helper for each thing that loads *and* authorises: the provider's own, or 404."""

from uuid import UUID

from django.http import Http404

from accounts.models import User
from machines.models import Listing, Machine


def machine_of(user: User, pk: UUID) -> Machine:
    """
    Raises:
        Http404: it is not this person's machine, or there is none.
    """
    machine = Machine.objects.of(user).with_summary().filter(pk=pk).first()
    if machine is None:
        raise Http404("There is no such machine among yours.")
    return machine


def listing_of(user: User, pk: UUID) -> Listing:
    """
    Raises:
        Http404: it is not a listing of this person's machines, or there is none.
    """
    listing = Listing.objects.of(user).with_machine().filter(pk=pk).first()
    if listing is None:
        raise Http404("There is no such listing among yours.")
    return listing
