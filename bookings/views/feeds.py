"""Calendar feeds: the page with their addresses, and the calendars themselves.

Calendar programs send no headers, so the token is a part of the address. :mod:`common.redaction` keeps it out of the log.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.bearer import failure, keep_use, let_in, too_often
from accounts.models import ApiToken, Organization, Scope, User
from accounts.outbox import written_for
from accounts.permissions import OrganizationAction, may_in
from accounts.requests import AuthenticatedRequest
from accounts.services.tokens import Bearer, TokenRefused, renew_feed
from bookings.feeds import feed_of_buyer, feed_of_organization, feed_of_provider
from common.rates import TooManyRequests

Make = Callable[[Bearer, datetime], bytes | None]

#: What calendar programs are told that come with an address that is good no more: they leave off asking.
GONE = 410


# For people -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feed:
    """What there can be an address for: the person's own calendars, or an organization's. ``token``: the one in use."""

    organization: Organization | None
    token: ApiToken | None
    is_current: bool


@login_required
@require_GET
def feed_list(request: AuthenticatedRequest) -> HttpResponse:
    """The calendars that a person can subscribe to, and since when each has an address."""
    return _page(request)


@never_cache
@login_required
@require_POST
def feed_renew(request: AuthenticatedRequest) -> HttpResponse:
    """Make an address, shown in the answer and never again. One that was there before stops."""
    organization = _organization(request)
    _token, secret = renew_feed(user=request.user, organization=organization, now=timezone.now())
    names = ["feed_bookings"]
    if organization is None and request.user.is_provider:
        names.append("feed_machines")
    return _page(
        request, made=organization, addresses=[settings.SITE_URL + reverse(name, args=[secret]) for name in names]
    )


def _organization(request: AuthenticatedRequest) -> Organization | None:
    """
    Raises:
        Http404: it is none of which this person may see bookings.
    """
    asked = request.POST.get("organization", "")
    if not asked:
        return None
    found = [organization for organization in _organizations(request.user) if str(organization.pk) == asked]
    if not found:
        raise Http404(_("There is no such organization among yours."))
    return found[0]


def _organizations(user: User) -> list[Organization]:
    """Those of which the person may see bookings, were it only their own."""
    memberships = user.memberships.current().select_related("organization").order_by("organization__name", "pk")
    return [membership.organization for membership in memberships if _may_see(membership)]


def _may_see(membership: object) -> bool:
    powers = (OrganizationAction.SEE_BOOKINGS, OrganizationAction.BOOK)
    return any(may_in(membership, power) for power in powers)  # type: ignore[arg-type]


def _page(
    request: AuthenticatedRequest, *, made: Organization | None = None, addresses: list[str] | None = None
) -> HttpResponse:
    now = timezone.now()
    tokens: dict[UUID | None, ApiToken] = {
        token.organization_id: token for token in request.user.api_tokens.feeds().filter(revoked_at=None)
    }
    feeds = []
    for organization in (None, *_organizations(request.user)):
        token = tokens.get(organization.pk if organization else None)
        feeds.append(Feed(organization, token, token is not None and token.is_current(now=now)))
    scheme = f"{settings.SITE_URL.partition(':')[0]}:"
    shown = [(address, address.replace(scheme, "webcal:", 1)) for address in addresses or []]
    days = settings.MARKETPLACE_FEED.days
    return render(request, "bookings/feeds.html", {"feeds": feeds, "made": made, "shown": shown, "days": days})


# For calendar programs ----------------------------------------------------------------------------------


def _feed(make: Make) -> Callable[[HttpRequest, str], HttpResponse]:
    """A view that answers whoever has the address. Each use is kept, as with any token."""

    @require_safe
    @wraps(make)
    def view(request: HttpRequest, secret: str) -> HttpResponse:
        now = timezone.now()
        try:
            bearer = let_in(request, secret=secret, scope=Scope.FEEDS, now=now)
        except TokenRefused as refused:
            status = 404 if refused.token is None else GONE if refused.status == 401 else refused.status
            if refused.token is not None:
                keep_use(request, refused.token, status, now=now)
            return failure("not_found" if refused.token is None else refused.code, refused.message, status)
        except TooManyRequests as error:
            return too_often(error)
        answer = _answer(request, make, bearer, now=now)
        keep_use(request, bearer.token, answer.status_code, now=now)
        return answer

    return view


def _answer(request: HttpRequest, make: Make, bearer: Bearer, *, now: datetime) -> HttpResponse:
    with written_for(bearer.user):
        content = make(bearer, now)
    if content is None:
        return failure("not_found", _("There is no such calendar."), 404)
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    answer = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = 'inline; filename="bookings.ics"'
    answer["ETag"] = etag
    answer["Cache-Control"] = "private, no-cache"
    answer["X-Robots-Tag"] = "noindex"
    found = get_conditional_response(request, etag=etag, response=answer)
    return found if isinstance(found, HttpResponse) else answer


@_feed
def feed_bookings(bearer: Bearer, now: datetime) -> bytes | None:
    """What the person has booked; of an organization's address, what is booked for it."""
    if bearer.membership is None:
        return feed_of_buyer(bearer.user, now=now)
    if not _may_see(bearer.membership):
        return None
    sees_all = may_in(bearer.membership, OrganizationAction.SEE_BOOKINGS)
    return feed_of_organization(bearer.membership.organization, only=None if sees_all else bearer.user, now=now)


@_feed
def feed_machines(bearer: Bearer, now: datetime) -> bytes | None:
    """What is booked of the person's machines, and their maintenance."""
    is_theirs = bearer.membership is None and bearer.user.is_provider
    return feed_of_provider(bearer.user, now=now) if is_theirs else None
