"""What a person is told: the list in the page, what they have chosen, and the link that stops mails."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import quiet, unsubscribing
from accounts.event_kinds import EventGroup, EventKind
from accounts.message_forms import PreferencesForm, groups_for
from accounts.middleware import BELONGS_SOMEWHERE
from accounts.models import Membership, Notification, User, WebhookEndpoint
from accounts.requests import AuthenticatedRequest
from accounts.services.notifications import keep, read_all, read_one
from accounts.services.preferences import save_preferences, stop_mails
from accounts.services.telling import preferences_of
from common.errors import MarketplaceError

NOTIFICATIONS_A_PAGE = 30


# In the page ----------------------------------------------------------------------------------------------


@login_required
@require_GET
def notification_list(request: AuthenticatedRequest) -> HttpResponse:
    """What a person was told, newest first. Looking at it changes nothing: they say when they have read it."""
    told, group = request.user.notifications.order_by("-at", "-pk"), request.GET.get("group", "")
    if group in EventGroup.values:
        told = told.of_group(group)
    elif group == "kept":
        told = told.filter(kept_at__isnull=False)
    page = Paginator(told, NOTIFICATIONS_A_PAGE).get_page(request.GET.get("page"))
    groups = groups_for(request.user, belongs_somewhere=BELONGS_SOMEWHERE in request.session)
    context = {"page": page, "now": timezone.now(), "groups": groups, "group": group}
    return render(request, "accounts/notifications.html", context)


@login_required
@require_POST
def notifications_read(request: AuthenticatedRequest) -> HttpResponse:
    """Mark as read what the page showed: what has come since then stays new."""
    now = timezone.now()
    read_all(user=request.user, until=_moment(request.POST.get("until", "")) or now, now=now)
    return redirect("notification_list")


@login_required
@require_POST
def notification_read(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Mark one as read."""
    read_one(notification=_notification_of(request.user, pk), now=timezone.now())
    return _back_to_list(request)


@login_required
@require_POST
def notification_keep(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Keep one, or let it go again."""
    keeps = request.POST.get("keep", "yes") == "yes"
    keep(notification=_notification_of(request.user, pk), keeps=keeps, now=timezone.now())
    return _back_to_list(request)


def _notification_of(user: User, pk: UUID) -> Notification:
    """
    Raises:
        Http404: it was told to somebody else, or is tidied away.
    """
    return get_object_or_404(Notification, user=user, pk=pk)


def _back_to_list(request: HttpRequest) -> HttpResponse:
    """To the page of the list that the person was on."""
    back = request.POST.get("next", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours else "notification_list")


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and timezone.is_aware(moment) else None


def _belongs_somewhere(user: User) -> bool:
    return Membership.objects.current().filter(user=user).exists()


# What they have chosen ------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "POST"])
def message_settings(request: AuthenticatedRequest) -> HttpResponse:
    """Which events are told where, and when mails that can wait are sent."""
    groups = groups_for(request.user, belongs_somewhere=_belongs_somewhere(request.user))
    form = PreferencesForm(request.POST or None, preferences=preferences_of(request.user), groups=groups)
    if request.method == "POST" and form.is_valid():
        try:
            save_preferences(user=request.user, wishes=form.wishes(), now=timezone.now())
        except MarketplaceError as error:
            form.add_error(error.field, error.message)
        else:
            messages.success(request, _("What you are told is saved."))
            return redirect("message_settings")
    context = {"form": form, "zone": quiet.zone_of(request.user).key, "hearing": _hearing(request.user)}
    return render(request, "accounts/message_settings.html", context, status=422 if form.errors else 200)


def _hearing(user: User) -> dict[str, list[WebhookEndpoint]]:
    """The person's own webhooks by the events that they hear of."""
    found: dict[str, list[WebhookEndpoint]] = {}
    for endpoint in WebhookEndpoint.objects.filter(user=user):
        for event in endpoint.events:
            found.setdefault(event, []).append(endpoint)
    return found


@never_cache
@csrf_exempt  # the signed link is what counts: mail programs post to it without a cookie (RFC 8058)
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop the mails that the link came with. Looking at it changes nothing; its button, or a mail program, does."""
    context: dict[str, Any] = {}
    try:
        user, what = unsubscribing.opened(token)
    except unsubscribing.BadLink as error:
        return render(request, "accounts/unsubscribe.html", {"wrong": error.message}, status=404)
    if request.method == "POST":
        stop_mails(user=user, what=what)
        context["is_done"] = True
    context["kind"] = None if what == unsubscribing.DIGEST else EventKind(what)
    return render(request, "accounts/unsubscribe.html", context)
