"""What people sign in with, as platform administrators see it. Never a secret: django-allauth's own pages would show them."""

from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.services.second_factors import remove_second_factor
from accounts.templatetags.sign_in import device
from common.administration import ShownAdmin, decide, for_each, linked

admin.site.unregister([Authenticator, EmailAddress, UserSession])


@admin.register(EmailAddress)
class EmailAddressAdmin(ShownAdmin):
    """Where people's mail goes, and who they are believed to be. Nobody adds one for them: a link for a new password goes there."""

    list_display = ["email", "user_link", "primary", "verified"]
    list_filter = ["primary", "verified"]
    list_select_related = ["user"]
    search_fields = ["email", "user__email"]
    fields = ["email", "user_link", "primary", "verified"]
    actions = ["make_verified"]
    user_link = linked("user")

    @admin.action(description="Mark selected email addresses as verified", permissions=["operate"])
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        AllauthEmailAddressAdmin.make_verified(self, request, queryset)


@admin.register(Authenticator)
class AuthenticatorAdmin(ShownAdmin):
    """Second factors. One that is lost is removed here, once it is certain who asks for it."""

    list_display = ["__str__", "user_link", "type", "created_at", "last_used_at"]
    list_filter = ["type", "created_at", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    fields = ["type", "user_link", "created_at", "last_used_at"]
    actions = ["remove"]
    user_link = linked("user")

    @admin.action(description="Remove…", permissions=["operate"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Authenticator]) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title="Remove these second factors",
            done="removed",
            columns=["user_link", "type", "created_at", "last_used_at"],
            needs_reason=True,
            service=lambda row, reason, by: remove_second_factor(authenticator=row, by=by, reason=reason),
        )


@admin.register(UserSession)
class UserSessionAdmin(ShownAdmin):
    """Where people are signed in."""

    list_display = ["user_link", "device", "ip", "created_at", "last_seen_at"]
    list_filter = ["created_at", "last_seen_at"]
    list_select_related = ["user"]
    search_fields = ["user__email", "ip"]
    fields = ["user_link", "device", "user_agent", "ip", "created_at", "last_seen_at"]
    actions = ["end"]
    user_link = linked("user")

    @admin.display(description="device")
    def device(self, session: UserSession) -> str:
        return device(session.user_agent)

    @admin.action(description="Sign out", permissions=["operate"])
    def end(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        for_each(self, request, list(queryset), lambda row: row.end(), done="signed out")
