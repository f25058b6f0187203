"""Asking for a window. The exclusion constraint gives the guarantee; the check before it gives the good message."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from accounts.models import Organization, Role, User
from accounts.services.organizations import locked_organization
from accounts.tax import details_of, treatment_of_details
from bookings import mails, terms
from bookings.availability import WHILE_SILENT, free_windows, in_the_way
from bookings.errors import BookingError, PriceChanged, Window, WindowTaken
from bookings.models import Booking
from bookings.services.approvals import hold_for_approval
from bookings.services.budgets import Use, check_budgets, warn_of_budgets
from bookings.services.charges import make_charges, stages_of
from bookings.services.history import note
from bookings.services.purposes import Purpose, check_purpose, needs_approval
from bookings.services.unverified import check_unverified_limit
from common.errors import violates
from common.formats import duration, money
from common.ids import uuid7
from common.money import from_minor
from machines import pricing
from machines.models import Listing, ListingStatus, Machine

#: What the database calls it when a booking meets announced maintenance.
OUT_OF_MAINTENANCE = "bookings_keep_out_of_maintenance"


def check_window(listing: Listing, start: datetime, end: datetime, *, now: datetime) -> None:
    """Whether the listing can be booked for ``[start, end)`` at all, apart from who else wants it.

    Raises:
        BookingError: with the field it belongs to.
    """
    if listing.status != ListingStatus.ACTIVE:
        raise BookingError(gettext("This listing is paused. It cannot be booked at the moment."), field="start")
    if listing.is_suspended:
        raise BookingError(
            gettext("This server takes no new bookings at the moment. %(why)s") % {"why": listing.why_suspended},
            field="start",
        )
    if start.second or start.microsecond or end.second or end.microsecond:
        raise BookingError(gettext("A booking starts and ends on a whole minute."), field="start")
    if start < now.replace(second=0, microsecond=0):
        raise BookingError(gettext("This start has passed. Choose now or later."), field="start")
    if end <= start:
        raise BookingError(gettext("The end must be after the start."), field="end")
    if start > now + timedelta(days=listing.max_ahead_days):
        raise BookingError(
            gettext("This server can be booked up to %(days)s days ahead.") % {"days": listing.max_ahead_days},
            field="start",
        )
    if end - start < listing.shortest:
        raise BookingError(
            gettext("The shortest booking here is %(shortest)s.") % {"shortest": duration(listing.shortest)},
            field="end",
        )
    if end - start > listing.longest:
        raise BookingError(
            gettext("The longest booking here is %(longest)s.") % {"longest": duration(listing.longest)}, field="end"
        )
    _check_price(listing, start, end)
    if start < now + WHILE_SILENT and not listing.machine.is_reachable:
        raise BookingError(
            gettext(
                "This server's agent is not answering just now, so nobody could be let in at once. Choose a "
                "start that is %(time)s away or more."
            )
            % {"time": duration(WHILE_SILENT)},
            field="start",
        )
    turnaround = listing.machine.turnaround
    if start < now + turnaround and start < _soonest_start(listing.machine, now=now):
        raise BookingError(
            gettext(
                "This server is being erased after the booking before. Choose a start that is %(turnaround)s "
                "away or more."
            )
            % {"turnaround": duration(turnaround)},
            field="start",
        )


def _check_price(listing: Listing, start: datetime, end: datetime) -> None:
    """
    Raises:
        BookingError: the payment processor does not take so little, or so much, at once; of a long booking, of a stage.
    """
    quote = pricing.quote(listing.rates, start, end)
    _check_amounts(start, end, quote.total, quote.currency)


def _check_amounts(start: datetime, end: datetime, total: Decimal, currency: str) -> None:
    """As :func:`_check_price`, of what a buyer pays."""
    amounts = [amount for _, amount in stages_of(start, end, total, currency)]
    least, most = (from_minor(units, currency) for units in settings.MARKETPLACE_PAYMENT_UNITS)
    if min(amounts) < least:
        raise BookingError(
            gettext("The smallest payment is %(amount)s. Book a longer time.") % {"amount": money(least, currency)},
            field="end",
        )
    if max(amounts) > most:
        raise BookingError(
            gettext("The largest payment is %(amount)s. Book a shorter time.") % {"amount": money(most, currency)},
            field="end",
        )


def _soonest_start(machine: Machine, *, now: datetime) -> datetime:
    """From when on the machine can be booked at all.

    One that waits for its wipe, or whose agent is silent, is not promised for just now.
    """
    if Booking.objects.awaiting_wipe().filter(machine=machine).exists():
        return now + machine.turnaround
    return now.replace(second=0, microsecond=0) if machine.is_reachable else now + WHILE_SILENT


def _taken(listing: Listing, start: datetime, end: datetime, *, buyer: User | None, now: datetime) -> WindowTaken:
    """The refusal that says by what it is taken, when it is free next, and what to take instead."""

    def find_free() -> list[Window]:
        return free_windows(
            listing.machine_id,
            length=end - start,
            turnaround=listing.machine.turnaround,
            after=max(now, _soonest_start(listing.machine, now=now), start - timedelta(days=2)),
            until=min(start + timedelta(days=60), now + timedelta(days=listing.max_ahead_days)),
        )

    clashing = list(in_the_way(listing.machine_id, start, end + listing.machine.turnaround))
    return WindowTaken(
        start,
        taken=[(first, last) for first, last, *_ in clashing],
        find_free=find_free,
        is_yours=buyer is not None and any(whose == buyer.pk for _, _, whose, _ in clashing),
        upkeep=[(first, last) for first, last, _, is_upkeep in clashing if is_upkeep],
    )


def request_booking(
    *,
    listing: Listing,
    buyer: User,
    start: datetime,
    end: datetime,
    now: datetime,
    expected_total: Decimal | None = None,
    purpose: Purpose | None = None,
) -> Booking:
    """Hold ``[start, end)`` for the buyer until it is paid or the hold lapses. One transaction.

    Args:
        expected_total: what the buyer was shown; a different price is refused rather than taken.
        purpose: the organization that the buyer books for, and what for; without it they book for themselves.

    Raises:
        WindowTaken: somebody else has it, or part of it.
        PriceChanged: the quote is no longer ``expected_total``.
        BookingError: the window, the listing or the buyer do not fit.
    """
    machine = listing.machine
    if machine.provider_id == buyer.pk:
        raise BookingError(gettext("This is your own machine."))
    check_window(listing, start, end, now=now)
    quote = pricing.quote(listing.rates, start, end)
    details = details_of(purpose.organization if purpose else buyer)
    tax = treatment_of_details(details)
    total = tax.payable(quote.total, quote.currency)
    if expected_total is not None and total != expected_total:
        raise PriceChanged(
            gettext("The price has changed from %(before)s to %(after)s. Look at it again, then confirm.")
            % {"before": money(expected_total, quote.currency), "after": money(total, quote.currency)}
        )
    _check_amounts(start, end, total, quote.currency)
    if refusal := clashes(listing, start, end, buyer=buyer, now=now):
        raise refusal
    booking = Booking(
        id=uuid7(),
        listing=listing,
        machine=machine,
        passport=machine.passports.first(),
        buyer=buyer,
        organization=purpose.organization if purpose else None,
        project=purpose.project if purpose else None,
        start=start,
        end=end,
        blocked_until=end + machine.turnaround,
        created_at=now,
        hold_expires_at=now + settings.MARKETPLACE_HOLD,
        cancellation_terms=listing.cancellation_terms,
        refund_steps=terms.current(listing.cancellation_terms).frozen(),
        currency=quote.currency,
        price_total=total,
        tax_kind=tax.kind,
        tax_rate=tax.rate,
        billed_to=details.frozen() if details else {},
        purchase_order=(purpose and purpose.purchase_order) or (details.purchase_order if details else ""),
        cost_centre=(purpose and purpose.cost_centre) or (details.cost_centre if details else ""),
        quote_lines=[line.frozen() for line in quote.lines],
        quote_rates=listing.rates.frozen(),
    )
    try:
        with transaction.atomic(durable=True):
            agreed = _agreed(booking, purpose, now=now) if purpose else None
            # The buyer's row is what gets scarcer (a few unpaid holds each), so it is locked, once, before they are counted.
            row = User.objects.select_for_update(no_key=True).get(pk=buyer.pk)
            held = Booking.objects.of_buyer(buyer).unpaid_holds().filter(hold_expires_at__gt=now).count()
            if held >= settings.MARKETPLACE_UNPAID_HOLDS:
                raise BookingError(
                    gettext(
                        "You already hold %(held)s windows that you have not paid. Pay or cancel one of them first."
                    )
                    % {"held": held}
                )
            check_unverified_limit(
                buyer=buyer, organization=booking.organization, amount=total, currency=quote.currency, now=now
            )
            if not _insert(booking):
                raise _taken(listing, start, end, buyer=buyer, now=now)
            if Role.BUYER not in row.roles:
                # To those of now: one that was taken from them meanwhile does not come back.
                User.objects.filter(pk=buyer.pk).update(roles=[*row.roles, Role.BUYER])
            make_charges(booking)
            note(booking, "Asked for", now=now, by=buyer, detail="" if agreed else "Held while it is being paid.")
            if agreed and purpose and agreed.needs_approval:
                hold_for_approval(
                    booking, listing=listing, organization=agreed.organization, reason=purpose.reason, now=now
                )
            else:
                mails.requested(booking)
            if agreed:
                warn_of_budgets(agreed.uses, extra=booking.price_total, now=now)
    except IntegrityError as error:
        if not violates(error, OUT_OF_MAINTENANCE):
            raise
        raise _taken(listing, start, end, buyer=buyer, now=now) from error  # announced while we were looking
    return booking


@dataclass(frozen=True)
class _Agreed:
    """That an organization lets its member book: it (locked), the budgets that it counts against, who has to agree."""

    organization: Organization
    uses: list[Use]
    needs_approval: bool


def _agreed(booking: Booking, purpose: Purpose, *, now: datetime) -> _Agreed:
    """Lock the organization, and hold the booking against its policy and its budgets.

    Raises:
        BookingError: with the field it belongs to.
    """
    organization = locked_organization(purpose.organization.pk)
    membership = check_purpose(replace(purpose, organization=organization), buyer=booking.buyer, end=booking.end)
    uses = check_budgets(
        organization=organization,
        project=purpose.project,
        member=booking.buyer,
        amount=booking.price_total,
        currency=booking.currency,
        now=now,
    )
    return _Agreed(organization, uses, needs_approval(organization, membership, booking.price_total))


def clashes(
    listing: Listing, start: datetime, end: datetime, *, now: datetime, buyer: User | None = None
) -> WindowTaken | None:
    """The refusal that asking for ``[start, end)`` would meet now, or ``None``. Changes nothing, promises nothing."""
    refusal = _taken(listing, start, end, buyer=buyer, now=now)
    return refusal if refusal.taken else None


def _insert(booking: Booking) -> bool:
    """One statement that either takes the window or does not.

    ``INSERT ... ON CONFLICT DO NOTHING`` waits for a rival that has not committed yet and never deadlocks, as
    plain inserts that catch the violation do (docs/decisions/0003-holding-a-window.md).
    """
    Booking.objects.bulk_create([booking], ignore_conflicts=True)
    return Booking.objects.filter(pk=booking.pk).exists()
