"""One helper for each thing that loads *and* authorises: the provider's own, or 404."""

from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _

from accounts.models import User
from machines.models import Agent, Listing, Machine


def machine_of(user: User, pk: UUID) -> Machine:
    """
    Raises:
        Http404: it is not this person's machine, or there is none.
    """
    machine = Machine.objects.of(user).with_summary().filter(pk=pk).first()
    if machine is None:
        raise Http404(_("There is no such machine among yours."))
    return machine


def machine_watched_by(user: User, pk: UUID) -> Machine:
    """For those who may see how a machine is doing: its provider and platform administrators.

    Raises:
        Http404: this person is neither, or there is no such machine.
    """
    machines = Machine.objects.all() if user.is_platform_administrator else Machine.objects.of(user)
    machine = machines.prefetch_related("nodes").filter(pk=pk).first()
    if machine is None:
        raise Http404(_("There is no such machine among yours."))
    return machine


def agent_of(user: User, machine_pk: UUID, pk: UUID) -> Agent:
    """
    Raises:
        Http404: it is not an agent of this machine of this person's, or there is none.
    """
    agents = Agent.objects.select_related("machine", "node").filter(machine__provider=user, machine=machine_pk)
    agent = agents.filter(pk=pk).first()
    if agent is None:
        raise Http404(_("There is no such agent on your machine."))
    return agent


def listing_of(user: User, pk: UUID) -> Listing:
    """
    Raises:
        Http404: it is not a listing of this person's machines, or there is none.
    """
    listing = Listing.objects.of(user).with_machine().filter(pk=pk).first()
    if listing is None:
        raise Http404(_("There is no such listing among yours."))
    return listing
