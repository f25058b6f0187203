"""A provider's machines: the list, one of them, adding and editing."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from accounts.requests import AuthenticatedRequest
from accounts.services.roles import become_provider as take_on_provider
from common.errors import MarketplaceError
from machines import hardware
from machines.forms import BaseNodeFormSet, MachineForm, NodeFormSet
from machines.loading import machine_of
from machines.models import AccessKind, Listing, Machine, MachineKind
from machines.services.benchmarks import physical_limits
from machines.services.claims import claim_differences
from machines.services.machines import MOST_NODES, add_machine, update_machine
from machines.views.agents import edit_unread

A_PAGE = 25
ROWS = 4
MOST_DIGITS = 9
NODE_FIELDS = ("name", "gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")
RECENT = 10
STEP_WORDS = {"done": _("Done"), "now": _("Now"), "next": _("Then")}


@login_required
@require_GET
def machine_list(request: AuthenticatedRequest) -> HttpResponse:
    """A provider's machines and where each stands; to anyone else, how to become one."""
    machines = Machine.objects.of(request.user).with_summary().with_calendar(now=timezone.now()).order_by("name", "pk")
    page = Paginator(machines, A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(machine, foremost(machine)) for machine in page],
        "steps": _steps(request.user, None),
    }
    return render(request, "machines/machine_list.html", context)


def foremost(machine: Machine) -> Listing | None:
    """The listing that says how a machine stands: the newest one on offer, else the newest paused one."""
    shown = [listing for listing in machine.listings.all() if not listing.is_archived]
    return min(shown, key=lambda listing: not listing.is_active, default=None)


@login_required
@require_POST
def become_provider(request: AuthenticatedRequest) -> HttpResponse:
    take_on_provider(user=request.user)
    messages.success(request, gettext("You can offer servers now. Add the first one."))
    return redirect("machine_list")


@login_required
@require_GET
def machine_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """All of one machine: facts, nodes, measurements, listings, bookings."""
    machine = machine_of(request.user, pk)
    bookings = machine.bookings.select_related("buyer")
    steps = _steps(request.user, machine)
    context = {
        "machine": machine,
        "steps": steps,
        "is_done": all(step["state"] == "done" for step in steps),
        "limits": physical_limits(machine),
        "shown": foremost(machine),
        "passport": (passport := machine.passports.first()),
        "groups": hardware.groups(passport.facts["nodes"]) if passport else [],
        "differences": claim_differences(machine) if passport else [],
        "benchmarks": machine.benchmarks.all()[:RECENT],
        "bookings": bookings.order_by("-start")[:RECENT],
        "unwiped": bookings.awaiting_wipe().order_by("end"),
        "usual_wipe": machine.bookings.usual_wipe(),
    }
    return render(request, "machines/machine_detail.html", context)


def _steps(user: User, machine: Machine | None) -> list[dict[str, str]]:
    """The way from nothing to a machine on offer, as a timeline with where it stands now."""
    listings = list(machine.listings.all()) if machine else []
    way = [
        (
            user.is_verified,
            gettext("You are verified"),
            gettext("Get verified"),
            gettext("An administrator checks who you are."),
        ),
        (
            machine is not None,
            gettext("The machine is added"),
            gettext("Add a machine"),
            gettext("Its hardware, its network, its place."),
        ),
        (
            machine is not None and machine.verified_benchmark_id is not None,
            gettext("It is measured"),
            gettext("Have it measured"),
            gettext("You enter a run, an administrator approves it.")
            if machine is None or not AccessKind(machine.access_kind).is_automatic
            else gettext("The agent measures it, an administrator approves it."),
        ),
        (
            any(listing.is_active for listing in listings),
            gettext("It is on offer"),
            gettext("Put it on offer"),
            gettext("A listing gives it a price and goes active."),
        ),
    ]
    steps: list[dict[str, str]] = []
    for is_done, done, to_do, detail in way:
        state = "done" if is_done else "next" if any(step["state"] == "now" for step in steps) else "now"
        title = done if is_done else to_do
        steps.append({"title": title, "detail": detail, "state": state, "at": str(STEP_WORDS[state])})
    return steps


