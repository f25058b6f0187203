"""Addresses that events are told to as well: of a person, and of an organization whose administrator they are."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.event_kinds import EventGroup
from accounts.loading import organization_of
from accounts.message_forms import WebhookForm, groups_for
from accounts.models import Membership, Organization, User, WebhookDelivery, WebhookEndpoint
from accounts.permissions import NotAllowed, OrganizationAction, may_in
from accounts.requests import AuthenticatedRequest
from accounts.services import webhooks
from accounts.stepup import require_step_up
from common.errors import MarketplaceError

DELIVERIES_A_PAGE = 30


def organizations_of(user: User) -> list[Organization]:
    """Those whose webhooks this person looks after."""
    memberships = Membership.objects.current().filter(user=user).select_related("organization")
    return [mine.organization for mine in memberships if may_in(mine, OrganizationAction.EDIT_WEBHOOKS)]


def endpoint_of(user: User, pk: UUID) -> WebhookEndpoint:
    """
    Raises:
        Http404: it is neither theirs nor of an organization whose webhooks they look after.
    """
    endpoint = WebhookEndpoint.objects.filter(pk=pk).select_related("organization").first()
    if endpoint is None:
        raise Http404(_("There is no such webhook."))
    if endpoint.user_id == user.pk or (endpoint.organization and endpoint.organization in organizations_of(user)):
        return endpoint
    raise Http404(_("There is no such webhook among theirs."))


@login_required
@require_GET
def webhook_list(request: AuthenticatedRequest) -> HttpResponse:
    """The person's own, and those of the organizations that they look after."""
    theirs = organizations_of(request.user)
    rows = [(owner, list(webhooks.owned_by(request.user, owner))) for owner in (None, *theirs)]
    return render(request, "accounts/webhooks.html", {"rows": [row for row in rows if row[1]]})


