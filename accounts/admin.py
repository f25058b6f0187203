"""People, as platform administrators see them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts import (  # noqa: F401  # they register their pages
    admin_decisions,
    admin_keys,
    admin_messages,
    admin_organizations,
    admin_sign_in,
    admin_sign_on,
    admin_verification,
)
from accounts.acting import SESSION_KEY
from accounts.admin_privacy import delete_on_request
from accounts.decisions import SET_ADMINISTRATOR, administrator_arguments
from accounts.models import Acting, BillingDetails, Notification, OutgoingMail, Role, User
from accounts.services.acting import begin_acting
from accounts.services.decisions import ask
from accounts.tax import treatment_of_details
from common.administration import ActsOnRows, SaveChanged, ShownAdmin, decide, linked, links_to
from common.history.reading import Scope, scopes_around


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["email", "name"]
        field_classes: dict[str, type[forms.Field]] = {}


#: What a form may change. Who is a platform administrator takes two of them (accounts.decisions).
EDITED_ROLES = [choice for choice in Role.choices if choice[0] != Role.PLATFORM_ADMINISTRATOR]


class EditUserForm(UserChangeForm):  # type: ignore[type-arg]
    roles = forms.MultipleChoiceField(choices=EDITED_ROLES, required=False, widget=forms.CheckboxSelectMultiple)

    def clean_email(self) -> str:
        """How somebody signs in is theirs alone: whoever could change it could be them, and two administrators at once."""
        if self.cleaned_data["email"] != self.instance.email:
            raise forms.ValidationError(
                _("The address is its person's to change: a link for a new password goes there.")
            )
        return str(self.instance.email)

    def clean_is_active(self) -> bool:
        """Who may administer takes two of them, and switching an account off or on would change that, too."""
        is_active: bool = self.cleaned_data["is_active"]
        if Role.PLATFORM_ADMINISTRATOR in self.instance.roles and is_active != self.instance.is_active:
            raise forms.ValidationError(
                _(
                    "Two administrators decide who is one: have the role taken from them first (“Take the administrator's role from them…”), then switch the account off or on."
                )
            )
        return is_active

    def clean_roles(self) -> list[str]:
        """Those that are chosen; being an administrator stays as it is."""
        kept = [role for role in self.instance.roles if role == Role.PLATFORM_ADMINISTRATOR]
        return [*self.cleaned_data["roles"], *kept]

    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, type[forms.Field]] = {}


class RoleFilter(admin.SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in Role.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(roles__contains=[self.value()]) if self.value() else queryset


@admin.register(User)
class UserAdmin(SaveChanged, ActsOnRows, DjangoUserAdmin):  # type: ignore[type-arg]
    add_form = NewUserForm
    form = EditUserForm
    ordering = ["-signup_date"]
    date_hierarchy = "signup_date"
    list_display = [
        "email",
        "name",
        "organization_name",
        "role_words",
        "verified",
        "country",
        "is_active",
        "signup_date",
    ]
    list_filter = [RoleFilter, "verifications__status", "is_active", "is_staff", "signup_date"]
    search_fields = ["email", "name", "organization_name"]
    readonly_fields = [
        "id",
        "signup_date",
        "last_login",
        "is_administrator",
        "is_superuser",
        "verification_links",
        "key_links",
        "machine_links",
    ]
    actions = ["act_as", "make_administrator", "unmake_administrator", "delete_on_request"]
    fieldsets = [
        (None, {"fields": ["id", "email", "name", "organization_name", "country", "timezone", "language"]}),
        ("What they are here", {"fields": ["is_administrator", "roles", "is_billing_account", "verification_links"]}),
        ("What is theirs", {"fields": ["machine_links", "key_links"]}),
        ("Permissions", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("When", {"fields": ["signup_date", "last_login"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "name", "usable_password", "password1", "password2"]})
    ]
    delete_on_request = admin.action(description=_("Delete at their request…"), permissions=["change"])(
        delete_on_request
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("verifications")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a person's bookings and payments stay; an account is switched off instead

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Staff who may edit people give nobody, themselves included, more than they are given."""
        may = getattr(request.user, "is_platform_administrator", False)
        more = [] if may else ["is_staff", "groups", "user_permissions"]
        return [*super().get_readonly_fields(request, obj), *more]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """
        Raises:
            PermissionDenied: always; people have a link for a new one mailed.
        """
        raise PermissionDenied(
            "A password is its person's alone. They choose a new one at the sign-in, “Forgot your password?”."
        )

    def history_around(self, row: Any) -> list[Scope]:
        return scopes_around(row, "user")

    @admin.display(description=_("platform administrator"), boolean=True)
    def is_administrator(self, user: User) -> bool:
        return user.is_platform_administrator

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_user")

    @admin.action(description=_("Make them platform administrators…"), permissions=["operate"])
    def make_administrator(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self._ask(request, queryset, holds=True, title=str(_("Make these people platform administrators")))

    @admin.action(description=_("Take the administrator's role from them…"), permissions=["operate"])
    def unmake_administrator(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        return self._ask(request, queryset, holds=False, title=str(_("Take the administrator's role from them")))

    def _ask(self, request: HttpRequest, queryset: QuerySet[User], *, holds: bool, title: str) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset,
            title=title,
            done="asked for: a second administrator confirms it",
            columns=["name", "organization_name", "role_words"],
            needs_reason=True,
            service=lambda row, reason, by: ask(
                action=SET_ADMINISTRATOR,
                arguments=administrator_arguments(row, holds=holds),
                reason=reason,
                by=by,
                now=timezone.now(),
            ),
        )

    @admin.action(description=_("See the site as this person does…"), permissions=["operate"])
    def act_as(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(request, _("Choose one person."), messages.ERROR)
            return None
        begun: list[Acting] = []
        answer = decide(
            self,
            request,
            queryset,
            title=str(_("See the site as this person does: they are told at once, and read the reason")),
            done="begun",
            columns=["name", "organization_name", "role_words"],
            needs_reason=True,
            service=lambda row, reason, by: begun.append(
                begin_acting(administrator=by, user=row, reason=reason, now=timezone.now())
            ),
        )
        if not begun:
            return answer
        request.session[SESSION_KEY] = str(begun[0].pk)
        return redirect("home")

    @admin.display(description="roles")
    def role_words(self, user: User) -> str:
        return ", ".join(str(Role(role).label) for role in user.roles)

    @admin.display(description="verified", boolean=True)
    def verified(self, user: User) -> bool:
        return user.is_verified

    @admin.display(description="verifications")
    def verification_links(self, user: User) -> SafeString | str:
        return links_to(user.verifications.all())

    @admin.display(description="SSH keys")
    def key_links(self, user: User) -> SafeString | str:
        return links_to(user.ssh_keys.all())

    @admin.display(description="machines")
    def machine_links(self, user: User) -> SafeString | str:
        return links_to(user.machines.all())


@admin.register(BillingDetails)
class BillingDetailsAdmin(ShownAdmin):
    """Whom invoices name from now on. Those that are issued keep what they say."""

    list_display = ["name", "user_link", "organization_link", "kind", "country", "vat_id", "updated_at"]
    list_filter = ["kind", "updated_at"]
    list_select_related = ["user", "organization"]
    search_fields = ["name", "vat_id", "invoice_email", "user__email", "user__name", "organization__name"]
    date_hierarchy = "updated_at"
    fields = [
        "user_link",
        "organization_link",
        "kind",
        "name",
        "street",
        "postal_code",
        "city",
        "country",
        "vat_id",
        "invoice_email",
        "purchase_order",
        "cost_centre",
        "vat",
        "updated_at",
    ]
    user_link = linked("user")
    organization_link = linked("organization")

    @admin.display(description="VAT that follows")
    def vat(self, details: BillingDetails) -> str:
        return treatment_of_details(details).sentence


class SentFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sent", "Sent"), ("waiting", "Waiting"), ("failing", "Tried, not sent")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutgoingMail]) -> QuerySet[OutgoingMail]:
        if self.value() == "sent":
            return queryset.filter(sent_at__isnull=False)
        if self.value() == "waiting":
            return queryset.filter(sent_at=None)
        return queryset.filter(sent_at=None, attempts__gt=0) if self.value() == "failing" else queryset


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ShownAdmin):
    """What went to whom, and what went wrong. Never the body: it may hold a link that lets its reader in."""

    list_display = ["subject", "recipient", "user_link", "state", "created_at", "attempts", "next_attempt_at", "error"]
    list_filter = [SentFilter, "created_at"]
    list_select_related = ["user"]
    search_fields = ["subject", "key", "user__email", "address"]
    date_hierarchy = "created_at"
    fields = [
        "subject",
        "recipient",
        "user_link",
        "key",
        "event",
        "state",
        "created_at",
        "sent_at",
        "attempts",
        "next_attempt_at",
        "error",
    ]
    user_link = linked("user")

    @admin.display(description="state", ordering="sent_at")
    def state(self, mail: OutgoingMail) -> str:
        if mail.sent_at:
            return "Sent in a digest" if mail.digest_id else "Sent"
        if mail.is_for_digest:
            return "Waits for the digest"
        return "Tried, not sent" if mail.attempts else "Waiting"


@admin.register(Notification)
class NotificationAdmin(ShownAdmin):
    """What people were told in the page."""

    list_display = ["title", "user_link", "tone", "at", "read_at"]
    list_filter = ["tone", ("read_at", admin.EmptyFieldListFilter), "at"]
    list_select_related = ["user"]
    search_fields = ["title", "key", "user__email"]
    date_hierarchy = "at"
    fields = ["title", "text", "user_link", "key", "event", "tone", "link", "at", "read_at", "kept_at"]
    user_link = linked("user")
