"""The pages on which an organization's administrator sets up at which provider its members sign in."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.loading import organization_of
from accounts.models import EmailDomain, Organization, SignOnKind, SingleSignOn
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from accounts.services import single_sign_on
from accounts.sign_on_forms import FORMS, DomainForm
from accounts.sso import oidc, saml
from accounts.stepup import require_step_up
from common.errors import MarketplaceError

#: The newest sign-ins that the page shows; all of them are in the history.
SHOWN = 10

SAVE: dict[str, Callable[..., SingleSignOn]] = {
    SignOnKind.OIDC: single_sign_on.save_oidc,
    SignOnKind.SAML: single_sign_on.save_saml,
}


@never_cache
@login_required
@require_GET
def organization_sign_on(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """How its members sign in: the provider, the domains, and who has come of late."""
    return _overview(request, pk)


def _overview(request: AuthenticatedRequest, pk: UUID, *, domain_form: DomainForm | None = None) -> HttpResponse:
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_SIGN_ON)
    domains = list(organization.email_domains.all())
    context = {
        **_addresses(organization),
        "organization": organization,
        "powers": powers,
        "sign_on": SingleSignOn.objects.filter(organization=organization).first(),
        "domains": domains,
        "has_approved": any(domain.approved_at for domain in domains),
        "uses": organization.sign_on_uses.select_related("user")[:SHOWN],
        "domain_form": domain_form or DomainForm(),
    }
    status = 422 if domain_form is not None and domain_form.errors else 200
    return render(request, "organizations/sign_on.html", context, status=status)


def _addresses(organization: Organization) -> dict[str, str]:
    """Ours, as the provider wants them."""
    return {
        "callback_url": oidc.callback_url(organization.pk),
        "acs_url": saml.acs_url(organization.pk),
        "entity_id": saml.entity_id(organization.pk),
        "metadata_url": reverse("sso_metadata", args=[organization.pk]),
        "sign_in_base": settings.SITE_URL + reverse("sso_find"),
    }


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def sign_on_edit(request: AuthenticatedRequest, pk: UUID, kind: str) -> HttpResponse:
    """Enter the provider, or change what is entered."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_SIGN_ON)
    if kind not in FORMS:
        raise Http404("There is no such protocol.")
    require_step_up(request)
    stored = SingleSignOn.objects.filter(organization=organization).first()
    form = FORMS[kind](request.POST if request.method == "POST" else None, organization=organization, stored=stored)
    if request.method == "POST" and form.is_valid():
        try:
            SAVE[kind](organization=organization, by=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            messages.success(request, _("The provider is saved. Sign in by it once yourself, to see that it works."))
            return redirect("organization_sign_on", pk=pk)
    context = {**_addresses(organization), "organization": organization, "powers": powers, "form": form, "kind": kind}
    return render(request, "organizations/sign_on_form.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def sign_on_require(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Refuse members every other way to sign in, or allow it again."""
    is_required = request.POST.get("required") == "yes"
    said = (
        _("Members with addresses of your domains sign in at your provider from now on, and in no other way.")
        if is_required
        else _("Members may sign in with a password again.")
    )
    return _done(request, pk, said, single_sign_on.require_sign_on, is_required=is_required)


@login_required
@require_POST
def sign_on_remove(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Let nobody sign in by it any more."""
    said = _(
        "The provider is removed. Whoever has no password gets one by “Forgot your password?” on the page to sign in."
    )
    return _done(request, pk, said, single_sign_on.remove_sign_on)


@login_required
@require_POST
def sign_on_domain_add(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Say that a domain is the organization's."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_SIGN_ON)
    require_step_up(request)
    form = DomainForm(request.POST)
    if form.is_valid():
        try:
            single_sign_on.ask_for_domain(
                organization=organization, by=request.user, domain=form.cleaned_data["domain"], now=timezone.now()
            )
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("We find out whether it is yours, and tell you."))
            return redirect("organization_sign_on", pk=pk)
    return _overview(request, pk, domain_form=form)


@login_required
@require_POST
def sign_on_domain_remove(request: AuthenticatedRequest, pk: UUID, domain_pk: UUID) -> HttpResponse:
    """Take a domain out of the list."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_SIGN_ON)
    domain = EmailDomain.objects.filter(pk=domain_pk, organization=organization).first()
    if domain is None:
        raise Http404("There is no such domain in this organization.")
    require_step_up(request)
    single_sign_on.remove_domain(domain=domain, by=request.user)
    messages.success(request, _("%(domain)s is removed.") % {"domain": domain.domain})
    return redirect("organization_sign_on", pk=pk)


def _done(
    request: AuthenticatedRequest, pk: UUID, said: str, service: Callable[..., object], **how: Any
) -> HttpResponse:
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_SIGN_ON)
    require_step_up(request)
    try:
        service(organization=organization, by=request.user, now=timezone.now(), **how)
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
    return redirect("organization_sign_on", pk=pk)
