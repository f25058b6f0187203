"""Where a machine stands on its way from a name to an offer, as its page shows it step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import formats
from machines import hardware
from machines.models import Agent, EnrollmentCode, HardwarePassport, Machine, Node, Work, WorkKind
from machines.services.claims import claim_differences

#: How long after an enrollment the page still looks by itself for what comes next.
FRESH = timedelta(minutes=15)
STATE_WORDS = {
    "done": gettext_lazy("Done"),
    "now": gettext_lazy("Now"),
    "next": gettext_lazy("Then"),
    "bad": gettext_lazy("Look here"),
}


@dataclass
class Server:
    """One server of a machine: the machine itself, or a node of a cluster."""

    node: Node | None
    agent: Agent | None = None
    code: EnrollmentCode | None = None
    #: The code itself: only the person who asked for it sees it.
    secret: str = ""
    command: str = ""

    @property
    def name(self) -> str:
        return self.node.name if self.node else ""


@dataclass(frozen=True)
class Verdicts:
    """How the checks of a self-test came out."""

    passed: int
    warned: int
    failed: int

    @property
    def tone(self) -> str:
        return "bad" if self.failed else "warn" if self.warned else "good"

    @property
    def words(self) -> str:
        parts = [_("%(count)d passed") % {"count": self.passed}]
        parts += [_("%(count)d to look at") % {"count": self.warned}] if self.warned else []
        parts += [_("%(count)d failed") % {"count": self.failed}] if self.failed else []
        return ", ".join(parts)


def verdicts(checks: Sequence[dict[str, Any]]) -> Verdicts:
    found = [check["status"] for check in checks]
    return Verdicts(found.count("pass"), found.count("warn"), found.count("fail"))


def worst_first(checks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    order = ("fail", "warn", "pass")
    return sorted(checks, key=lambda check: order.index(check["status"]))


@dataclass
class Onboarding:
    """All that the page of a machine's agents needs, read once."""

    machine: Machine
    now: datetime
    servers: list[Server] = field(default_factory=list)

    @property
    def agents(self) -> list[Agent]:
        return [server.agent for server in self.servers if server.agent]

    @cached_property
    def waiting(self) -> list[Server]:
        """Those for which there is a command that nobody has run yet."""
        return [server for server in self.servers if server.code]

    @cached_property
    def bare(self) -> list[Server]:
        return [server for server in self.servers if not server.agent]

    @property
    def enrolled(self) -> str:
        return _("%(of)s enrolled") % {"of": self._of(len(self.agents))}

    @cached_property
    def passport(self) -> HardwarePassport | None:
        return self.machine.passports.first()

    @cached_property
    def differences(self) -> list[hardware.Change]:
        return claim_differences(self.machine)

    @cached_property
    def hardware(self) -> list[tuple[list[str], list[tuple[str, str]]]]:
        return hardware.groups(self.passport.facts["nodes"]) if self.passport else []

    @cached_property
    def work(self) -> list[Work]:
        """What the agents are asked for at the moment, beside bookings."""
        kinds = (WorkKind.INVENTORY, WorkKind.BENCHMARK)
        return list(Work.objects.open().filter(agent__in=self.agents, kind__in=kinds).order_by("created_at"))

    @property
    def is_moving(self) -> bool:
        """Whether something is expected within moments, so that the page looks by itself."""
        young = [agent for agent in self.agents if self.now - agent.enrolled_at < FRESH]
        settling = any(not agent.self_test_at or not agent.is_online for agent in young)
        return bool(self.waiting or self.work or settling)

    @property
    def seen(self) -> str:
        """Changes when there is something new to show."""
        parts: list[object] = [self.is_moving, self.passport and self.passport.version, bool(self.differences)]
        for server in self.servers:
            agent, code = server.agent, server.code
            parts += [code and code.pk, agent and (agent.pk, agent.status, agent.inventory_at, agent.self_test_at)]
        parts += [(work.pk, work.state) for work in self.work]
        parts += sorted((str(run.pk), run.status) for run in self.runs)
        parts += sorted((str(listing.pk), listing.status) for listing in self.machine.listings.all())
        return hardware.digest([str(part) for part in parts])[:16]

    @cached_property
    def runs(self) -> list[Any]:
        return list(self.machine.benchmarks.all()[:5])

    @cached_property
    def steps(self) -> list[dict[str, Any]]:
        """A timeline: what is done, where it stands, what comes."""
        way = [self._enrolled(), self._read(), self._tested(), self._online(), self._measured(), self._offered()]
        steps: list[dict[str, Any]] = []
        for title, detail, state, at in way:
            if state == "open":
                state = "next" if any(step["state"] in ("now", "bad") for step in steps) else "now"
            steps.append({"title": title, "detail": detail, "state": state, "at": at or str(STATE_WORDS[state])})
        return steps

    def _of(self, count: int) -> str:
        """ "2 of 3 nodes" where there are several."""
        if not self.machine.is_cluster:
            return ""
        return _("%(count)d of %(all)d nodes") % {"count": count, "all": len(self.servers)}

    def _enrolled(self) -> tuple[str, str, str, datetime | None]:
        agents = self.agents
        if self.bare:
            detail = _("Waiting for the command to be run.") if self.waiting else _("Run one command on the server.")
            return _("Enrol"), " ".join(filter(None, [detail, self._of(len(agents))])), "open", None
        detail = self._of(len(agents)) or _("Its key is %(key)s.") % {"key": agents[0].fingerprint}
        return _("Enrolled"), detail, "done", max(agent.enrolled_at for agent in agents)

    def _read(self) -> tuple[str, str, str, datetime | None]:
        passport = self.passport
        there = [name for name in self.names if passport and name in passport.facts["nodes"]]
        if not passport or len(there) < len(self.servers):
            return _("Read the hardware"), self._of(len(there)) or _("The agent sends it when it enrols."), "open", None
        if self.differences:
            return _("The hardware is not what is claimed"), _("See below what differs."), "bad", None
        words = hardware.in_short(passport.facts["nodes"][there[0]])
        detail = _("Passport, version %(version)d: %(words)s") % {"version": passport.version, "words": words}
        return _("Hardware read"), detail, "done", passport.made_at

    @property
    def names(self) -> list[str]:
        return [server.name for server in self.servers]

    def _tested(self) -> tuple[str, str, str, datetime | None]:
        if not self.bare and all(agent.is_simulated for agent in self.agents):
            return _("Self-test"), _("Not run: a simulated server has nothing to test."), "done", None
        tested = [agent for agent in self.agents if agent.self_test_at]
        if not tested or len(tested) < len(self.servers):
            return _("Self-test"), self._of(len(tested)) or _("It checks what a booking needs."), "open", None
        result = verdicts([check for agent in tested for check in agent.self_test])
        state = "bad" if result.failed else "done"
        return _("Self-test"), f"{result.words}.", state, max(agent.self_test_at for agent in tested)  # type: ignore[type-var]

    def _online(self) -> tuple[str, str, str, datetime | None]:
        online = [agent for agent in self.agents if agent.is_online]
        beats = [agent.last_heartbeat_at for agent in self.agents if agent.last_heartbeat_at]
        if online and len(online) == len(self.servers):
            return _("Online"), _("It says so every half minute."), "done", None
        if beats and not self.bare:
            return (
                _("Offline"),
                _("Last heard of %(when)s.") % {"when": formats.ago(max(beats), now=self.now)},
                "bad",
                None,
            )
        return _("Online"), self._of(len(online)) or _("With its first heartbeat."), "open", None

    def _measured(self) -> tuple[str, str, str, datetime | None]:
        verified = self.machine.verified_benchmark
        if verified:
            return (
                _("Measured and verified"),
                _("An administrator has approved the figures."),
                "done",
                verified.decided_at,
            )
        measuring = next((work for work in self.work if work.kind == WorkKind.BENCHMARK), None)
        newest = self.runs[0] if self.runs else None
        if measuring:
            return _("Measure"), f"{measuring.get_state_display()}.", "open", None
        if newest and newest.is_pending:
            return _("Measured"), _("An administrator looks at the figures; you get a mail."), "open", None
        if newest and newest.is_rejected:
            return _("The measurement was rejected"), newest.reason, "bad", newest.decided_at
        return _("Measure"), _("GPUs, CPU, disks and network. An administrator approves it."), "open", None

    def _offered(self) -> tuple[str, str, str, datetime | None]:
        on_offer = [listing for listing in self.machine.listings.all() if listing.is_active]
        if on_offer and all(listing.is_suspended for listing in on_offer):
            return _("Suspended"), on_offer[0].why_suspended, "bad", on_offer[0].suspended_at
        if on_offer:
            return _("On offer"), _("Buyers find it."), "done", None
        return _("Put it on offer"), _("A listing gives it a price."), "open", None


def onboarding(machine: Machine, secrets: dict[str, str], *, now: datetime) -> Onboarding:
    """``secrets``: the codes that this person was shown, by their digest."""
    nodes: list[Node | None] = list(machine.nodes.all()) if machine.is_cluster else [None]
    agents = {
        agent.node_id: agent
        for agent in Agent.objects.enrolled().filter(machine=machine).select_related("node", "enrolled_by")
    }
    codes = {
        code.node_id: code
        for code in EnrollmentCode.objects.filter(machine=machine, used_at=None, expires_at__gt=now).order_by("made_at")
    }
    servers = []
    for node in nodes:
        key = node.pk if node else None
        code = codes.get(key)
        servers.append(Server(node, agents.get(key), code, secrets.get(code.code_hash, "") if code else ""))
    return Onboarding(machine, now, servers)
