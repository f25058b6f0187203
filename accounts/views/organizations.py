"""An organization's own pages: the list, making one, what it is, its settings and billing details; for whom one acts."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.loading import membership_in, organization_of
from accounts.middleware import ACTING_FOR, BELONGS_SOMEWHERE
from accounts.models import BillingDetails, BillingKind, Membership, Organization, OrganizationRole
from accounts.organization_forms import (
    OrganizationDetailsForm,
    OrganizationForm,
    PolicyForm,
    TransferForm,
    policy_words,
)
from accounts.organization_words import WHAT_ROLES_DO
from accounts.permissions import OrganizationAction, powers_of
from accounts.requests import AuthenticatedRequest
from accounts.services.billing_details import save_organization_details
from accounts.services.invitations import invitations_for
from accounts.services.organizations import (
    create_organization,
    edit_organization,
    set_policy,
    transfer_ownership,
    why_not_handed_on,
)
from accounts.stepup import require_step_up
from accounts.tax import treatment_of_details
from common.errors import MarketplaceError

__all__ = ["organization_of"]


@never_cache
@login_required
@require_GET
def organization_list(request: AuthenticatedRequest) -> HttpResponse:
    """Those that a person belongs to, and those that they are invited to."""
    memberships = list(_memberships(request))
    if memberships or BELONGS_SOMEWHERE in request.session:
        remember_belonging(request, belongs=bool(memberships))
    context = {"memberships": memberships, "invitations": invitations_for(request.user, now=timezone.now())}
    return render(request, "organizations/list.html", context)


def _memberships(request: AuthenticatedRequest) -> Any:
    mine = request.user.memberships.current().select_related("organization")
    return mine.order_by("organization__name", "pk")


def remember_belonging(request: HttpRequest, *, belongs: bool = True) -> None:
    """Whether the header offers to act for an organization: kept in the session, so that no page asks for it."""
    if request.session.get(BELONGS_SOMEWHERE) != belongs:
        request.session[BELONGS_SOMEWHERE] = belongs


@login_required
@require_http_methods(["GET", "POST"])
def organization_create(request: AuthenticatedRequest) -> HttpResponse:
    """Make one, and act for it from then on."""
    form = OrganizationForm(request.POST or None, instance=Organization(country=request.user.country))
    if request.method == "POST" and form.is_valid():
        try:
            made = create_organization(by=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            remember_belonging(request)
            request.session[ACTING_FOR] = str(made.pk)
            messages.success(request, _("%(name)s is made. You act for it now.") % {"name": made.name})
            return redirect("organization_detail", pk=made.pk)
    return render(request, "organizations/new.html", {"form": form}, status=422 if form.errors else 200)


@login_required
@require_GET
def organization_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What it is, who belongs to it, what it asks of bookings; for an administrator, what is still to be done."""
    membership = membership_in(request, pk, OrganizationAction.SEE)
    organization = membership.organization
    members = list(organization.memberships.current().select_related("user").order_by("joined_at", "pk"))
    context = {
        "organization": organization,
        "powers": powers_of(membership),
        "membership": membership,
        "what_it_does": WHAT_ROLES_DO[OrganizationRole(membership.role)],
        "members": members,
        "projects": organization.projects.filter(archived_at=None),
        "policy": policy_words(organization),
        "details": BillingDetails.objects.filter(organization=organization).first(),
        "acts_for_it": request.organization == organization,
        "now": timezone.now(),
    }
    return render(request, "organizations/detail.html", context)


