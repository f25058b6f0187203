"""Agents as platform administrators see them: what they are, what they were asked, what was not believed."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import formats
from common.administration import ShownAdmin, ShownInline, decide, link_to, linked, links_to
from machines.models import (
    Agent,
    Benchmark,
    Challenge,
    EnrollmentCode,
    HardwarePassport,
    Refusal,
    Report,
    Work,
)
from machines.services.agents import revoke_agent

NEWEST = 20


class RefusalInline(ShownInline):
    model = Refusal
    fields = ["at", "code", "detail", "address"]
    verbose_name_plural = "refused messages"


@admin.register(Agent)
class AgentAdmin(ShownAdmin):
    """The programs on providers' servers. One that is not to be believed any more is revoked."""

    list_display = [
        "machine_link",
        "node_name",
        "status",
        "last_heartbeat_at",
        "version",
        "refused",
        "is_simulated",
        "revoked_at",
    ]
    list_filter = ["status", "is_simulated", "version", ("revoked_at", admin.EmptyFieldListFilter), "enrolled_at"]
    list_select_related = ["machine", "node"]
    search_fields = ["machine__name", "hostname", "fingerprint", "machine__provider__email"]
    date_hierarchy = "enrolled_at"
    fields = [
        "id",
        "machine_link",
        "node_name",
        "provider_link",
        "hostname",
        "address",
        "version",
        "status",
        "last_heartbeat_at",
        "fingerprint",
        "public_key",
        "sequence",
        "token_made_at",
        "is_simulated",
        "enrolled_at",
        "enrolled_by_link",
        "revoked_at",
        "revoked_by_link",
        "revoked_because",
        "self_test_shown",
        "work_links",
    ]
    inlines = [RefusalInline]
    actions = ["revoke"]
    machine_link = linked("machine")
    provider_link = linked("machine__provider")
    enrolled_by_link = linked("enrolled_by")
    revoked_by_link = linked("revoked_by")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(refusal_count=Count("refusals"))

    @admin.display(description="node")
    def node_name(self, agent: Agent) -> str:
        return agent.node_name or formats.NOTHING

    @admin.display(description="refused", ordering="refusal_count")
    def refused(self, agent: Any) -> Any:
        return agent.refusal_count

    @admin.display(description="self-test")
    def self_test_shown(self, agent: Agent) -> SafeString | str:
        lines = ((check["status"], check["title"], check["actual"], check["required"]) for check in agent.self_test)
        return format_html_join(SafeString("<br>"), "{}: {} ({}; required: {})", lines) or formats.NOTHING

    @admin.display(description="newest work")
    def work_links(self, agent: Agent) -> SafeString | str:
        return links_to(agent.work.all()[:NEWEST])

    @admin.action(description="Revoke…", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Agent]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("machine", "node"),
            title="Revoke these agents",
            done="revoked",
            columns=["machine_link", "node_name", "status", "last_heartbeat_at"],
            needs_reason=True,
            service=lambda row, reason, by: revoke_agent(agent=row, by=by, now=timezone.now(), reason=reason),
        )


@admin.register(Work)
class WorkAdmin(ShownAdmin):
    list_display = ["created_at", "agent_link", "kind", "state", "attempt", "finished_at", "error_begins"]
    list_filter = ["kind", "state", "created_at"]
    list_select_related = ["agent__machine", "agent__node"]
    search_fields = ["agent__machine__name", "key", "booking_id"]
    date_hierarchy = "created_at"
    fields = [
        "id",
        "agent_link",
        "kind",
        "key",
        "booking_id",
        "state",
        "attempt",
        "created_at",
        "not_before",
        "leased_at",
        "acknowledged_at",
        "lease_until",
        "finished_at",
        "error",
        "payload",
        "result",
        "report_links",
    ]
    agent_link = linked("agent")

    @admin.display(description="error")
    def error_begins(self, work: Work) -> str:
        return work.error[:80]

    @admin.display(description="reports")
    def report_links(self, work: Work) -> SafeString | str:
        return links_to(work.reports.all())


@admin.register(Report)
class ReportAdmin(ShownAdmin):
    """What was believed, with the signature that made it so."""

    list_display = ["received_at", "agent_link", "kind", "sequence", "work_link"]
    list_filter = ["kind", "received_at"]
    list_select_related = ["agent__machine", "agent__node", "work"]
    search_fields = ["agent__machine__name", "agent__fingerprint"]
    date_hierarchy = "received_at"
    fields = ["id", "agent_link", "work_link", "kind", "sequence", "sent_at", "received_at", "message", "signature"]
    agent_link = linked("agent")
    work_link = linked("work")


