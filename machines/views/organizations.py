"""The machines that an organization offers, as its members see them."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.loading import organization_of
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from common.errors import MarketplaceError
from machines.models import Machine
from machines.models.machine import MachineQuerySet
from machines.services.ownership import give_to_organization, take_from_organization
from machines.views.machines import A_PAGE, foremost


class MachineChoiceForm(forms.Form):
    """One of these machines."""

    machine = forms.ModelChoiceField(
        Machine.objects.none(), label=gettext_lazy("Machine"), empty_label=gettext_lazy("Choose one")
    )

    def __init__(self, *args: Any, machines: MachineQuerySet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["machine"].queryset = machines.order_by("name", "pk")  # type: ignore[attr-defined]


@login_required
@require_http_methods(["GET", "POST"])
def organization_machines(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Where each stands. The owner, to whose account they belong, says which of theirs they are."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE_MACHINES)
    is_owner = organization.owner_id == request.user.pk
    theirs = Machine.objects.filter(organization=organization)
    taking = request.POST.get("do") == "take"
    form = leaving = None
    if is_owner:
        data = request.POST if request.method == "POST" else None
        own = Machine.objects.of(request.user).filter(organization=None)
        form = MachineChoiceForm(None if taking else data, machines=own, prefix="give")
        leaving = MachineChoiceForm(data if taking else None, machines=theirs, prefix="take")
    if request.method == "POST":
        chosen = leaving if taking else form
        if chosen is None:
            raise PermissionDenied(gettext("Only the owner of an organization says which machines are its own."))
        if chosen.is_valid():
            move = take_from_organization if taking else give_to_organization
            machine = chosen.cleaned_data["machine"]
            try:
                move(machine_id=machine.pk, organization=organization, by=request.user)
            except MarketplaceError as error:
                chosen.add_error(error.field, error.message)
            else:
                said = (
                    gettext("%(machine)s is your own again.")
                    if taking
                    else gettext("%(machine)s is the organization's now.")
                )
                messages.success(request, said % {"machine": machine.name})
                return redirect("organization_machines", pk=pk)
    shown = theirs.with_summary().with_calendar(now=timezone.now()).order_by("name", "pk")
    page = Paginator(shown, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "organization": organization,
        "powers": powers,
        "is_owner": is_owner,
        "form": form,
        "leaving": leaving,
        "page": page,
        "rows": [(machine, foremost(machine)) for machine in page],
    }
    return render(request, "organizations/machines.html", context, status=422 if request.method == "POST" else 200)
