"""People, as platform administrators see them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.models import BillingDetails, Notification, OutgoingMail, Role, SSHKey, User, Verification
from accounts.services.verifications import decide_verification
from accounts.tax import treatment_of_details
from common.administration import ActsOnRows, SaveChanged, ShownAdmin, decide, linked, links_to


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["email", "name"]
        field_classes: dict[str, type[forms.Field]] = {}


class EditUserForm(UserChangeForm):  # type: ignore[type-arg]
    roles = forms.MultipleChoiceField(choices=Role.choices, required=False, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = User
        fields = "__all__"
        field_classes: dict[str, type[forms.Field]] = {}


class RoleFilter(admin.SimpleListFilter):
    title = "role"
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(Role.choices)

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
    readonly_fields = ["id", "signup_date", "last_login", "verification_links", "key_links", "machine_links"]
    fieldsets = [
        (None, {"fields": ["id", "email", "password", "name", "organization_name", "country", "timezone"]}),
        ("What they are here", {"fields": ["roles", "is_billing_account", "verification_links"]}),
        ("What is theirs", {"fields": ["machine_links", "key_links"]}),
        ("Permissions", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("When", {"fields": ["signup_date", "last_login"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["email", "name", "usable_password", "password1", "password2"]})
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("verifications")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a person's bookings and payments stay; an account is switched off instead

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


@admin.register(Verification)
class VerificationAdmin(ShownAdmin):
    list_display = [
        "legal_name",
        "user_link",
        "kind",
        "country",
        "status",
        "submitted_at",
        "decided_at",
        "decider_link",
    ]
    list_filter = ["status", "kind", "submitted_at"]
    list_select_related = ["user", "decided_by"]
    search_fields = ["legal_name", "user__email", "user__name", "user__organization_name"]
    date_hierarchy = "submitted_at"
    fields = [
        "legal_name",
        "kind",
        "country",
        "statement",
        "user_link",
        "status",
        "reason",
        "submitted_at",
        "decided_at",
        "decider_link",
    ]
    actions = ["approve", "reject"]
    user_link = linked("user")
    decider_link = linked("decided_by")

    @admin.action(description="Approve…", permissions=["operate"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return self._decide(request, queryset, approve=True)

    @admin.action(description="Reject…", permissions=["operate"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Verification]) -> HttpResponse | None:
        return self._decide(request, queryset, approve=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[Verification], *, approve: bool) -> HttpResponse | None:
        return decide(
            self,
            request,
            queryset.select_related("user"),
            title="Approve these verifications" if approve else "Reject these verifications",
            done="approved" if approve else "rejected",
            columns=["user_link", "kind", "country", "statement", "status"],
            needs_reason=not approve,
            service=lambda row, reason, by: decide_verification(
                verification=row, approve=approve, by=by, reason=reason, now=timezone.now()
            ),
        )


@admin.register(BillingDetails)
class BillingDetailsAdmin(ShownAdmin):
    """Whom invoices name from now on. Those that are issued keep what they say."""

    list_display = ["name", "user_link", "kind", "country", "vat_id", "updated_at"]
    list_filter = ["kind", "updated_at"]
    list_select_related = ["user"]
    search_fields = ["name", "vat_id", "invoice_email", "user__email", "user__name", "user__organization_name"]
    date_hierarchy = "updated_at"
    fields = [
        "user_link",
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

    @admin.display(description="VAT that follows")
    def vat(self, details: BillingDetails) -> str:
        return treatment_of_details(details).sentence


@admin.register(SSHKey)
class SSHKeyAdmin(ShownAdmin):
    list_display = ["name", "user_link", "key_type", "fingerprint", "created_at"]
    list_filter = ["key_type", "created_at"]
    list_select_related = ["user"]
    search_fields = ["name", "fingerprint", "user__email"]
    date_hierarchy = "created_at"
    fields = ["name", "user_link", "key_type", "fingerprint", "public_key", "created_at"]
    user_link = linked("user")


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
            return "Sent"
        return "Tried, not sent" if mail.attempts else "Waiting"


@admin.register(Notification)
class NotificationAdmin(ShownAdmin):
    """What people were told in the page."""

    list_display = ["title", "user_link", "tone", "at", "read_at"]
    list_filter = ["tone", ("read_at", admin.EmptyFieldListFilter), "at"]
    list_select_related = ["user"]
    search_fields = ["title", "key", "user__email"]
    date_hierarchy = "at"
    fields = ["title", "text", "user_link", "key", "tone", "link", "at", "read_at"]
    user_link = linked("user")
