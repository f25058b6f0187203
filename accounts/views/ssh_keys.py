"""SSH keys: a person's own, and those that an organization has let in on every booking."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import SSHKeyForm
from accounts.loading import organization_of
from accounts.models import SSHKey
from accounts.permissions import NotAllowed, OrganizationAction
from accounts.requests import AuthenticatedRequest
from accounts.services.ssh_keys import add_key, add_shared_key, remove_shared_key
from accounts.ssh import PrivateKeyPasted, parse
from accounts.stepup import require_step_up
from common.errors import MarketplaceError


def say_what_is_wrong(form: SSHKeyForm, error: MarketplaceError) -> SSHKeyForm:
    """The form with the sentence and with what was typed, but for a private key: that is in no page that we send."""
    if isinstance(error, PrivateKeyPasted):
        form.data = {name: value for name, value in form.data.items() if name != "public_key"}
    form.add_error(error.field if error.field in form.fields else None, error.message)
    return form


def ask_before_adding(request: AuthenticatedRequest, form: SSHKeyForm) -> None:
    """Let whoever adds a key show that it is still them: with it they get into machines.

    What is typed is kept while they are asked, so it is looked at first: a private key is kept nowhere.

    Raises:
        accounts.ssh.BadKey: it is no usable public key.
        ReauthenticationRequired: they have not shown it, nor signed in, within ``MARKETPLACE_STEP_UP``.
    """
    parse(form.cleaned_data["public_key"])
    require_step_up(request, or_sign_in=True)


@sensitive_post_parameters("public_key")
@login_required
@require_http_methods(["GET", "POST"])
def ssh_key_list(request: AuthenticatedRequest) -> HttpResponse:
    """The keys that let a person into booked machines; add one."""
    form = SSHKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ask_before_adding(request, form)
            key = add_key(user=request.user, text=form.cleaned_data["public_key"], name=form.cleaned_data["name"])
        except MarketplaceError as error:
            say_what_is_wrong(form, error)
        else:
            messages.success(request, _("The key “%(name)s” is added.") % {"name": key.name})
            return redirect("ssh_key_list")
    context = {"form": form, "keys": request.user.ssh_keys.all()}
    return render(request, "accounts/ssh_keys.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def ssh_key_delete(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Take a key out of the account, and off the machines that agents look after."""
    key = get_object_or_404(SSHKey, user=request.user, pk=pk)
    key.delete()
    messages.success(request, _("The key “%(name)s” is removed.") % {"name": key.name})
    return redirect("ssh_key_list")


@sensitive_post_parameters("public_key")
@login_required
@require_http_methods(["GET", "POST"])
def organization_keys(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """The keys that are let in on every booking for an organization; add one."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_KEYS)
    form = SSHKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        text, name = form.cleaned_data["public_key"], form.cleaned_data["name"]
        try:
            ask_before_adding(request, form)
            key = add_shared_key(organization=organization, by=request.user, text=text, name=name, now=timezone.now())
        except MarketplaceError as error:
            say_what_is_wrong(form, error)
        else:
            messages.success(request, _("The key “%(name)s” is added.") % {"name": key.name})
            return redirect("organization_keys", pk=pk)
    keys = organization.ssh_keys.select_related("added_by")
    context = {"organization": organization, "powers": powers, "form": form, "keys": keys}
    return render(request, "organizations/keys.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def organization_key_delete(request: AuthenticatedRequest, pk: UUID, key_pk: UUID) -> HttpResponse:
    """Let a key in no more on the organization's bookings."""
    organization, _powers = organization_of(request, pk, OrganizationAction.EDIT_KEYS)
    get_object_or_404(SSHKey, organization=organization, pk=key_pk)
    try:
        key = remove_shared_key(organization=organization, by=request.user, key_id=key_pk)
    except NotAllowed as error:
        raise PermissionDenied(error.message) from error
    if key is not None:
        messages.success(request, _("The key “%(name)s” is removed.") % {"name": key.name})
    return redirect("organization_keys", pk=pk)
