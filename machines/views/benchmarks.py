"""Having a machine measured by its agent, and entering a benchmark that was run by hand."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from common.errors import MarketplaceError
from machines.forms import BenchmarkForm
from machines.loading import machine_of
from machines.models import AccessKind
from machines.services.benchmarks import physical_limits, record_benchmark
from machines.services.measuring import ask_for_benchmark


@login_required
@require_http_methods(["GET", "POST"])
def benchmark_create(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Enter a run. Nobody sees it as verified before an administrator has approved it."""
    machine = machine_of(request.user, pk)
    if machine.access_kind != AccessKind.MANUAL:
        messages.error(request, _("This machine has an agent, which measures it and signs what it finds."))
        return redirect("machine_agent", pk=machine.pk)
    form = BenchmarkForm(request.POST or None, machine=machine)
    if request.method == "POST" and form.is_valid():
        try:
            record_benchmark(
                machine=machine,
                source=form.source(),
                collected_at=form.cleaned_data["collected_at"],
                values=form.values(),
                now=timezone.now(),
            )
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            messages.success(request, _("The run is kept. An administrator looks at it; you get a mail."))
            return redirect("machine_detail", pk=machine.pk)
    context = {"machine": machine, "form": form, "limits": physical_limits(machine)}
    return render(request, "machines/benchmark_form.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def machine_measure(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Have the agent measure the machine now."""
    machine = machine_of(request.user, pk)
    try:
        ask_for_benchmark(machine=machine, by=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(
            request, _("The agent measures it now. That takes a few minutes; the agent’s page follows it.")
        )
    return redirect("machine_agent", pk=machine.pk)
