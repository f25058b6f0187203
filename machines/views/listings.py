"""A provider's listings: making, editing, putting on offer and taking off it."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.requests import AuthenticatedRequest
from common.errors import MarketplaceError
from machines.forms import ListingForm
from machines.loading import listing_of, machine_of
from machines.models import Listing
from machines.pricing import HOURS_A_DAY, HOURS_A_WEEK, BestBundle
from machines.services import listings

#: The lengths for which a provider is shown what buyers pay, in hours.
EXAMPLES = (1, 8, HOURS_A_DAY, 3 * HOURS_A_DAY, HOURS_A_WEEK, 4 * HOURS_A_WEEK)


@login_required
@require_http_methods(["GET", "POST"])
def listing_create(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Make an offer of a machine. It starts paused."""
    machine = machine_of(request.user, pk)
    form = ListingForm(request.POST or None, instance=Listing(machine=machine))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("The listing is made. It is paused until you put it on offer."))
        return redirect("machine_detail", pk=machine.pk)
    context = {"machine": machine, "form": form}
    return render(request, "machines/listing_form.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def listing_edit(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Change prices, limits or terms for bookings to come. Those already made keep theirs."""
    listing = listing_of(request.user, pk)
    if listing.is_archived:
        messages.error(request, _("An archived listing stays as it is. Make a new one."))
        return redirect("machine_detail", pk=listing.machine_id)
    form = ListingForm(request.POST or None, instance=listing)
    if request.method == "POST" and form.is_valid():
        listing.save(update_fields=[*form.changed_data, "updated_at"])
        messages.success(request, _("The listing is saved. Bookings already made keep their price and terms."))
        return redirect("machine_detail", pk=listing.machine_id)
    context = {
        "machine": listing.machine,
        "listing": listing,
        "form": form,
        "missing": listings.missing_for_activation(listing),
        "examples": _examples(listing_of(request.user, pk)),
    }
    return render(request, "machines/listing_form.html", context, status=422 if form.errors else 200)


def _examples(listing: Listing) -> list[tuple[str, Decimal]]:
    """What buyers pay for windows that the listing allows, by its rates as they are saved."""
    return [
        (_length(hours), BestBundle().quote(listing.rates, hours).total)
        for hours in EXAMPLES
        if listing.min_hours <= hours <= listing.max_hours
    ]


def _length(hours: int) -> str:
    """In the largest unit that counts it whole: ``8 hours``, ``3 days``, ``1 week``."""
    if hours % HOURS_A_WEEK == 0:
        weeks = hours // HOURS_A_WEEK
        return ngettext("%(count)d week", "%(count)d weeks", weeks) % {"count": weeks}
    if hours % HOURS_A_DAY == 0:
        days = hours // HOURS_A_DAY
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


@login_required
@require_POST
def listing_activate(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, listings.activate_listing, _("It is on offer. Buyers find it now."))


@login_required
@require_POST
def listing_pause(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, listings.pause_listing, _("It is paused. Bookings already made go on."))


@login_required
@require_POST
def listing_archive(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    return _change(request, pk, listings.archive_listing, _("It is archived. Bookings already made go on."))


def _change(request: AuthenticatedRequest, pk: UUID, service: Callable[..., Listing], words: str) -> HttpResponse:
    """Let a service change a listing's state, and say what came of it on the machine's page."""
    listing = listing_of(request.user, pk)
    try:
        changed = service(listing=listing, now=timezone.now())
    except MarketplaceError as error:
        messages.error(request, error.message)
    else:
        if changed.is_suspended:
            words = _("It is on offer, but takes no new bookings yet. %(why)s It comes back by itself.") % {
                "why": changed.why_suspended
            }
            messages.warning(request, words)
        else:
            messages.success(request, words)
    return redirect("machine_detail", pk=listing.machine_id)
