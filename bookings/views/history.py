"""Every change of a booking, for those who have a part in it."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.permissions import OrganizationAction
from accounts.requests import AuthenticatedRequest
from bookings.loading import booking_seen_by
from bookings.models import Booking
from common.history.pages import answered
from common.history.reading import History, Scope, scope_of, scopes_around
from common.history.tracking import kinds

#: What the other side's changes are: how a buyer pays is no business of the provider's, nor what is held of the
#: provider's money of the buyer's.
NOT_FOR_BUYERS = frozenset({"billing.payouthold"})
NOT_FOR_PROVIDERS = frozenset({"billing.payment", "bookings.approval"})
#: How a buyer's organization books what it spends.
NOT_FOR_PROVIDERS_TO_READ = frozenset(
    {"organization", "project", "purchase_order", "cost_centre", "tax_kind", "tax_rate"}
)


@never_cache
@login_required
@require_GET
def booking_history(request: AuthenticatedRequest, pk: UUID) -> HttpResponseBase:
    """From → to, who, when and why, of the booking, its charges, the access and what was paid; also as a file."""
    booking = booking_seen_by(request.user, pk, as_member=OrganizationAction.SEE_HISTORY)
    history = History(_scopes(booking, request.user), request.user, until=timezone.now())
    name = f"booking-{booking.reference}"
    return answered(request, history, template="bookings/history.html", name=name, context={"booking": booking})


def _scopes(booking: Booking, user: User) -> list[Scope]:
    if user.is_platform_administrator:
        return [scope_of(booking), *scopes_around(booking, "booking")]
    if booking.machine.provider_id == user.pk and booking.buyer_id != user.pk:
        around = scopes_around(booking, "booking", but=NOT_FOR_PROVIDERS)
        return [scope_of(booking, without=NOT_FOR_PROVIDERS_TO_READ), *around]
    if booking.buyer_id == user.pk:
        return [scope_of(booking), *scopes_around(booking, "booking", but=NOT_FOR_BUYERS)]
    # For an administrator of its organization what the audit page has: not how to log in nor which card pays, which is
    # the buyer's (decision 0043).
    not_theirs = {kind.label for kind in kinds() if not kind.organization}
    return [scope_of(booking), *scopes_around(booking, "booking", but=not_theirs, for_organization=True)]
