"""Which of its owner's machines are an organization's. They belong to the owner's account all the same (rules: Who)."""

import logging
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.models import Organization, User
from machines.models import Machine
from machines.services.errors import MachineError

log = logging.getLogger(__name__)


@transaction.atomic
def give_to_organization(*, machine_id: UUID, organization: Organization, by: User) -> Machine:
    """It is the organization's from now on: shown on its page, and its next owner's when it gets another. Twice is quiet.

    Raises:
        MachineError: ``by`` is not the organization's owner any more, or the machine is not theirs or another
            organization's.
    """
    row = Organization.objects.select_for_update(of=("self",), no_key=True).get(pk=organization.pk)
    machine = Machine.objects.select_for_update(of=("self",), no_key=True).filter(pk=machine_id, provider=by).first()
    if row.owner_id != by.pk:
        raise MachineError(gettext("Only the owner of an organization says which machines are its own."))
    if machine is None or machine.organization_id not in (None, row.pk):
        raise MachineError(
            gettext("This is not a machine of yours that belongs to no organization. Choose another."), field="machine"
        )
    return _move(machine, row, by=by)


@transaction.atomic
def take_from_organization(*, machine_id: UUID, organization: Organization, by: User) -> Machine:
    """It is its provider's own again. Twice is quiet.

    Raises:
        MachineError: ``by`` is not its provider, or it is another organization's.
    """
    machine = Machine.objects.select_for_update(of=("self",), no_key=True).filter(pk=machine_id, provider=by).first()
    if machine is None or machine.organization_id not in (None, organization.pk):
        raise MachineError(gettext("This machine is not the organization's any more. Choose another."), field="machine")
    return _move(machine, None, by=by)


def _move(machine: Machine, organization: Organization | None, *, by: User) -> Machine:
    to = organization.pk if organization else None
    if machine.organization_id != to:
        machine.organization = organization
        machine.save(update_fields=["organization", "updated_at"])
        log.info("machine %s is of organization %s now, by user %s", machine.pk, to, by.pk)
    return machine
