"""What people are told, and where else it goes, as platform administrators see it. :mod:`accounts.admin` registers it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import MessagePreferences, WebhookDelivery, WebhookEndpoint
from common.administration import ShownAdmin, linked


class DisabledFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("on", "On"), ("failing", "Failing"), ("off", "Switched off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> QuerySet[WebhookEndpoint]:
        if self.value() == "on":
            return queryset.filter(disabled_at=None, failures=0)
        if self.value() == "failing":
            return queryset.filter(disabled_at=None, failures__gt=0)
        return queryset.filter(disabled_at__isnull=False) if self.value() == "off" else queryset


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ShownAdmin):
    """Never the whole address of Discord's, and never a secret."""

    list_display = ["name", "kind", "host", "user_link", "organization", "state_words", "failures", "created_at"]
    list_filter = ["kind", DisabledFilter, "created_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "user__email", "organization__name"]
    date_hierarchy = "created_at"
    fields = [
        "name",
        "kind",
        "shown_url",
        "user_link",
        "organization",
        "events",
        "created_at",
        "state_words",
        "failures",
        "failing_since",
        "disabled_at",
        "disabled_because",
    ]
    user_link = linked("user")

    @admin.display(description="state")
    def state_words(self, endpoint: WebhookEndpoint) -> str:
        return endpoint.state[1]


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ShownAdmin):
    """What went where, and what came of it. Not what was in it, nor what was answered: that is their owner's."""

    list_display = ["title", "endpoint_link", "event", "status", "attempts", "response_code", "created_at", "error"]
    list_filter = ["status", "created_at"]
    list_select_related = ["endpoint"]
    search_fields = ["title", "key", "endpoint__name"]
    date_hierarchy = "created_at"
    fields = [
        "title",
        "endpoint_link",
        "event",
        "key",
        "status",
        "created_at",
        "attempts",
        "next_attempt_at",
        "delivered_at",
        "response_code",
        "error",
    ]
    endpoint_link = linked("endpoint")


@admin.register(MessagePreferences)
class MessagePreferencesAdmin(ShownAdmin):
    """What people have chosen, for when somebody asks why they got no mail."""

    list_display = ["user_link", "digest", "quiet_from", "quiet_until", "updated_at"]
    list_filter = ["digest", "updated_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    date_hierarchy = "updated_at"
    fields = ["user_link", "page", "mail", "digest", "quiet_from", "quiet_until", "updated_at"]
    user_link = linked("user")
