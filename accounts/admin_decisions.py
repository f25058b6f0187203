"""What takes two administrators, and who looked at the site as whom."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.dangerous import label_of
from accounts.models import Acting, Decision
from accounts.services import decisions
from common.administration import ShownAdmin, decide, linked


@admin.register(Decision)
class DecisionAdmin(ShownAdmin):
    """What one administrator asked for and another one confirms, exactly as it is shown."""

    list_display = ["what", "exactly", "reason", "asker_link", "asked_at", "standing", "expires_at", "decider_link"]
    list_filter = ["state", "action", "asked_at"]
    list_select_related = ["asked_by", "decided_by"]
    search_fields = ["about", "reason", "asked_by__email", "decided_by__email"]
    date_hierarchy = "asked_at"
    fields = [
        "what",
        "exactly",
        "reason",
        "asker_link",
        "asked_at",
        "standing",
        "expires_at",
        "decider_link",
        "decided_at",
        "answer",
    ]
    actions = ["confirm", "decline"]
    asker_link = linked("asked_by", "asked for by")
    decider_link = linked("decided_by")

    @admin.display(description=_("what"), ordering="action")
    def what(self, decision: Decision) -> str:
        return label_of(decision.action)

    @admin.display(description=_("exactly"))
    def exactly(self, decision: Decision) -> SafeString:
        return format_html_join(SafeString("<br>"), "{}: {}", decision.details)

    @admin.display(description=_("state"), ordering="state")
    def standing(self, decision: Decision) -> str:
        if decision.state == "waiting" and not decision.is_waiting(now=timezone.now()):
            return str(_("Nobody confirmed it in time"))
        return str(decision.get_state_display())

    @admin.action(description=_("Confirm, and do it…"), permissions=["operate"])
    def confirm(self, request: HttpRequest, queryset: QuerySet[Decision]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            title=str(_("Confirm: this is done at once")),
            done="confirmed and done",
            needs_reason=False,
            service=lambda row, reason, by: decisions.confirm(decision=row, by=by, now=timezone.now()),
        )

    @admin.action(description=_("Decline, or take back one's own…"), permissions=["operate"])
    def decline(self, request: HttpRequest, queryset: QuerySet[Decision]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            title=str(_("Decline")),
            done="declined",
            needs_reason=True,
            service=lambda row, reason, by: decisions.decline(decision=row, by=by, reason=reason, now=timezone.now()),
        )

    def _decide(self, request: HttpRequest, queryset: QuerySet[Decision], **how: Any) -> HttpResponse | None:
        columns = ["what", "exactly", "reason", "asker_link", "expires_at"]
        return decide(self, request, queryset.select_related("asked_by"), columns=columns, **how)


@admin.register(Acting)
class ActingAdmin(ShownAdmin):
    """Who looked at the site as whom, when and why."""

    list_display = ["began_at", "administrator_link", "user_link", "reason", "ends_at", "ended_at", "ended_by"]
    list_filter = ["ended_by", "began_at"]
    list_select_related = ["administrator", "user"]
    search_fields = ["administrator__email", "user__email", "user__name", "reason"]
    date_hierarchy = "began_at"
    fields = ["administrator_link", "user_link", "reason", "began_at", "ends_at", "ended_at", "ended_by"]
    administrator_link = linked("administrator")
    user_link = linked("user")