@login_required
@require_http_methods(["GET", "POST"])
def machine_create(request: AuthenticatedRequest) -> HttpResponse:
    """Add a single server, or with ``?kind=cluster`` a cluster of nodes."""
    if not request.user.is_provider:
        messages.info(request, gettext("Say first that you want to offer servers."))
        return redirect("machine_list")
    kind = MachineKind.CLUSTER if request.GET.get("kind") == MachineKind.CLUSTER else MachineKind.SINGLE
    instance = Machine(kind=kind, country=request.user.country)
    form, nodes = _forms(request, instance)
    if request.method == "POST" and not _wants_rows(request) and _valid(form, nodes):
        try:
            machine = add_machine(
                provider=request.user, kind=kind, facts=form.facts(), nodes=nodes.nodes() if nodes is not None else ()
            )
        except MarketplaceError as error:
            _say(error, form, nodes)
        else:
            messages.success(request, gettext("“%(name)s” is added. Next: have it measured.") % {"name": machine.name})
            return redirect("machine_detail", pk=machine.pk)
    return _edit_page(request, instance, form, nodes)


@login_required
@require_http_methods(["GET", "POST"])
def machine_edit(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Correct a machine's facts. Bookings already made stay as they are."""
    machine = machine_of(request.user, pk)
    if machine.awaits_inventory:
        return edit_unread(request, machine)
    form, nodes = _forms(request, machine)
    if request.method == "POST" and not _wants_rows(request) and _valid(form, nodes):
        try:
            update_machine(machine=machine, facts=form.facts(), nodes=nodes.nodes() if nodes is not None else ())
        except MarketplaceError as error:
            _say(error, form, nodes)
        else:
            messages.success(request, gettext("The machine is saved."))
            return redirect("machine_detail", pk=machine.pk)
    return _edit_page(request, Machine.objects.get(pk=pk), form, nodes)


def _edit_page(
    request: HttpRequest, machine: Machine, form: MachineForm, nodes: BaseNodeFormSet | None
) -> HttpResponse:
    wrong = form.is_bound and (bool(form.errors) or (nodes is not None and not nodes.is_valid()))
    context = {"machine": machine, "form": form, "nodes": nodes, "most_nodes": MOST_NODES}
    return render(request, "machines/machine_form.html", context, status=422 if wrong else 200)


def _forms(request: HttpRequest, machine: Machine) -> tuple[MachineForm, BaseNodeFormSet | None]:
    """The machine's form and, of a cluster, the one of its nodes: blank, filled in, or with more rows."""
    kind, is_cluster = machine.kind, machine.is_cluster
    before = list(machine.nodes.values(*NODE_FIELDS)) if machine.created_at else []
    if _wants_rows(request):
        # What was typed stays; nothing is judged yet.
        form = MachineForm(instance=machine, initial=_typed(request.POST), kind=kind)
        typed = [row for row in _typed_rows(request.POST) if row["name"]]
        return form, NodeFormSet(initial=typed, existing=len(before), rows=ROWS) if is_cluster else None
    data = request.POST if request.method == "POST" else None
    form = MachineForm(data, instance=machine, kind=kind)
    rows = 1 if before else ROWS
    return form, NodeFormSet(data, initial=before, existing=len(before), rows=rows) if is_cluster else None


def _wants_rows(request: HttpRequest) -> bool:
    return "more_rows" in request.POST


def _typed(data: QueryDict) -> dict[str, str]:
    return {name: str(value) for name, value in data.items() if not name.startswith("nodes-")}


def _typed_rows(data: QueryDict) -> list[dict[str, str]]:
    total = data.get("nodes-TOTAL_FORMS", "")
    # Of a number with thousands of digits Python does not even make an int.
    count = min(int(total), MOST_NODES) if total.isdecimal() and len(total) <= MOST_DIGITS else 0
    names = (*NODE_FIELDS, "quantity", "DELETE")
    return [{name: data.get(f"nodes-{index}-{name}", "") for name in names} for index in range(count)]


def _valid(form: MachineForm, nodes: BaseNodeFormSet | None) -> bool:
    """Both are asked, so that the page shows what is wrong with both."""
    return all([form.is_valid(), nodes is None or nodes.is_valid()])


def _say(error: MarketplaceError, form: MachineForm, nodes: BaseNodeFormSet | None) -> None:
    """Put a refusal where it belongs: at the field, with the nodes, or above the form."""
    if error.field in form.fields:
        form.add_error(error.field, error.message)
    elif nodes is not None and error.field:
        nodes.non_form_errors().append(error.message)
    else:
        form.add_error(None, error.message)
