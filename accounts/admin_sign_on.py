"""Single sign-on, as platform administrators see it: whose domains are whose is decided here. Never a secret."""

from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import EmailDomain, SignOnUse, SingleSignOn
from accounts.services.single_sign_on import approve_domain, withdraw_domain
from common.administration import ShownAdmin, decide, linked

# Two of these stay empty, and nobody is to fill them; the third says what the page of a person says in better words.
admin.site.unregister([SocialApp, SocialToken, SocialAccount])


@admin.register(EmailDomain)
class EmailDomainAdmin(ShownAdmin):
    """Whoever has a domain approved can sign in as every member with an address there, and make accounts with such."""

    list_display = ["domain", "organization_link", "asker_link", "asked_at", "approved_at", "approver_link"]
    list_filter = [("approved_at", admin.EmptyFieldListFilter), "asked_at"]
    list_select_related = ["organization", "asked_by", "approved_by"]
    search_fields = ["domain", "organization__name"]
    date_hierarchy = "asked_at"
    fields = ["domain", "organization_link", "asker_link", "asked_at", "approved_at", "approver_link"]
    actions = ["approve", "withdraw"]
    organization_link = linked("organization")
    asker_link = linked("asked_by", "asked for by")
    approver_link = linked("approved_by")

    @admin.action(description="Approve: it is theirs…", permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[EmailDomain]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            title="Approve: their provider speaks for every address of these domains from now on",
            done="approved",
            service=lambda row, reason, by: approve_domain(domain=row, by=by, now=timezone.now()),
        )

    @admin.action(description="Withdraw the approval…", permissions=["operate"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[EmailDomain]) -> HttpResponse | None:
        return self._decide(
            request,
            queryset,
            title="Withdraw: nobody with an address of these domains signs in at the provider any more",
            done="withdrawn",
            service=lambda row, reason, by: withdraw_domain(domain=row, by=by),
        )

    def _decide(self, request: HttpRequest, queryset: QuerySet[EmailDomain], **how: Any) -> HttpResponse | None:
        columns = ["organization_link", "asker_link", "asked_at", "approved_at"]
        rows = queryset.select_related("organization", "asked_by")
        return decide(self, request, rows, columns=columns, needs_reason=True, **how)


@admin.register(SingleSignOn)
class SingleSignOnAdmin(ShownAdmin):
    """At which provider the members of an organization sign in."""

    list_display = ["organization_link", "kind", "issuer", "is_required", "first_role", "proved_at", "created_at"]
    list_filter = ["kind", "is_required", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["organization__name", "issuer", "slug"]
    date_hierarchy = "created_at"
    fields = [
        "organization_link",
        "kind",
        "slug",
        "issuer",
        "client_id",
        "sign_in_url",
        "certificates",
        "first_role",
        "is_required",
        "proved_at",
        "created_at",
    ]
    organization_link = linked("organization")


@admin.register(SignOnUse)
class SignOnUseAdmin(ShownAdmin):
    """Who came back from a provider, and what became of it."""

    list_display = ["at", "organization_link", "user_link", "email", "outcome", "reason"]
    list_filter = ["outcome", "at"]
    list_select_related = ["organization", "user"]
    search_fields = ["organization__name", "user__email", "email"]
    date_hierarchy = "at"
    fields = ["at", "organization_link", "user_link", "email", "outcome", "reason"]
    organization_link = linked("organization")
    user_link = linked("user")
