"""What machines do when people and organizations change (:mod:`accounts.events`)."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from accounts.models import Organization, User
from accounts.services.roles import become_provider
from machines.models import Machine
from machines.services.errors import MachineError
from machines.services.suspension import follow_provider


def follow_verification(user: User, now: datetime, **_: Any) -> None:
    """Listings are suspended while their provider is not verified, and come back when they are."""
    follow_provider(provider=user, now=now)


def follow_owner(organization: Organization, before: User, after: User, now: datetime, **_: Any) -> None:
    """The organization's machines go to its new owner's account, with their listings, agents and bookings.

    Whoever provides machines is verified and has the role (rules: What), so the new owner gets the role, and has to be
    verified. What the earlier owner was credited with stays theirs (docs/decisions/0033-another-owner.md).

    Raises:
        MachineError: there are machines, and the new owner is not verified.
    """
    machines = Machine.objects.filter(organization=organization).order_by("pk").select_for_update(no_key=True)
    if not machines:
        return
    if not after.is_verified:
        raise MachineError(
            gettext(
                "The organization offers machines, and whoever provides machines is verified. %(name)s is not yet: they "
                "can ask for it in their account."
            )
            % {"name": after.known_as},
            field="to",
        )
    become_provider(user=after)
    for machine in machines:
        machine.provider = after
        machine.updated_at = now
    Machine.objects.bulk_update(machines, ["provider", "updated_at"])
    follow_provider(provider=after, now=now)  # the earlier owner may not have been verified any more
