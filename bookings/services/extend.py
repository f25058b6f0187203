"""Extending a booking: quoted, held while it is being paid, and dropped if it is not (rules: When).

An extension is a :class:`~bookings.models.Charge`. While it is open the machine is held for it by ``blocked_until``,
which the rules of the database judge as they judge a new booking; ``end`` moves when it is paid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext

from accounts.models import User
from bookings import mails
from bookings.availability import in_the_way
from bookings.equal import equal_machines
from bookings.errors import BookingError, ExtensionTaken, NotYours, PriceChanged
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, Charge, ChargeKind, ChargeStatus
from bookings.services import provision
from bookings.services.charges import Confirmation, drop_extension, set_paid
from bookings.services.history import note
from bookings.services.late import APART
from bookings.services.locks import locked, locked_if_idle, locked_with_organization
from bookings.services.purposes import check_extension_purpose, is_for_it_still
from bookings.services.unverified import check_unverified_limit
from common.errors import violates
from common.formats import duration, money, when_both
from common.languages import said_later
from common.money import from_minor
from machines import pricing

LAPSED = "It was not paid in time"
GIVEN_BACK = "Given back by the buyer"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class ExtensionQuote:
    """What extending a booking to ``end`` costs.

    ``lines`` add up to ``listed``: the whole time at today's rates, less the time that is booked already at the same
    rates, by unit; what is taken off has a negative quantity. ``total`` is what the buyer pays, who may owe no VAT.
    """

    end: datetime
    currency: str
    lines: tuple[pricing.Line, ...]
    listed: Decimal
    total: Decimal

    @property
    def extra(self) -> list[tuple[str, Decimal]]:
        """What is between the lines and the total, for a receipt."""
        return [(gettext("VAT, not charged"), self.total - self.listed)] if self.total != self.listed else []


def quote_extension(*, booking: Booking, new_end: datetime) -> ExtensionQuote:
    """What the whole time would cost today, less what the booked time would.

    So extending never costs more than having booked it all at once, and further never less than nearer. It may cost
    nothing: within a begun hour, or where a day is as dear as the hours that are booked.

    Raises:
        ValueError: the new end is not after the present one.
    """
    if new_end <= booking.end:
        raise ValueError("an extension ends after the booking does")
    rates, start = booking.listing.rates, booking.start
    until = start + booking.booked_duration
    before = pricing.quote(rates, start, until)
    after = pricing.quote(rates, start, until + (new_end - booking.end))
    listed = after.total - before.total
    lines = tuple(_difference(after, before))
    return ExtensionQuote(new_end, rates.currency, lines, listed, booking.treatment.payable(listed, rates.currency))


def _difference(after: pricing.Quote, before: pricing.Quote) -> Iterator[pricing.Line]:
    less = {line.unit: line for line in before.lines}
    more = {line.unit: line for line in after.lines}
    for line in [*after.lines, *(line for line in before.lines if line.unit not in more)]:
        add, take = more.get(line.unit), less.get(line.unit)
        quantity = (add.quantity if add else 0) - (take.quantity if take else 0)
        amount = (add.amount if add else Decimal(0)) - (take.amount if take else Decimal(0))
        if quantity:
            yield pricing.Line(line.unit, quantity, line.rate, amount)


def can_extend(booking: Booking, *, now: datetime) -> bool:
    """Whether the booking is one that can be extended at all, whoever has the time that follows."""
    return not _why_not(booking, now=now)


def _why_not(booking: Booking, *, now: datetime) -> str:
    if booking.left_at is not None or booking.ended_early_at is not None:
        return gettext("You have ended this booking. It cannot be extended any more.")
    if booking.status not in (BookingStatus.PENDING, BookingStatus.ACTIVE) or not booking.is_going_on(now=now):
        return gettext("Only a booking that is paid and not over can be extended.")
    if not booking.listing.is_active:
        return gettext("This server is not on offer at the moment, so the booking cannot be extended.")
    if booking.listing.currency != booking.currency:
        return gettext("This server is let in %(currency)s by now, so this booking cannot be extended.") % {
            "currency": booking.listing.currency
        }
    return ""


def check_extension(booking: Booking, new_end: datetime, *, now: datetime) -> ExtensionQuote:
    """Whether the booking can be extended so far, apart from who else wants it, and what that costs.

    Whoever is in already may stay while the marketplace lets nobody new in: a suspended listing does not matter.

    Raises:
        BookingError: with the field it belongs to.
    """
    if why_not := _why_not(booking, now=now):
        raise BookingError(why_not)
    if new_end.second or new_end.microsecond:
        raise BookingError(gettext("A booking ends on a whole minute."), field="end")
    if new_end <= booking.end:
        raise BookingError(
            gettext("Choose an end after the present one, %(end)s.") % {"end": when_both(booking.end)}, field="end"
        )
    if new_end - booking.end > settings.MARKETPLACE_STAGE:
        raise BookingError(
            gettext("A booking is extended by %(longest)s at a time. You can do it again later.")
            % {"longest": duration(settings.MARKETPLACE_STAGE)},
            field="end",
        )
    longest = booking.listing.longest
    if booking.booked_duration + (new_end - booking.end) > longest:
        raise BookingError(
            gettext("The longest booking here is %(longest)s, all in all.") % {"longest": duration(longest)},
            field="end",
        )
    quote = quote_extension(booking=booking, new_end=new_end)
    least, most = (from_minor(units, quote.currency) for units in settings.MARKETPLACE_PAYMENT_UNITS)
    if 0 < quote.total < least:
        raise BookingError(
            gettext("The smallest payment is %(amount)s. Choose a later end.")
            % {"amount": money(least, quote.currency)},
            field="end",
        )
    if quote.total > most:
        raise BookingError(
            gettext("The largest payment is %(amount)s. Choose a sooner end.")
            % {"amount": money(most, quote.currency)},
            field="end",
        )
    return quote


def extension_clashes(booking: Booking, new_end: datetime, *, now: datetime) -> ExtensionTaken | None:
    """The refusal that asking for so much would meet now, or ``None``. Changes nothing, promises nothing."""
    refusal = _taken(booking, new_end, now=now)
    return refusal if refusal.taken else None


def latest_end(booking: Booking, *, until: datetime) -> datetime:
    """Until when the machine is free for this booking, as far as ``until``."""
    turnaround = booking.blocked_until - booking.end
    first = in_the_way(booking.machine_id, booking.end, until + turnaround, apart_from=booking.pk).first()
    return until if first is None else max(booking.end, first[0] - turnaround)


def _taken(booking: Booking, new_end: datetime, *, now: datetime) -> ExtensionTaken:
    """The refusal that says by what it is taken, how far it goes, and where equal machines are."""
    turnaround = booking.blocked_until - booking.end
    clashing = list(in_the_way(booking.machine_id, booking.end, new_end + turnaround, apart_from=booking.pk))
    latest = min((first - turnaround for first, *_ in clashing), default=booking.end)
    return ExtensionTaken(
        booking.end,
        taken=[(first, last) for first, last, *_ in clashing],
        latest=latest if latest > booking.end else None,
        equal=equal_machines(booking, now=now, window=(booking.end, new_end)),
        is_yours=any(whose == booking.buyer_id for _, _, whose, _ in clashing),
        upkeep=[(first, last) for first, last, _, is_upkeep in clashing if is_upkeep],
    )


@transaction.atomic
def request_extension(
    *, booking_id: UUID, by: User, new_end: datetime, now: datetime, expected_total: Decimal | None = None
) -> Charge:
    """Hold the machine until ``new_end`` while the buyer pays for it, as long as a new booking is held. One transaction.

    What costs nothing is confirmed at once.

    Args:
        expected_total: what the buyer was shown; a different price is refused rather than taken.

    Raises:
        NotYours: the person is not its buyer.
        ExtensionTaken: somebody else has the machine by then.
        PriceChanged: the quote is no longer ``expected_total``.
        BookingError: the booking, the listing or the end do not fit, or an extension waits for its payment.
    """
    booking = locked_with_organization(booking_id)
    organization = booking.organization
    if booking.buyer_id != by.pk:
        raise NotYours(gettext("This booking is not yours."))
    if booking.charges.open().filter(kind=ChargeKind.EXTENSION).exists():
        raise BookingError(gettext("An extension of this booking waits for its payment. Pay it or give it back first."))
    quote = check_extension(booking, new_end, now=now)
    if expected_total is not None and quote.total != expected_total:
        raise PriceChanged(
            gettext("The price has changed from %(before)s to %(after)s. Look at it again, then confirm.")
            % {"before": money(expected_total, quote.currency), "after": money(quote.total, quote.currency)}
        )
    if organization is not None:
        check_extension_purpose(booking, new_end=new_end, extra=quote.total, by=by, now=now)
    check_unverified_limit(buyer=by, organization=organization, amount=quote.total, currency=quote.currency, now=now)
    if refusal := extension_clashes(booking, new_end, now=now):
        raise refusal
    length = new_end - booking.end
    if not _hold(booking, length):
        raise _taken(booking, new_end, now=now)
    charge = Charge.objects.create(
        booking=booking,
        number=(booking.charges.aggregate(last=Max("number"))["last"] or 0) + 1,
        kind=ChargeKind.EXTENSION,
        covers_from=booking.booked_until,
        covers_until=booking.booked_until + length,
        amount=quote.total,
        currency=quote.currency,
        quote_lines=[line.frozen() for line in quote.lines],
        created_at=now,
        due_at=now,
        expires_at=min(now + settings.MARKETPLACE_HOLD, booking.end),
    )
    if quote.total == 0:
        confirm_extension(charge, now=now)
    else:
        what = said_later(lambda: f"To {when_both(new_end)}. Held while it is being paid.")
        note(booking, "Extension asked for", now=now, by=by, detail=what)
    return charge


def _hold(booking: Booking, length: timedelta) -> bool:
    """Keep others from what follows: the database decides, as when a window is asked for."""
    before = booking.blocked_until
    booking.blocked_until += length
    try:
        with transaction.atomic():
            booking.save(update_fields=["blocked_until"])
    except IntegrityError as error:
        if not any(violates(error, rule) for rule in APART):
            raise
        booking.blocked_until = before
        return False
    return True


@transaction.atomic
def give_back_extension(*, booking_id: UUID, by: User, now: datetime) -> bool:
    """The buyer does not want it after all. Returns whether there was one; a second time there is none.

    Raises:
        NotYours: the person is not its buyer.
    """
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours(gettext("This booking is not yours."))
    if drop_extension(booking, GIVEN_BACK, now=now) is None:
        return False
    note(
        booking,
        "Extension given back",
        now=now,
        by=by,
        detail=said_later(lambda: f"The end stays at {when_both(booking.end)}."),
    )
    return True


@transaction.atomic
def lapse_extension(*, charge_id: UUID, now: datetime) -> bool:
    """Give the time back that was not paid for. The old end stays. Returns whether it was due."""
    charge = Charge.objects.filter(pk=charge_id).first()
    booking = locked_if_idle(charge.booking_id) if charge is not None else None
    if booking is None or not Charge.objects.extensions_lapsed(now=now).filter(pk=charge_id).exists():
        return False
    charge = drop_extension(booking, LAPSED, now=now)
    note(
        booking,
        "Not extended: not paid in time",
        now=now,
        detail=said_later(lambda: f"The end stays at {when_both(booking.end)}."),
    )
    if charge is not None:
        mails.extension_lapsed(booking, charge)
    return charge is not None


def confirm_extension(charge: Charge, *, now: datetime) -> Confirmation:
    """An extension is paid: the end moves. What does not fit is said, not raised: the money has arrived either way.

    One past its time that no sweep has dropped yet still has the machine. One that has lapsed takes it again if it is
    still free. One for an organization must be able to become that one's still. Called in a transaction, with the
    charge's booking and its organization locked.
    """
    booking = charge.booking
    if charge.is_paid:
        return Confirmation.ALREADY_PAID
    if not can_go_on(booking, now=now) or not is_for_it_still(charge, now=now):
        return Confirmation.TOO_LATE
    if not (charge.is_open or _take_again(booking, charge)):
        return Confirmation.TOO_LATE
    if charge.status == ChargeStatus.DROPPED:
        charge.dropped_at, charge.dropped_because = None, ""
        charge.save(update_fields=["dropped_at", "dropped_because"])
    set_paid(charge, now=now)
    _move_end(booking, charge)
    note(booking, "Extended", now=now, by=booking.buyer, detail=said_later(lambda: _extended(booking, charge)))
    mails.extended(booking, charge)
    tell_agents(booking, now=now)
    return Confirmation.CONFIRMED


def _extended(booking: Booking, charge: Charge) -> str:
    price = f"{money(charge.amount, charge.currency)}, paid." if charge.amount else "It costs nothing."
    return f"To {when_both(booking.end)}. {price}"


def can_go_on(booking: Booking, *, now: datetime) -> bool:
    """Neither over nor ended by its buyer, nor in dispute. Whether it is on offer counted when it was asked for."""
    is_ended = booking.left_at is not None or booking.ended_early_at is not None
    return booking.is_going_on(now=now) and booking.status != BookingStatus.DISPUTED and not is_ended


def _take_again(booking: Booking, charge: Charge) -> bool:
    """Hold the machine for a charge that was dropped, if it still follows the end, nothing else does, and it is free."""
    if charge.dropped_because == GIVEN_BACK or charge.covers_from != booking.booked_until:
        return False
    if booking.charges.open().filter(kind=ChargeKind.EXTENSION).exists():
        return False
    return _hold(booking, charge.length)


def _move_end(booking: Booking, charge: Charge) -> None:
    booking.end += charge.length
    if booking.booked_end is not None:
        booking.booked_end += charge.length
    if booking.paid_minutes is not None:
        booking.paid_minutes += charge.length // MINUTE
    booking.price_total += charge.amount
    booking.save(update_fields=["end", "booked_end", "paid_minutes", "price_total"])


def tell_agents(booking: Booking, *, now: datetime) -> None:
    """The end of a booking that may have begun has moved: the accounts on the machine expire with it."""
    if booking.is_active and booking.is_automatic and booking.is_going_on(now=now):
        provision.ask(booking, now=now)
