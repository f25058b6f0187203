"""How far people book whom nobody has checked yet (rules: Who)."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Q, Sum
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from accounts.models import Organization, User, Verification
from bookings.errors import BookingError
from bookings.lifecycle import LIVE, BookingStatus
from bookings.models import Booking, BookingQuerySet, Charge, ChargeKind
from common.formats import money


def check_unverified_limit(
    *, buyer: User, organization: Organization | None, amount: Decimal, currency: str, now: datetime
) -> None:
    """Whether ``amount`` more may be booked: without a verification, open bookings have a limit in each currency.

    For an organization it is enough that its owner is verified, and the bookings of all its members count. Called in the
    transaction that books, with the organization's row locked; of a buyer who is not verified it locks the row, so that
    two bookings at once do not pass together.

    Raises:
        BookingError: it would be more than the limit. The sentence is HTML, with a link to the page that helps.
    """
    if not amount:
        return
    people = {buyer.pk, organization.owner_id} if organization else {buyer.pk}
    if Verification.objects.valid(now=now).filter(user__in=people).exists():
        return
    if organization is None:
        User.objects.select_for_update(no_key=True).get(pk=buyer.pk)
    limit = settings.MARKETPLACE_UNVERIFIED_LIMIT.get(currency, Decimal(0))
    total = open_total(buyer=buyer, organization=organization, currency=currency, now=now) + amount
    if total > limit:
        raise BookingError(
            format_html(
                _(
                    "Without a verification, open bookings come to {limit} at most, and yours would come to {total}. "
                    'Book less, or <a href="{page}">get verified</a> first: it takes a few minutes to ask for.'
                ),
                limit=money(limit, currency),
                total=money(total, currency),
                page=reverse("verification_request"),
            )
        )


def open_total(*, buyer: User, organization: Organization | None, currency: str, now: datetime) -> Decimal:
    """What the open bookings of the person (of the organization) cost, with the extensions that wait for payment."""
    whose = Q(organization=organization) if organization else Q(buyer=buyer, organization=None)
    bookings = _open(now=now).filter(whose, currency=currency)
    booked = bookings.aggregate(total=Sum("price_total"))["total"] or Decimal(0)
    extending = Charge.objects.open().filter(booking__in=bookings, kind=ChargeKind.EXTENSION)
    return booked + (extending.aggregate(total=Sum("amount"))["total"] or Decimal(0))


def _open(*, now: datetime) -> BookingQuerySet:
    """Not over, and not a hold whose time has passed."""
    lapsed = Q(status=BookingStatus.PENDING, paid_at=None, hold_expires_at__lte=now)
    return Booking.objects.filter(status__in=LIVE).exclude(lapsed)
