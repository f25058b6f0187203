"""What an organization books for, and where it books the costs: projects with their grants, and cost centres.

Neither is ever deleted: bookings and invoices name them. What is archived takes no new bookings.
"""

from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from accounts.models import CostCentre, Organization, Project, User
from accounts.permissions import OrganizationAction, require_in
from accounts.services.organizations import OrganizationError, locked_organization


class ProjectError(OrganizationError):
    """A project or a cost centre cannot be like this."""


# Projects ----------------------------------------------------------------------------------------------


@transaction.atomic
def add_project(
    *, organization: Organization, by: User, name: str, grant: str, grant_ends_on: date | None, now: datetime
) -> Project:
    """Add one. ``grant_ends_on``: the last day, in UTC, on which the grant pays.

    Raises:
        ProjectError: there is one of that name, perhaps archived.
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_POLICY)
    return _saved_project(
        Project(organization=row, name=name, grant=grant, grant_ends_on=grant_ends_on, created_at=now)
    )


@transaction.atomic
def edit_project(*, project: Project, by: User, name: str, grant: str, grant_ends_on: date | None) -> Project:
    """Rename it, and say which grant pays for it and until when. Bookings already made stay as they are.

    Raises:
        ProjectError: there is another of that name, perhaps archived.
        NotAllowed: ``by`` may not, or not any more.
    """
    row = _locked_project(project, by=by)
    row.name, row.grant, row.grant_ends_on = name, grant, grant_ends_on
    return _saved_project(row)


@transaction.atomic
def archive_project(*, project: Project, by: User, now: datetime) -> Project:
    """Offer it for new bookings no more. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = _locked_project(project, by=by)
    row.archived_at = row.archived_at or now
    row.save(update_fields=["archived_at"])
    return row


@transaction.atomic
def restore_project(*, project: Project, by: User) -> Project:
    """Offer it for bookings again. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = _locked_project(project, by=by)
    row.archived_at = None
    row.save(update_fields=["archived_at"])
    return row


def _locked_project(project: Project, *, by: User) -> Project:
    require_in(by, locked_organization(project.organization_id), OrganizationAction.EDIT_POLICY)
    return Project.objects.get(pk=project.pk)


def _saved_project(row: Project) -> Project:
    try:
        with transaction.atomic():
            if row._state.adding:
                row.save()
            else:
                row.save(update_fields=["name", "grant", "grant_ends_on"])
    except IntegrityError as error:
        raise ProjectError(_taken(row.name, gettext("a project")), field="name") from error
    return row


# Cost centres ------------------------------------------------------------------------------------------


@transaction.atomic
def add_cost_centre(*, organization: Organization, by: User, code: str, name: str) -> CostCentre:
    """
    Raises:
        ProjectError: there is one of that code, perhaps archived.
        NotAllowed: ``by`` may not, or not any more.
    """
    row = locked_organization(organization.pk)
    require_in(by, row, OrganizationAction.EDIT_BILLING)
    try:
        with transaction.atomic():
            return CostCentre.objects.create(organization=row, code=code, name=name)
    except IntegrityError as error:
        raise ProjectError(_taken(code, gettext("a cost centre")), field="code") from error


@transaction.atomic
def archive_cost_centre(*, cost_centre: CostCentre, by: User, now: datetime) -> CostCentre:
    """Offer it for new bookings no more. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = _locked_cost_centre(cost_centre, by=by)
    row.archived_at = row.archived_at or now
    row.save(update_fields=["archived_at"])
    return row


@transaction.atomic
def restore_cost_centre(*, cost_centre: CostCentre, by: User) -> CostCentre:
    """Offer it for bookings again. Doing so twice is quiet.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    row = _locked_cost_centre(cost_centre, by=by)
    row.archived_at = None
    row.save(update_fields=["archived_at"])
    return row


def _locked_cost_centre(cost_centre: CostCentre, *, by: User) -> CostCentre:
    require_in(by, locked_organization(cost_centre.organization_id), OrganizationAction.EDIT_BILLING)
    return CostCentre.objects.get(pk=cost_centre.pk)


def _taken(name: str, what: str) -> str:
    return gettext("There is %(what)s “%(name)s” already. It may be archived: then take it out of the archive.") % {
        "what": what,
        "name": name,
    }