@login_required
@require_GET
def organization_webhooks(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Those of one organization."""
    organization, powers = organization_of(request, pk, OrganizationAction.EDIT_WEBHOOKS)
    endpoints = list(webhooks.owned_by(request.user, organization))
    context = {"organization": organization, "powers": powers, "endpoints": endpoints}
    return render(request, "organizations/webhooks.html", context)


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def webhook_create(request: AuthenticatedRequest) -> HttpResponse:
    """Add one, after showing again who one is. Its secret is in the answer and nowhere else.

    ``?organization=`` names whose it is to be, for links from that organization's page.
    """
    theirs = organizations_of(request.user)
    asked_by = next((one for one in theirs if str(one.pk) == request.GET.get("organization")), None)
    initial = {"owner": str(asked_by.pk)} if asked_by else {}
    form = WebhookForm(
        request.POST or None, initial=initial, groups=_groups(request.user, theirs), organizations=theirs
    )
    if request.method == "POST" and form.is_valid():
        require_step_up(request)
        typed = dict(form.cleaned_data)
        chosen = typed.pop("owner", "")
        owner = next((one for one in theirs if str(one.pk) == chosen), None)
        try:
            endpoint, secret = webhooks.add_endpoint(user=request.user, organization=owner, now=timezone.now(), **typed)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            if secret:
                return render(request, "accounts/webhook_secret.html", {"endpoint": endpoint, "secret": secret})
            messages.success(request, _("“%(name)s” is added.") % {"name": endpoint.name})
            return redirect("webhook_detail", endpoint.pk)
    context = {"form": form, "back": _list_of(asked_by)}
    return render(request, "accounts/webhook_form.html", context, status=422 if form.errors else 200)


@login_required
@require_GET
def webhook_detail(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """One address: what it hears of, and what was sent there, newest first."""
    endpoint = endpoint_of(request.user, pk)
    sent = endpoint.deliveries.order_by("-created_at", "-pk").defer("body")
    page = Paginator(sent, DELIVERIES_A_PAGE).get_page(request.GET.get("page"))
    context = {"endpoint": endpoint, "page": page, "back": _list_of(endpoint.organization)}
    return render(request, "accounts/webhook_detail.html", context)


def _list_of(organization: Organization | None) -> str:
    """The page that one came from: the organization's, or that of all of them."""
    return reverse("organization_webhooks", args=[organization.pk]) if organization else reverse("webhook_list")


@login_required
@require_http_methods(["GET", "POST"])
def webhook_edit(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Another name, other events, and another address, after showing again who one is: it gets what the old one did."""
    endpoint = endpoint_of(request.user, pk)
    owners = [endpoint.organization] if endpoint.organization else []
    known = {"name": endpoint.name, "url": endpoint.url, "events": endpoint.events}
    form = WebhookForm(request.POST or None, initial=known, groups=_groups(request.user, owners), is_new=False)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["url"] != endpoint.url:
            require_step_up(request)
        try:
            webhooks.edit_endpoint(endpoint=endpoint, by=request.user, **form.cleaned_data)
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("“%(name)s” is changed.") % {"name": form.cleaned_data["name"]})
            return redirect("webhook_detail", endpoint.pk)
    context = {"form": form, "endpoint": endpoint, "back": reverse("webhook_detail", args=[endpoint.pk])}
    return render(request, "accounts/webhook_form.html", context, status=422 if form.errors else 200)


def _groups(user: User, organizations: list[Organization]) -> list[EventGroup]:
    """Events that can be chosen: those of organizations may be about their machines, too."""
    groups = groups_for(user, belongs_somewhere=bool(organizations))
    return [group for group in EventGroup if group in groups or (organizations and group == EventGroup.MACHINES)]


@login_required
@require_POST
def webhook_test(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Send a message that says that it is a test."""
    return _done(
        request,
        pk,
        lambda endpoint: webhooks.send_test(endpoint=endpoint, by=request.user, now=timezone.now()),
        _("A test is on its way."),
    )


@login_required
@require_POST
def webhook_enable(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Switch it on again."""
    return _done(
        request,
        pk,
        lambda endpoint: webhooks.enable(endpoint=endpoint, by=request.user, now=timezone.now()),
        _("It is switched on again."),
    )


@login_required
@require_POST
def webhook_redeliver(request: AuthenticatedRequest, pk: UUID, delivery_pk: UUID) -> HttpResponse:
    """Send one message again."""
    endpoint = endpoint_of(request.user, pk)
    if not WebhookDelivery.objects.filter(pk=delivery_pk, endpoint=endpoint).exists():
        raise Http404(_("There is no such delivery."))
    return _done(
        request,
        pk,
        lambda row: webhooks.redeliver(endpoint=row, delivery_id=delivery_pk, by=request.user, now=timezone.now()),
        _("It is sent again."),
    )


@never_cache
@login_required
@require_POST
def webhook_new_secret(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Another secret, after showing again who one is; in the answer and nowhere else."""
    endpoint = endpoint_of(request.user, pk)
    require_step_up(request)
    try:
        secret = webhooks.replace_secret(endpoint=endpoint, by=request.user, now=timezone.now())
    except NotAllowed as refused:  # nor may they see it any more
        messages.error(request, refused.message)
        return redirect("webhook_list")
    except MarketplaceError as error:
        messages.error(request, error.message)
        return redirect("webhook_detail", endpoint.pk)
    context = {"endpoint": endpoint, "secret": secret, "is_another": True}
    return render(request, "accounts/webhook_secret.html", context)


@login_required
@require_POST
def webhook_remove(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Send nothing there any more, and forget what was sent."""
    endpoint = endpoint_of(request.user, pk)
    endpoint.delete()
    messages.success(request, _("“%(name)s” is removed.") % {"name": endpoint.name})
    return redirect(_list_of(endpoint.organization))


def _done(request: AuthenticatedRequest, pk: UUID, service: Any, said: str) -> HttpResponse:
    endpoint = endpoint_of(request.user, pk)
    try:
        service(endpoint)
    except NotAllowed as refused:  # nor may they see it any more
        messages.error(request, refused.message)
        return redirect("webhook_list")
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, said)
    return redirect("webhook_detail", endpoint.pk)