@admin.register(Refusal)
class RefusalAdmin(ShownAdmin):
    """What was not believed: forged, replayed, late, another machine's."""

    list_display = ["at", "code", "agent_link", "address", "path", "detail"]
    list_filter = ["code", "at"]
    list_select_related = ["agent__machine", "agent__node"]
    search_fields = ["agent__machine__name", "address", "detail"]
    date_hierarchy = "at"
    fields = ["at", "code", "agent_link", "address", "path", "detail", "excerpt"]
    agent_link = linked("agent")


@admin.register(EnrollmentCode)
class EnrollmentCodeAdmin(ShownAdmin):
    list_display = ["made_at", "machine_link", "made_by_link", "expires_at", "used_at", "agent_link"]
    list_filter = ["made_at", ("used_at", admin.EmptyFieldListFilter)]
    list_select_related = ["machine", "made_by", "agent__machine", "agent__node"]
    search_fields = ["machine__name", "made_by__email"]
    fields = ["machine_link", "made_at", "made_by_link", "expires_at", "used_at", "agent_link"]
    machine_link = linked("machine")
    made_by_link = linked("made_by")
    agent_link = linked("agent")


@admin.register(HardwarePassport)
class HardwarePassportAdmin(ShownAdmin):
    list_display = ["machine_link", "version", "made_at", "change_count", "is_simulated"]
    list_filter = ["made_at", "is_simulated"]
    list_select_related = ["machine"]
    search_fields = ["machine__name", "sha256"]
    fields = ["machine_link", "version", "made_at", "sha256", "changes_shown", "facts", "is_simulated"]
    machine_link = linked("machine")

    @admin.display(description="changes")
    def change_count(self, passport: HardwarePassport) -> int:
        return len(passport.changes)

    @admin.display(description="changes")
    def changes_shown(self, passport: HardwarePassport) -> SafeString | str:
        lines = ((change["what"], change["before"], change["after"]) for change in passport.changes)
        return format_html_join(SafeString("<br>"), "{}: {} → {}", lines) or formats.NOTHING


@admin.register(Challenge)
class ChallengeAdmin(ShownAdmin):
    """All machines of one provider at the same moment: did each begin before another had ended?"""

    list_display = ["made_at", "provider_link", "made_by_link", "reason"]
    list_filter = ["made_at"]
    list_select_related = ["provider", "made_by"]
    search_fields = ["provider__email", "provider__organization_name", "reason"]
    fields = ["made_at", "provider_link", "made_by_link", "reason", "measured", "at_the_same_time", "runs"]
    provider_link = linked("provider")
    made_by_link = linked("made_by")

    def _works(self, challenge: Challenge) -> list[Work]:
        works = Work.objects.filter(payload__challenge=str(challenge.pk))
        return list(works.select_related("agent__machine", "agent__node").order_by("leased_at"))

    @admin.display(description="measured")
    def measured(self, challenge: Challenge) -> str:
        works = self._works(challenge)
        return f"{sum(not work.is_open for work in works)} of {len(works)}"

    @admin.display(description="at the same time")
    def at_the_same_time(self, challenge: Challenge) -> str:
        """The longest that any began after the first: a machine that waits for another one's answer is late."""
        began = [work.leased_at for work in self._works(challenge) if work.leased_at]
        if len(began) < 2:
            return formats.NOTHING
        apart: timedelta = max(began) - min(began)
        return f"All began within {apart.total_seconds():.0f} s."

    @admin.display(description="runs")
    def runs(self, challenge: Challenge) -> SafeString:
        made = {str(run.pk): run for run in Benchmark.objects.filter(challenge=challenge).select_related("machine")}
        rows = format_html_join(
            "",
            "<tr><th scope=row>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    link_to(work.agent),
                    work.get_state_display(),
                    formats.when(work.leased_at) if work.leased_at else formats.NOTHING,
                    formats.when(work.finished_at) if work.finished_at else formats.NOTHING,
                    link_to(made.get(work.payload["benchmark"])),
                )
                for work in self._works(challenge)
            ),
        )
        return format_html(
            "<table><thead><tr><th>Server</th><th>State</th><th>Began</th><th>Ended</th><th>Run</th></tr></thead>"
            "<tbody>{}</tbody></table>",
            rows,
        )
