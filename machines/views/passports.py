"""The hardware passport of a machine, and claiming what it says."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.requests import AuthenticatedRequest
from common.errors import MarketplaceError
from machines import hardware
from machines.loading import machine_of
from machines.services.claims import adopt_inventory, claim_differences

A_PAGE = 20


@login_required
@require_GET
def machine_passport(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Every version, the newest first: what the agents read, and what had changed."""
    machine = machine_of(request.user, pk)
    page = Paginator(machine.passports.order_by("-version"), A_PAGE).get_page(request.GET.get("page"))
    context = {
        "machine": machine,
        "page": page,
        "versions": [(passport, hardware.groups(passport.facts["nodes"])) for passport in page],
        "differences": claim_differences(machine),
    }
    return render(request, "machines/passport.html", context)


@login_required
@require_POST
def machine_adopt(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Take over what was measured."""
    machine = machine_of(request.user, pk)
    try:
        adopt_inventory(machine=machine, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The machine is described as the agent found it."))
    return redirect("machine_detail", pk=pk)
