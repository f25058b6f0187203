"""Copies of data and deletions, as administrators see them; and beginning a deletion for somebody who asked for it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import DataExport, DeletionRequest, User
from accounts.services.deletions import ask_for_deletion, take_back
from common.administration import ShownAdmin, decide, linked


@admin.register(DataExport)
class DataExportAdmin(ShownAdmin):
    """That a copy was asked for, and what became of it. Never the copy: it is its person's alone."""

    list_display = [
        "user_link",
        "asked_at",
        "ready_at",
        "failed_at",
        "expires_at",
        "done",
        "total",
        "attempts",
        "error",
    ]
    list_filter = [("ready_at", admin.EmptyFieldListFilter), ("failed_at", admin.EmptyFieldListFilter), "asked_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "user__name"]
    date_hierarchy = "asked_at"
    fields = [
        "user_link", "asked_at", "ready_at", "failed_at", "expires_at", "doing", "done", "total", "size", "attempts",
        "next_attempt_at", "error",
    ]  # fmt: skip
    user_link = linked("user")


class OpenFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Waits")), ("held", _("Held up")), ("done", _("Done")), ("back", _("Taken back"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeletionRequest]) -> QuerySet[DeletionRequest]:
        match self.value():
            case "open":
                return queryset.open()  # type: ignore[attr-defined, no-any-return]
            case "held":
                return queryset.filter(taken_back_at=None, done_at=None, held_up_at__isnull=False)
            case "done":
                return queryset.filter(done_at__isnull=False)
            case "back":
                return queryset.filter(taken_back_at__isnull=False)
        return queryset


@admin.register(DeletionRequest)
class DeletionRequestAdmin(ShownAdmin):
    """Accounts that are to be deleted, and those that were: of these nothing but that it was done."""

    list_display = ["user_link", "state", "asked_at", "asker_link", "due_at", "held_up_at", "done_at", "taken_back_at"]
    list_filter = [OpenFilter, "asked_at"]
    list_select_related = ["user", "asked_by"]
    search_fields = ["user__email", "user__name"]
    date_hierarchy = "asked_at"
    fields = [
        "user_link", "state", "asked_at", "asker_link", "reason", "due_at", "held_up_at", "done_at", "taken_back_at",
    ]  # fmt: skip
    actions = ["take_back"]
    user_link = linked("user")
    asker_link = linked("asked_by")

    @admin.display(description=_("state"))
    def state(self, row: DeletionRequest) -> str:
        return row.state

    @admin.action(description=_("Take back…"), permissions=["operate"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[DeletionRequest]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title="Keep these accounts",
            done="taken back",
            columns=["state", "asked_at", "due_at"],
            needs_reason=True,
            service=lambda row, reason, by: take_back(user=row.user, by=by, reason=reason, now=timezone.now()),
        )


def delete_on_request(modeladmin: Any, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
    """An action for people who cannot ask themselves: who asked for it, and how, is the reason."""
    return decide(
        modeladmin,
        request,
        queryset,
        title="Delete these accounts, after the time to reconsider",
        done="to be deleted",
        columns=["name", "organization_name", "signup_date"],
        needs_reason=True,
        service=lambda row, reason, by: ask_for_deletion(user=row, by=by, reason=reason, now=timezone.now()),
    )
