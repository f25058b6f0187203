"""What this room holds about a person: the machines they provide (:mod:`accounts.privacy`)."""

from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.privacy import Kept, Retention, Room, fields_of, table
from common.history.forgetting import forget
from common.history.tracking import kind_of
from common.ids import short
from machines.models import (
    Agent,
    Benchmark,
    Challenge,
    HardwarePassport,
    Listing,
    ListingStatus,
    Machine,
    MaintenanceWindow,
    Node,
    Refusal,
)
from machines.services.agents import revoke_agent
from machines.services.listings import archive_listing

EXPORTS = [
    table(
        "machines/machines",
        _("Machines"),
        lambda user: Machine.objects.filter(provider=user),
        fields_of(Machine),
        covers=["machines.Machine.provider"],
    ),
    table(
        "machines/nodes",
        _("Servers of clusters"),
        lambda user: Node.objects.filter(machine__provider=user),
        fields_of(Node),
    ),
    table(
        "machines/listings",
        _("Listings"),
        lambda user: Listing.objects.filter(machine__provider=user),
        fields_of(Listing),
    ),
    table(
        "machines/benchmarks",
        _("Benchmarks"),
        lambda user: Benchmark.objects.filter(machine__provider=user),
        fields_of(Benchmark, "requested_by", "decided_by"),
    ),
    table(
        "machines/challenges",
        _("Benchmarks that were asked for of all your machines at once"),
        lambda user: Challenge.objects.filter(provider=user),
        ["id", "made_at", "reason"],
        covers=["machines.Challenge.provider"],
    ),
    table(
        "machines/agents",
        _("Agents, without their secrets"),
        lambda user: Agent.objects.filter(Q(machine__provider=user) | Q(enrolled_by=user)),
        fields_of(Agent, "token_hash", "next_token_hash", "enrolled_by", "revoked_by"),
        covers=["machines.Agent.enrolled_by"],
    ),
    table(
        "machines/passports",
        _("Hardware passports"),
        lambda user: HardwarePassport.objects.filter(machine__provider=user),
        fields_of(HardwarePassport),
    ),
    table(
        "machines/maintenance",
        _("Maintenance"),
        lambda user: MaintenanceWindow.objects.filter(Q(machine__provider=user) | Q(announced_by=user)),
        fields_of(MaintenanceWindow, "announced_by"),
        covers=["machines.MaintenanceWindow.announced_by"],
    ),
]

DECIDED = "Which administrator did it concerns the administrator's work, not their person."

NOT_EXPORTED = {
    "machines.Agent.revoked_by": "The provider, whose agents are in it, or an administrator.",
    "machines.Benchmark.decided_by": DECIDED,
    "machines.Benchmark.requested_by": "The provider, whose benchmarks are in it, or an administrator.",
    "machines.Challenge.made_by": DECIDED,
    "machines.EnrollmentCode.made_by": "A secret of some minutes; the agent that came of it is in it.",
    "machines.Work.created_by": "What agents were asked to do; the machines and bookings that it was for are in it.",
}


def erase(user: User, now: datetime) -> None:
    """Their machines leave the market and are called by nobody's words any more; what was measured stays with bookings."""
    machines = Machine.objects.filter(provider=user, organization=None)
    for listing in Listing.objects.filter(machine__in=machines).exclude(status=ListingStatus.ARCHIVED):
        archive_listing(listing=listing, now=now)
    agents = Agent.objects.filter(machine__in=machines)
    for agent in agents.filter(revoked_at=None):
        revoke_agent(agent=agent, by=user, now=now, reason=str(_("The account was deleted.")))
    Listing.objects.filter(machine__in=machines).update(description="")
    Refusal.objects.filter(agent__in=agents).delete()
    agents.update(hostname="", address=None, inventory={}, health={}, self_test=[])
    MaintenanceWindow.objects.filter(machine__in=machines).update(note="")
    for machine in machines:
        machine.name, machine.ssh_host, machine.container_image = f"gone-{short(machine.pk)}", "", ""
        machine.save(update_fields=["name", "ssh_host", "container_image", "updated_at"])
    _forget_history(machines)


def _forget_history(machines: "QuerySet[Machine]") -> None:
    ids = list(machines.values_list("pk", flat=True))
    of_machines, of_agents, of_listings = kind_of(Machine), kind_of(Agent), kind_of(Listing)
    if of_machines is not None:
        forget(of_machines, Q(pgh_obj__in=ids), name="", ssh_host="", container_image="")
    if of_agents is not None:
        forget(of_agents, Q(pgh_obj__in=Agent.objects.filter(machine__in=ids).values("pk")), hostname="")
    if of_listings is not None:
        forget(of_listings, Q(pgh_obj__in=Listing.objects.filter(machine__in=ids).values("pk")), description="")


ROOM = Room(
    "machines",
    exports=EXPORTS,
    not_exported=NOT_EXPORTED,
    erase=erase,
    goes=[_("Your machines leave the market; their names, descriptions and addresses go, and their agents are let go.")],
    texts={
        "machines.Agent": ["revoked_because"],
        "machines.Challenge": ["reason"],
        "machines.Benchmark": ["reason"],
        "machines.MaintenanceWindow": ["note"],
        "machines.Refusal": ["detail", "excerpt"],
    },
    names={
        "machines.GPUModel": ["name", "manufacturer", "architecture"],
        "machines.Machine": ["name", "gpu_model", "cpu_model", "os", "region"],
    },
    kept=[
        Kept(
            _("What machines signed: measurements, and reports of the work they did"),
            _("It is the evidence on which bookings, refunds and certificates of others rest. It names machines, not you."),
            ["agent_reports.message"],
        ),
    ],
    retention=[
        Retention(_("Every heartbeat of a machine"), "MARKETPLACE_SAMPLES_DAYS",
                  _("So that lost time can be shown minute by minute.")),
        Retention(_("How a machine was, by the hour"), "MARKETPLACE_HOURS_DAYS",
                  _("So that its reliability can be shown.")),
        Retention(_("Messages in a machine's name that we refused"), "MARKETPLACE_REFUSALS_DAYS",
                  _("So that attacks can be told from mistakes.")),
    ],
)  # fmt: skip
