"""Organizations, as platform administrators see them. Those who belong to one change it, in its own pages."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.models import CostCentre, Invitation, Membership, Organization, Project
from common.administration import ShownAdmin, link_to, linked, links_to


@admin.register(Organization)
class OrganizationAdmin(ShownAdmin):
    list_display = ["name", "kind", "country", "owner_link", "members", "approval_above", "created_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "owner__email", "owner__name", "billing_details__name", "billing_details__vat_id"]
    date_hierarchy = "created_at"
    fields = [
        "name",
        "kind",
        "country",
        "owner_link",
        "details_link",
        "member_links",
        "project_links",
        "cost_centre_links",
        "machine_links",
        "needs_project",
        "needs_grant",
        "needs_cost_centre",
        "needs_purchase_order",
        "needs_member_budget",
        "approval_above",
        "created_at",
        "creator_link",
    ]
    owner_link = linked("owner")
    creator_link = linked("created_by", "made by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        current = Count("memberships", filter=Q(memberships__left_at=None))
        rows: QuerySet[Organization] = super().get_queryset(request).annotate(current_members=current)
        return rows

    @admin.display(description="members", ordering="current_members")
    def members(self, organization: Any) -> int:
        return int(organization.current_members)

    @admin.display(description="billing details")
    def details_link(self, organization: Organization) -> SafeString | str:
        return link_to(getattr(organization, "billing_details", None))

    @admin.display(description="members")
    def member_links(self, organization: Organization) -> SafeString | str:
        return links_to(organization.memberships.current().select_related("user", "organization"))

    @admin.display(description="projects")
    def project_links(self, organization: Organization) -> SafeString | str:
        return links_to(organization.projects.all())

    @admin.display(description="cost centres")
    def cost_centre_links(self, organization: Organization) -> SafeString | str:
        return links_to(organization.cost_centres.all())

    @admin.display(description="machines")
    def machine_links(self, organization: Organization) -> SafeString | str:
        return links_to(organization.machines.all())


@admin.register(Membership)
class MembershipAdmin(ShownAdmin):
    list_display = ["user_name", "organization_link", "user_link", "role", "joined_at", "left_at", "remover_link"]
    list_filter = ["role", ("left_at", admin.EmptyFieldListFilter), "joined_at"]
    list_select_related = ["organization", "user", "removed_by"]
    search_fields = ["organization__name", "user__email", "user__name"]
    date_hierarchy = "joined_at"
    fields = ["organization_link", "user_link", "role", "joined_at", "left_at", "remover_link"]
    organization_link = linked("organization")
    user_link = linked("user")
    remover_link = linked("removed_by")

    @admin.display(description="member", ordering="user__name")
    def user_name(self, membership: Membership) -> str:
        return membership.user.known_as


@admin.register(Invitation)
class InvitationAdmin(ShownAdmin):
    """Who was invited. Never the link: only its hash is kept, and that is shown to nobody."""

    list_display = ["email", "organization_link", "role", "state", "sent_at", "expires_at", "inviter_link"]
    list_filter = [
        "role",
        ("accepted_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
        "invited_at",
    ]
    list_select_related = ["organization", "invited_by"]
    search_fields = ["email", "organization__name", "invited_by__email"]
    date_hierarchy = "invited_at"
    fields = [
        "email",
        "organization_link",
        "role",
        "state",
        "invited_at",
        "sent_at",
        "expires_at",
        "inviter_link",
        "accepted_at",
        "accepter_link",
        "revoked_at",
    ]
    organization_link = linked("organization")
    inviter_link = linked("invited_by")
    accepter_link = linked("accepted_by")

    @admin.display(description="state")
    def state(self, invitation: Invitation) -> str:
        if invitation.accepted_at:
            return "Accepted"
        if invitation.revoked_at:
            return "Withdrawn"
        return "Open" if invitation.is_open(now=timezone.now()) else "Expired"


@admin.register(Project)
class ProjectAdmin(ShownAdmin):
    list_display = ["name", "organization_link", "grant", "grant_ends_on", "archived_at", "created_at"]
    list_filter = [("archived_at", admin.EmptyFieldListFilter), "created_at"]
    list_select_related = ["organization"]
    search_fields = ["name", "grant", "organization__name"]
    date_hierarchy = "created_at"
    fields = ["name", "organization_link", "grant", "grant_ends_on", "archived_at", "created_at"]
    organization_link = linked("organization")


@admin.register(CostCentre)
class CostCentreAdmin(ShownAdmin):
    list_display = ["code", "name", "organization_link", "archived_at"]
    list_filter = [("archived_at", admin.EmptyFieldListFilter)]
    list_select_related = ["organization"]
    search_fields = ["code", "name", "organization__name"]
    fields = ["code", "name", "organization_link", "archived_at"]
    organization_link = linked("organization")
