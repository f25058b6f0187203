"""What lets people and their programs in, as platform administrators see it: SSH keys, and API tokens with their uses."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import ApiToken, ApiTokenUse, SSHKey
from accounts.services.tokens import revoke_token
from common.administration import ShownAdmin, decide, linked


@admin.register(SSHKey)
class SSHKeyAdmin(ShownAdmin):
    list_display = ["name", "user_link", "organization_link", "key_type", "fingerprint", "created_at"]
    list_filter = ["key_type", "created_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "fingerprint", "user__email", "organization__name"]
    date_hierarchy = "created_at"
    fields = [
        "name",
        "user_link",
        "organization_link",
        "added_by_link",
        "key_type",
        "fingerprint",
        "public_key",
        "created_at",
    ]
    user_link = linked("user")
    organization_link = linked("organization")
    added_by_link = linked("added_by")


class TokenStateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("good", "Good"), ("over", "Expired or revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        good = ApiToken.objects.current(now=timezone.now())
        if self.value() == "good":
            return queryset.filter(pk__in=good.values("pk"))
        return queryset.exclude(pk__in=good.values("pk")) if self.value() == "over" else queryset


@admin.register(ApiToken)
class ApiTokenAdmin(ShownAdmin):
    """Who let which program in. Never the secret: it is not there."""

    list_display = [
        "name",
        "shown",
        "user_link",
        "organization_link",
        "for_what",
        "expires_at",
        "last_used_at",
        "is_good",
    ]
    list_filter = [TokenStateFilter, "created_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "prefix", "user__email", "organization__name"]
    date_hierarchy = "created_at"
    fields = [
        "name",
        "shown",
        "user_link",
        "organization_link",
        "for_what",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
        "revoked_by_link",
    ]
    actions = ["revoke"]
    user_link = linked("user")
    organization_link = linked("organization")
    revoked_by_link = linked("revoked_by")

    @admin.display(description="begins with")
    def shown(self, token: ApiToken) -> str:
        return f"{token.prefix}…"

    @admin.display(description="for")
    def for_what(self, token: ApiToken) -> str:
        return "; ".join(str(label) for label in token.scope_labels())

    @admin.display(description="good", boolean=True)
    def is_good(self, token: ApiToken) -> bool:
        return token.is_current(now=timezone.now())

    @admin.action(description="Revoke…", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user", "organization"),
            title="Revoke these tokens",
            done="revoked",
            columns=["shown", "user_link", "for_what", "last_used_at"],
            needs_reason=True,
            service=lambda row, reason, by: revoke_token(token_id=row.pk, by=by, reason=reason, now=timezone.now()),
        )


@admin.register(ApiTokenUse)
class ApiTokenUseAdmin(ShownAdmin):
    """Each request with a token."""

    list_display = ["at", "token_link", "method", "path", "status", "address"]
    list_filter = ["at"]
    list_select_related = ["token"]
    search_fields = ["path", "address", "token__name", "token__prefix", "token__user__email"]
    date_hierarchy = "at"
    fields = ["at", "token_link", "method", "path", "status", "address"]
    token_link = linked("token")
