"""What an organization books for, and where it books the costs."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.loading import cost_centre_of, organization_of, project_of
from accounts.models import Organization
from accounts.organization_forms import CostCentreForm, ProjectForm
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from accounts.services.projects import (
    add_cost_centre,
    add_project,
    archive_cost_centre,
    archive_project,
    edit_project,
    restore_cost_centre,
    restore_project,
)
from common.errors import MarketplaceError


@login_required
@require_GET
def organization_projects(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Its projects and cost centres."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE)
    return _projects(request, organization, powers, CostCentreForm())


def _projects(
    request: AuthenticatedRequest, organization: Organization, powers: frozenset[str], form: CostCentreForm
) -> HttpResponse:
    projects, centres = list(organization.projects.all()), list(organization.cost_centres.all())
    context: dict[str, Any] = {
        "organization": organization,
        "powers": powers,
        "projects": [project for project in projects if not project.is_archived],
        "archived": [project for project in projects if project.is_archived],
        "centres": [centre for centre in centres if centre.archived_at is None],
        "archived_centres": [centre for centre in centres if centre.archived_at is not None],
        "form": form,
        "today": timezone.now().date(),
    }
    return render(request, "organizations/projects.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def project_create(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Add a project."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_POLICY)
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = add_project(organization=organization, by=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The project “%(name)s” is added.") % {"name": made.name})
            return redirect("organization_projects", pk=pk)
    context = {"organization": organization, "powers": powers, "form": form}
    return render(request, "organizations/project_form.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def project_edit(request: AuthenticatedRequest, pk: UUID, project_pk: UUID) -> HttpResponse:
    """Rename a project, and change its grant."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_POLICY)
    project = project_of(organization, project_pk)
    form = ProjectForm(request.POST or None, instance=project_of(organization, project_pk))
    if request.method == "POST" and form.is_valid():
        try:
            edit_project(project=project, by=request.user, **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The project is saved. Bookings already made stay as they are."))
            return redirect("organization_projects", pk=pk)
    context = {"organization": organization, "powers": powers, "form": form, "project": project}
    return render(request, "organizations/project_form.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def project_archive(request: AuthenticatedRequest, pk: UUID, project_pk: UUID) -> HttpResponse:
    """Offer it for new bookings no more."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_POLICY)
    project = project_of(organization, project_pk)
    archive = partial(archive_project, project=project, by=request.user, now=timezone.now())
    return _done(request, pk, archive, _("The project “%(name)s” is archived.") % {"name": project.name})


@login_required
@require_POST
def project_restore(request: AuthenticatedRequest, pk: UUID, project_pk: UUID) -> HttpResponse:
    """Offer it for bookings again."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_POLICY)
    project = project_of(organization, project_pk)
    restore = partial(restore_project, project=project, by=request.user)
    return _done(request, pk, restore, _("The project “%(name)s” can be booked for again.") % {"name": project.name})


def _done(request: AuthenticatedRequest, pk: UUID, service: Callable[[], object], words: str) -> HttpResponse:
    """Do it, say so or why not, and go back to the list."""
    try:
        service()
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, words)
    return redirect("organization_projects", pk=pk)


@login_required
@require_POST
def cost_centre_create(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Add a cost centre, from the form beside their list."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_BILLING)
    form = CostCentreForm(request.POST)
    if form.is_valid():
        try:
            made = add_cost_centre(organization=organization, by=request.user, **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The cost centre %(code)s is added.") % {"code": made.code})
            return redirect("organization_projects", pk=pk)
    return _projects(request, organization, powers, form)


@login_required
@require_POST
def cost_centre_archive(request: AuthenticatedRequest, pk: UUID, centre_pk: UUID) -> HttpResponse:
    """Offer it for new bookings no more."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_BILLING)
    centre = cost_centre_of(organization, centre_pk)
    archive = partial(archive_cost_centre, cost_centre=centre, by=request.user, now=timezone.now())
    return _done(request, pk, archive, _("The cost centre %(code)s is archived.") % {"code": centre.code})


@login_required
@require_POST
def cost_centre_restore(request: AuthenticatedRequest, pk: UUID, centre_pk: UUID) -> HttpResponse:
    """Offer it for bookings again."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_BILLING)
    centre = cost_centre_of(organization, centre_pk)
    restore = partial(restore_cost_centre, cost_centre=centre, by=request.user)
    return _done(request, pk, restore, _("The cost centre %(code)s can be booked on again.") % {"code": centre.code})
