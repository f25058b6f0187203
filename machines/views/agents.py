"""Adding a machine with the agent: the form, the command, and the page that shows how it comes to life."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.requests import AuthenticatedRequest
from common.errors import MarketplaceError
from machines.agent_forms import AgentMachineForm
from machines.loading import agent_of, machine_of
from machines.models import AccessKind, EnrollmentCode, Machine, MachineKind
from machines.onboarding import onboarding, verdicts, worst_first
from machines.services.agents import ask_for_inventory, revoke_agent
from machines.services.enrollment import digest, make_code
from machines.services.machines import add_machine, update_machine
from machines.views.agent_program import NAME, program

#: Where the session keeps the codes that a person was shown, so that the page can show them until they are used.
SHOWN = "agent_codes"
NO_CONTENT = 204
#: Where "enroll --install" puts the program on the server.
INSTALLED = "/usr/local/lib/rsm-agent/rsm-agent.pyz"


@login_required
@require_http_methods(["GET", "POST"])
def machine_add(request: AuthenticatedRequest) -> HttpResponse:
    """Add a machine that its agent will measure: a single server, or with ``?kind=cluster`` a cluster of nodes."""
    if not request.user.is_provider:
        messages.info(request, _("Say first that you want to offer servers."))
        return redirect("machine_list")
    kind = MachineKind.CLUSTER if request.GET.get("kind") == MachineKind.CLUSTER else MachineKind.SINGLE
    instance = Machine(kind=kind, country=request.user.country, access_kind=AccessKind.AGENT)
    form = AgentMachineForm(request.POST if request.method == "POST" else None, instance=instance, kind=kind)
    if request.method == "POST" and form.is_valid():
        try:
            machine = add_machine(provider=request.user, kind=kind, facts=form.facts(), nodes=form.node_facts())
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            return redirect("machine_agent", pk=machine.pk)
    context = {"form": form, "kind": kind}
    return render(request, "machines/machine_add.html", context, status=422 if form.errors else 200)


def edit_unread(request: AuthenticatedRequest, machine: Machine) -> HttpResponse:
    """Correct what was typed of a machine that no agent has read yet. The caller has authorised it."""
    form = AgentMachineForm(request.POST if request.method == "POST" else None, instance=machine, kind=machine.kind)
    if request.method == "POST" and form.is_valid():
        try:
            update_machine(machine=machine, facts=form.facts(), nodes=form.node_facts())
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            messages.success(request, _("The machine is saved."))
            return redirect("machine_agent", pk=machine.pk)
    context = {"form": form, "kind": machine.kind, "machine": machine}
    return render(request, "machines/machine_add.html", context, status=422 if form.errors else 200)


@never_cache
@login_required
@require_GET
@vary_on_headers("HX-Request")
def machine_agent(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """How a machine comes to life. While something is expected the page asks again, and gets an answer if there is one."""
    machine = machine_of(request.user, pk)
    state = onboarding(machine, request.session.get(SHOWN, {}), now=timezone.now())
    fragment = request.htmx  # type: ignore[attr-defined]
    if fragment and request.GET.get("seen") == state.seen:
        return HttpResponse(status=NO_CONTENT)
    for server in state.waiting:
        server.command = _command(server.secret) if server.secret else ""
    context = {
        "machine": machine,
        "state": state,
        "tests": [
            (agent, worst_first(agent.self_test), verdicts(agent.self_test))
            for agent in state.agents
            if agent.self_test_at
        ],
        "installed": INSTALLED,
        "code_minutes": int(settings.MARKETPLACE_ENROLLMENT_CODE.total_seconds() // 60),
        "gone": machine.agents.exclude(revoked_at=None).select_related("node", "revoked_by")[:5],
    }
    return render(request, "machines/_agent.html" if fragment else "machines/agent.html", context)


def _command(code: str) -> str:
    """Fetch, compare, enrol: one paste into a shell, which stops at whatever fails."""
    return (
        f"curl -fsSLO {settings.SITE_URL}{reverse('agent_program')} \\\n"
        f'  && echo "{program()[1]}  {NAME}" \\\n     | sha256sum -c \\\n'
        f"  && sudo python3 {NAME} enroll --install --server {settings.SITE_URL} --code {code}"
    )


@login_required
@require_POST
def machine_agent_code(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """A new command for each server that has no agent, or for the one node or machine that is named."""
    machine = machine_of(request.user, pk)
    now = timezone.now()
    again = "again" in request.POST
    state = onboarding(machine, {}, now=now)
    wanted = [server for server in state.servers if again or not server.agent]
    if named := request.POST.get("node"):
        wanted = [server for server in state.servers if server.node and str(server.node.pk) == named]
    made = [make_code(machine=machine, node=server.node, by=request.user, now=now) for server in wanted]
    kept = request.session.get(SHOWN, {})
    still_open = EnrollmentCode.objects.filter(code_hash__in=kept, used_at=None, expires_at__gt=now)
    open_hashes = set(still_open.values_list("code_hash", flat=True))
    request.session[SHOWN] = {hashed: code for hashed, code in kept.items() if hashed in open_hashes} | {
        digest(code): code for code in made
    }
    return redirect("machine_agent", pk=pk)


@login_required
@require_POST
def machine_inventory(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Have the hardware read again."""
    machine = machine_of(request.user, pk)
    try:
        ask_for_inventory(machine=machine, by=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The agent has been asked. What it finds is shown here."))
    return redirect("machine_agent", pk=pk)


@login_required
@require_POST
def agent_revoke(request: AuthenticatedRequest, pk: UUID, agent_pk: UUID) -> HttpResponse:
    """No longer believe an agent, nor ask it for anything."""
    agent = agent_of(request.user, pk, agent_pk)
    try:
        revoke_agent(
            agent=agent, by=request.user, now=timezone.now(), reason=request.POST.get("reason", "") or "By the provider"
        )
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The agent is revoked. Nothing that it says is believed any more."))
    return redirect("machine_agent", pk=pk)
