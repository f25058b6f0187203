"""What an organization's members booked: the list."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.loading import organization_of
from accounts.models import Project, User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from bookings.lifecycle import RUNNING, BookingStatus
from bookings.models import BookingQuerySet
from bookings.spend import bookings_of

A_PAGE = 25

STATES = {
    "waiting": (gettext_lazy("Not paid yet"), Q(status=BookingStatus.PENDING, paid_at=None)),
    "confirmed": (gettext_lazy("Confirmed"), Q(status=BookingStatus.PENDING, paid_at__isnull=False)),
    "running": (gettext_lazy("Running"), Q(status__in=RUNNING)),
    "completed": (gettext_lazy("Completed"), Q(status=BookingStatus.COMPLETED)),
    "canceled": (gettext_lazy("Canceled"), Q(status=BookingStatus.CANCELED)),
}


@dataclass(frozen=True)
class Choice:
    """What of the list is wanted; ``None`` and an empty string: all. What makes no sense is left out."""

    member: UUID | None
    project: UUID | None
    state: str

    @classmethod
    def of(cls, request: HttpRequest, members: list[User], projects: list[Project]) -> "Choice":
        state = request.GET.get("state", "")
        return cls(
            {str(one.pk): one.pk for one in members}.get(request.GET.get("member", "")),
            {str(one.pk): one.pk for one in projects}.get(request.GET.get("project", "")),
            state if state in STATES else "",
        )

    @property
    def is_all(self) -> bool:
        return not (self.member or self.project or self.state)

    def among(self, bookings: BookingQuerySet) -> BookingQuerySet:
        if self.member:
            bookings = bookings.filter(buyer=self.member)
        if self.project:
            bookings = bookings.filter(project=self.project)
        return bookings.filter(STATES[self.state][1]) if self.state else bookings


@login_required
@require_GET
def organization_bookings(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What was booked for the organization: by everybody or, where the role does not go so far, by whoever looks."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE)
    sees_all = OrganizationAction.SEE_BOOKINGS in powers
    booked = User.objects.filter(bookings__organization=organization).distinct().order_by("name", "email")
    members = list(booked) if sees_all else []
    projects = list(organization.projects.order_by("name"))
    choice = Choice.of(request, members, projects)
    found = bookings_of(organization, member=None if sees_all else request.user, now=timezone.now())
    page = Paginator(choice.among(found).with_context().order_by("-start", "pk"), A_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "organization": organization,
        "powers": powers,
        "sees_all": sees_all,
        "members": members,
        "projects": projects,
        "states": [(value, label) for value, (label, _) in STATES.items()],
        "choice": choice,
        "page": page,
    }
    return render(request, "organizations/bookings.html", context)
