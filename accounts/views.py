"""A person's own pages: profile, billing details, verification, SSH keys. Signing in and up is django-allauth's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts.forms import BillingDetailsForm, ProfileForm, SSHKeyForm, VerificationForm
from accounts.models import BillingDetails, BillingKind, SSHKey, User, Verification
from accounts.requests import AuthenticatedRequest
from accounts.services.billing_details import save_billing_details
from accounts.services.notifications import read_all
from accounts.services.roles import set_purposes
from accounts.services.ssh_keys import add_key
from accounts.services.verifications import request_verification
from accounts.tax import supplier_treatment_of_details, treatment_of_details
from common.errors import MarketplaceError

NOTIFICATIONS_A_PAGE = 30


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
        messages.success(request, "Your profile is saved.")
        return redirect("profile")
    context = {"form": form, "verification": current_verification(request.user)}
    return render(request, "accounts/profile.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def verification_request(request: AuthenticatedRequest) -> HttpResponse:
    """Ask to be verified, and read what became of it."""
    before = current_verification(request.user)
    form = VerificationForm(request.POST or None, initial=_words_of(before, request.user))
    if request.method == "POST" and form.is_valid():
        try:
            request_verification(user=request.user, now=timezone.now(), **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, "Your request is with an administrator. You get a mail when it is decided.")
            return redirect("verification_request")
    context = {"form": form, "verification": before}
    return render(request, "accounts/verification.html", context, status=422 if form.errors else 200)


def current_verification(user: User) -> Verification | None:
    """What counts: the approval if there is one, else the newest request."""
    return user.verifications.approved().first() or user.verifications.first()


def _words_of(before: Verification | None, user: User) -> dict[str, str]:
    """What the form starts with: a rejected request can be corrected and sent again."""
    if before is None:
        return {"country": user.country.code, "legal_name": user.name}
    return {
        "kind": before.kind,
        "legal_name": before.legal_name,
        "country": before.country.code,
        "statement": before.statement,
    }


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
        messages.success(request, "Your billing details are saved.")
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


@login_required
@require_http_methods(["GET", "POST"])
def ssh_key_list(request: AuthenticatedRequest) -> HttpResponse:
    """The keys that let a person into booked machines; add one."""
    form = SSHKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            key = add_key(user=request.user, text=form.cleaned_data["public_key"], name=form.cleaned_data["name"])
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, f"The key “{key.name}” is added.")
            return redirect("ssh_key_list")
    context = {"form": form, "keys": request.user.ssh_keys.all()}
    return render(request, "accounts/ssh_keys.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def ssh_key_delete(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Take a key out of the account. Machines that it was put on already keep it until their booking ends."""
    key = get_object_or_404(SSHKey, user=request.user, pk=pk)
    key.delete()
    messages.success(request, f"The key “{key.name}” is removed.")
    return redirect("ssh_key_list")


@login_required
@require_GET
def notification_list(request: AuthenticatedRequest) -> HttpResponse:
    """What a person was told, newest first. Looking at it changes nothing: they say when they have read it."""
    told = request.user.notifications.order_by("-at", "-pk")
    page = Paginator(told, NOTIFICATIONS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "accounts/notifications.html", {"page": page, "now": timezone.now()})


@login_required
@require_POST
def notifications_read(request: AuthenticatedRequest) -> HttpResponse:
    """Mark as read what the page showed: what has come since then stays new."""
    now = timezone.now()
    read_all(user=request.user, until=_moment(request.POST.get("until", "")) or now, now=now)
    return redirect("notification_list")


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None
