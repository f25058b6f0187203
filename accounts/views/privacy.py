"""What is kept of people and for how long; a copy of one's own data; letting one's account go."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from accounts import privacy as registry
from accounts.models import DataExport, User
from accounts.requests import AuthenticatedRequest
from accounts.services.deletions import CannotGo, ask_for_deletion, take_back
from accounts.services.exports import ask_for_export, newest_of, open_export
from accounts.stepup import POST, require_step_up, step_up
from accounts.views.sso import POSTED, POSTED_FOR
from common.errors import MarketplaceError


@require_GET
def privacy_notice(request: HttpRequest) -> HttpResponse:
    """For everybody: what is kept how long, and why; what goes with an account, and what stays."""
    context = {"retention": registry.retention(), "cookies": _cookies(), **_fate()}
    return render(request, "privacy.html", context)


def _cookies() -> list[tuple[str, str, str]]:
    """Every cookie that a browser is given: name, what for, how long. A browser test holds them against what is set."""
    session = ngettext("%(count)s day", "%(count)s days", settings.MARKETPLACE_SESSION_DAYS)
    return [
        (
            settings.SESSION_COOKIE_NAME,
            _("That you are signed in, and what a form that takes several pages has so far."),
            session % {"count": settings.MARKETPLACE_SESSION_DAYS},
        ),
        (settings.CSRF_COOKIE_NAME, _("That a form that reaches us was sent from our own page."), _("1 year")),
        (
            settings.MARKETPLACE_MESSAGES_COOKIE,
            _("The sentence that says what has just been done."),
            _("until the next page"),
        ),
        (
            settings.MARKETPLACE_TIMEZONE_COOKIE,
            _("The time zone of your clock, so that times are shown as you know them."),
            _("1 year"),
        ),
        (settings.LANGUAGE_COOKIE_NAME, _("The language that you have chosen at the foot of a page."), _("1 year")),
        (
            POSTED,
            _("Which answer of your organization's provider is yours, when you sign in there."),
            ngettext("%(count)s minute", "%(count)s minutes", POSTED_FOR // 60) % {"count": POSTED_FOR // 60},
        ),
    ]


def _fate() -> dict[str, Any]:
    """What becomes of an account that is deleted."""
    return {
        "goes": [sentence for room in registry.rooms() for sentence in room.goes],
        "kept": [kept for room in registry.rooms() for kept in room.kept],
    }


@login_required
@require_GET
@vary_on_headers("HX-Request")
def privacy(request: AuthenticatedRequest) -> HttpResponse:
    """A person's own data; with ``HX-Request`` only how far the copy is."""
    now = timezone.now()
    export = newest_of(request.user)
    context: dict[str, Any] = {"export": export, "is_there": export is not None and export.is_there(now=now)}
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "accounts/_export.html", context)
    context |= {"deletion": request.user.deletion_requests.open().first(), "retention": registry.retention()}
    return render(request, "accounts/privacy.html", context)


@login_required
@require_POST
def export_ask(request: AuthenticatedRequest) -> HttpResponse:
    """Have a copy made."""
    try:
        ask_for_export(user=request.user, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Your copy is being made. You get a mail when it is ready."))
    return redirect("privacy")


@login_required
@require_GET
def export_file(request: AuthenticatedRequest, pk: UUID) -> HttpResponse | FileResponse:
    """The copy itself, for its person alone, and only once they have shown that it is still them."""
    export = export_of(request.user, pk)
    require_step_up(request)
    now = timezone.now()
    try:
        file = open_export(export=export, now=now)
    except MarketplaceError as error:
        messages.error(request, error.message)
        return redirect("privacy")
    name = f"my-data-{export.asked_at:%Y-%m-%d}.zip"
    response = FileResponse(file, as_attachment=True, filename=name, content_type="application/zip")
    response["Content-Length"] = str(export.size)
    patch_cache_control(response, private=True, no_store=True)
    return response


def export_of(user: User, pk: UUID) -> DataExport:
    """
    Raises:
        Http404: it is not this person's own.
    """
    return get_object_or_404(user.data_exports.all(), pk=pk)


@login_required
@require_http_methods(["GET", "POST"])
@step_up(methods=POST)
def deletion(request: AuthenticatedRequest) -> HttpResponse:
    """What goes, what stays and why, what has to be settled first; and the beginning of it."""
    now = timezone.now()
    status = 200
    if request.method == "POST":
        try:
            ask_for_deletion(user=request.user, by=request.user, now=now)
        except CannotGo:
            status = 422
        else:
            messages.success(request, _("Your account will be deleted. Until then you can take it back here."))
            return redirect("deletion")
    waiting = request.user.deletion_requests.open().first()
    obstacles = registry.obstacles(request.user, now=now)
    context = {
        "deletion": waiting,
        "obstacles": obstacles,
        "days": registry.days_of(settings.MARKETPLACE_DELETION),
        **_fate(),
    }
    return render(request, "accounts/deletion.html", context, status=status)


@login_required
@require_POST
def deletion_take_back(request: AuthenticatedRequest) -> HttpResponse:
    """Keep the account after all."""
    if take_back(user=request.user, by=request.user, now=timezone.now()):
        messages.success(request, _("Your account stays."))
    return redirect("privacy")
