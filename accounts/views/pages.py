"""A person's own pages: profile, billing details, SSH keys. Signing in and up is django-allauth's."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.forms import BillingDetailsForm, ProfileForm
from accounts.models import BillingDetails, BillingKind, User
from accounts.requests import AuthenticatedRequest
from accounts.services.billing_details import save_billing_details
from accounts.services.roles import set_purposes
from accounts.services.verifications import standing_of
from accounts.tax import supplier_treatment_of_details, treatment_of_details
from common.languages import known, wanted_by_browser


@login_required
@require_http_methods(["GET", "POST"])
def profile(request: AuthenticatedRequest) -> HttpResponse:
    """Who one is here: names, clock, purposes, and how far the verification is."""
    # Not request.user: a form writes what was typed into its instance, and the header would show it.
    person = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        person.save(update_fields=[name for name in form.changed_data if name in ProfileForm.Meta.fields])
        set_purposes(user=person, purposes=form.cleaned_data["purposes"])
        translation.activate(known(person.language) or wanted_by_browser(request))
        messages.success(request, _("Your profile is saved."))
        return redirect("profile")
    context = {"form": form, "standing": standing_of(request.user, now=timezone.now())}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def billing_details(request: AuthenticatedRequest) -> HttpResponse:
    """Whom invoices name; with ``HX-Request`` only what VAT would follow from what is typed."""
    if request.htmx and request.method == "GET":  # type: ignore[attr-defined]
        typed = BillingDetailsForm(request.GET)
        return render(request, "accounts/_tax.html", {"wrong": typed.errors.get("vat_id"), **_tax_of(typed)})
    form = BillingDetailsForm(request.POST or None, instance=_details_to_start_with(request.user))
    if request.method == "POST" and form.is_valid():
        save_billing_details(user=request.user, details=form.instance)
        messages.success(request, _("Your billing details are saved."))
        return redirect("billing_details")
    context = {"form": form, **_tax_of(form)}
    return render(request, "accounts/billing_details.html", context, status=422 if form.errors else 200)


def _details_to_start_with(user: User) -> BillingDetails:
    """The person's own, as they are stored; without any, what their profile suggests."""
    stored = BillingDetails.objects.filter(user=user).first()
    return stored or BillingDetails(
        user_id=user.pk,
        kind=BillingKind.BUSINESS if user.organization_name else BillingKind.INDIVIDUAL,
        name=user.organization_name or user.name,
        country=user.country,
    )


def _tax_of(form: BillingDetailsForm) -> dict[str, Any]:
    """What follows from what is typed. A VAT id with something wrong about it is none."""
    if "vat_id" in form.errors:
        form.instance.vat_id = ""
    return {
        "treatment": treatment_of_details(form.instance),
        "supplier_treatment": supplier_treatment_of_details(form.instance),
    }
