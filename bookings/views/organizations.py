"""An organization's budgets, and the bookings that wait for its administrators."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.loading import organization_of
from accounts.models import Organization, Project, User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from bookings.models import Approval, Budget, BudgetPeriod
from bookings.services.approvals import approve, decline
from bookings.services.budgets import end_budget, set_budget, uses_of
from common.errors import MarketplaceError
from common.money import Currency

A_PAGE = 25


class BudgetForm(forms.Form):
    """How much, for whom, and for how long. A member is typed: an organization may have hundreds of them."""

    whose = forms.ChoiceField(label=gettext_lazy("For"), required=False)
    member = forms.CharField(
        label=gettext_lazy("Or for one member"),
        required=False,
        max_length=254,
        help_text=gettext_lazy("Begin to type a name or an address. Empty: the budget is for what is chosen above."),
        widget=forms.TextInput(attrs={"list": "members", "autocomplete": "off", "spellcheck": "false"}),
    )
    amount = forms.DecimalField(label=gettext_lazy("Amount"), max_digits=12, decimal_places=2, min_value=0)
    currency = forms.ChoiceField(label=gettext_lazy("Currency"), choices=Currency.choices)
    period = forms.ChoiceField(
        label=gettext_lazy("Period"),
        choices=BudgetPeriod.choices,
        help_text=gettext_lazy("Months, quarters and years of the calendar, in UTC."),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization = organization
        self.projects = {f"project:{row.pk}": row for row in organization.projects.filter(archived_at=None)}
        self.fields["whose"].choices = [  # type: ignore[attr-defined]
            ("", organization.name),
            (_("Projects"), [(value, project.name) for value, project in self.projects.items()]),
        ]

    def members(self) -> QuerySet[User]:
        """Those who may be chosen, as their administrators know them."""
        memberships = self.organization.memberships.current()
        return User.objects.filter(pk__in=memberships.values("user")).order_by("name", "email")

    def clean_member(self) -> User | None:
        typed = " ".join(self.cleaned_data["member"].split())
        if not typed:
            return None
        called = list(self.members().filter(Q(email__iexact=typed) | Q(name__iexact=typed)))
        found = [user for user in called if user.email.lower() == typed.lower()] or called
        if not found:
            raise ValidationError(_("Nobody with this name or address belongs to the organization."))
        if len(found) > 1:
            raise ValidationError(_("More than one member is called so. Give the address."))
        return found[0]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if given.get("member") and given.get("whose"):
            self.add_error("member", _("A budget is for a project or for a member. Leave one of them empty."))
        return given

    def chosen(self) -> dict[str, Any]:
        """As :func:`bookings.services.budgets.set_budget` takes it."""
        given = dict(self.cleaned_data)
        project: Project | None = self.projects.get(given.pop("whose"))
        return {**given, "project": project}


class DecisionForm(forms.Form):
    answer = forms.CharField(
        label=gettext_lazy("A word to the member"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Needed to decline."),
    )


@login_required
@require_http_methods(["GET", "POST"])
def budget_list(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Every budget and what is used of it; administrators set one."""
    writing = request.method == "POST"
    action = OrganizationAction.EDIT_POLICY if writing else OrganizationAction.SEE
    organization, powers = organization_of(request, pk, action)
    form = BudgetForm(request.POST or None, organization=organization)
    now = timezone.now()
    if writing and form.is_valid():
        try:
            set_budget(organization=organization, by=request.user, now=now, **form.chosen())
        except MarketplaceError as error:
            form.add_error(
                error.field if error.field in form.fields else "whose" if error.field else None, error.message
            )
        else:
            messages.success(request, _("The budget counts from now on."))
            return redirect("organization_budgets", pk=pk)
    uses = uses_of(organization, now=now)
    if OrganizationAction.SEE_SPEND not in powers:
        uses = [use for use in uses if use.budget.member_id in (None, request.user.pk)]
    context = {"organization": organization, "powers": powers, "form": form, "uses": uses}
    return render(request, "organizations/budgets.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def budget_end(request: AuthenticatedRequest, pk: UUID, budget_pk: UUID) -> HttpResponse:
    """It limits nothing any more."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_POLICY)
    budget = get_object_or_404(Budget, organization=organization, pk=budget_pk)
    end_budget(budget=budget, by=request.user, now=timezone.now())
    messages.success(request, _("The budget has ended. Nothing is held against it any more."))
    return redirect("organization_budgets", pk=pk)


@login_required
@require_GET
def approval_list(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What waits for an administrator, then what was decided; members see what they asked for."""
    organization, powers = organization_of(request, pk, OrganizationAction.SEE)
    found = Approval.objects.filter(organization=organization).select_related(
        "booking__machine__gpu", "booking__buyer", "booking__project", "decided_by"
    )
    if OrganizationAction.SEE_BOOKINGS not in powers:
        found = found.filter(booking__buyer=request.user)
    context = {
        "organization": organization,
        "powers": powers,
        "waiting": found.waiting().order_by("expires_at"),
        "page": Paginator(found.exclude(status="waiting"), A_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "organizations/approvals.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def approval_detail(request: AuthenticatedRequest, pk: UUID, approval_pk: UUID) -> HttpResponse:
    """One booking to agree to: what, when, how much, why, and what the budgets leave. The mail leads here."""
    organization, powers = organization_of(request, pk, OrganizationAction.APPROVE)
    approval = get_object_or_404(
        Approval.objects.select_related(
            "booking__machine__gpu", "booking__buyer", "booking__project", "booking__listing", "decided_by"
        ),
        organization=organization,
        pk=approval_pk,
    )
    form = DecisionForm(request.POST or None)
    now = timezone.now()
    if request.method == "POST" and form.is_valid():
        try:
            decide = {"approve": approve, "decline": decline}[request.POST.get("decision", "")]
            decide(approval_id=approval.pk, by=request.user, answer=form.cleaned_data["answer"], now=now)
        except KeyError:
            form.add_error(None, _("Approve it or decline it."))
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
            approval.refresh_from_db()
        else:
            messages.success(request, _("The member has been told."))
            return redirect("organization_approvals", pk=pk)
    booking = approval.booking
    concerned = {
        budget.pk
        for budget in Budget.objects.that_concern(
            organization=organization, project=booking.project, member=booking.buyer
        )
    }
    context = {
        "organization": organization,
        "powers": powers,
        "approval": approval,
        "booking": booking,
        "form": form,
        "is_open": approval.is_waiting and booking.is_hold and booking.hold_expires_at > now,
        "uses": [
            use
            for use in uses_of(organization, now=now)
            if use.budget.pk in concerned and use.budget.currency == booking.currency
        ],
    }
    return render(request, "organizations/approval.html", context, status=422 if form.errors else 200)