# Settings ----------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "POST"])
def organization_settings(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Its name and what it is; the policy and the owner have forms of their own beneath."""
    membership = membership_in(request, pk, OrganizationAction.EDIT_POLICY)
    form = OrganizationForm(request.POST or None, instance=_another(membership))
    if request.method == "POST" and form.is_valid():
        try:
            edit_organization(organization=membership.organization, by=request.user, **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The settings are saved."))
            return redirect("organization_settings", pk=pk)
    return _settings(request, membership, form=form)


@login_required
@require_POST
def organization_policy(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Say what bookings for it need from now on."""
    membership = membership_in(request, pk, OrganizationAction.EDIT_POLICY)
    policy_form = PolicyForm(request.POST, instance=_another(membership))
    if policy_form.is_valid():
        try:
            set_policy(organization=membership.organization, by=request.user, policy=policy_form.policy())
        except MarketplaceError as error:
            policy_form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The policy is saved. Bookings already made stay as they are."))
            return redirect("organization_settings", pk=pk)
    return _settings(request, membership, policy_form=policy_form)


def _another(membership: Membership) -> Organization:
    """Not the one that the page shows: a form writes what was typed into its instance."""
    return Organization.objects.get(pk=membership.organization_id)


def _settings(
    request: AuthenticatedRequest,
    membership: Membership,
    *,
    form: OrganizationForm | None = None,
    policy_form: PolicyForm | None = None,
) -> HttpResponse:
    organization = membership.organization
    wrong = any(one is not None and one.errors for one in (form, policy_form))
    context = {
        "organization": organization,
        "powers": powers_of(membership),
        "form": form or OrganizationForm(instance=_another(membership)),
        "policy_form": policy_form or PolicyForm(instance=_another(membership)),
        "is_owner": organization.owner_id == request.user.pk,
    }
    return render(request, "organizations/settings.html", context, status=422 if wrong else 200)


@login_required
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def organization_billing(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Whom its invoices name; with ``HX-Request`` only what VAT would follow from what is typed."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_BILLING)
    if request.htmx and request.method == "GET":  # type: ignore[attr-defined]
        typed = OrganizationDetailsForm(request.GET)
        return render(request, "accounts/_tax.html", {"wrong": typed.errors.get("vat_id"), **_tax_of(typed)})
    form = OrganizationDetailsForm(request.POST or None, instance=_details_to_start_with(organization))
    if request.method == "POST" and form.is_valid():
        try:
            save_organization_details(organization=organization, by=request.user, details=form.instance)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("The billing details are saved."))
            return redirect("organization_billing", pk=pk)
    context = {"form": form, "organization": organization, "powers": powers, **_tax_of(form)}
    return render(request, "organizations/billing.html", context, status=422 if form.errors else 200)


def _details_to_start_with(organization: Organization) -> BillingDetails:
    """Its own, as they are stored; without any, what it is called."""
    stored = BillingDetails.objects.filter(organization=organization).first()
    return stored or BillingDetails(
        organization_id=organization.pk,
        kind=BillingKind.BUSINESS,
        name=organization.name,
        country=organization.country,
    )


def _tax_of(form: OrganizationDetailsForm) -> dict[str, Any]:
    """What follows from what is typed. A VAT id with something wrong about it is none."""
    if "vat_id" in form.errors:
        form.instance.vat_id = ""
    return {"treatment": treatment_of_details(form.instance)}


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def organization_transfer(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """What it means to make another administrator the owner; then doing it."""
    organization, powers = organization_of(request, pk, OrganizationAction.TRANSFER)
    form = TransferForm(request.POST if request.method == "POST" else None, organization=organization)
    if request.method == "POST" and form.is_valid():
        require_step_up(request)
        to = form.cleaned_data["to"].user
        try:
            transfer_ownership(organization=organization, by=request.user, to=to, now=timezone.now())
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            messages.success(
                request, _("%(name)s owns %(organization)s now.") % {"name": to.known_as, "organization": organization}
            )
            return redirect("organization_detail", pk=pk)
    context = {
        "organization": organization,
        "powers": powers,
        "form": form,
        "others": form.fields["to"].queryset,  # type: ignore[attr-defined]
        "not_yours": why_not_handed_on(organization, by=request.user),
        "has_machines": organization.machines.exists(),
    }
    return render(request, "organizations/transfer.html", context, status=422 if form.errors else 200)


# For whom one acts -------------------------------------------------------------------------------------


@never_cache
@login_required
@require_GET
def organization_switcher(request: AuthenticatedRequest) -> HttpResponse:
    """The list behind the header's switcher. Without htmx there is the page of all organizations."""
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("organization_list")
    context = {
        "memberships": _memberships(request),
        "next": request.htmx.current_url_abs_path or "",  # type: ignore[attr-defined]
    }
    return render(request, "organizations/_switcher.html", context)


@login_required
@require_POST
def organization_switch(request: AuthenticatedRequest) -> HttpResponse:
    """Act for one of one's organizations from now on, or with none named for oneself; and go on where one was."""
    chosen = request.POST.get("organization", "")
    if chosen:
        membership = membership_in(request, _uuid(chosen), OrganizationAction.SEE)
        request.session[ACTING_FOR] = str(membership.organization_id)
        remember_belonging(request)
        messages.success(request, _("You act for %(name)s now.") % {"name": membership.organization.name})
    elif request.session.pop(ACTING_FOR, None):
        messages.success(request, _("You act for yourself now."))
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe and back.startswith("/") else "organization_list")


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404(_("There is no such organization among yours.")) from error
