"""What providers are owed, booking by booking, and whether it can be paid out.

Owed is what the ledger credits to the provider for a booking, less what payouts hold of it. It becomes due when the
booking is over and the dispute window has closed (rules: Money), unless it is held:

- while the booking is in dispute, or a bank has not decided about a payment of it: all of it;
- by :class:`PayoutHold`: the amount that it names, or all.

What was given back after it had been paid out is owed by the provider, and taken off the next payout.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import DecimalField, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext

from billing.models import AccountKind, Chargeback, LedgerEntry, Payout, PayoutHold, PayoutLine, PayoutStatus
from bookings.lifecycle import BookingStatus
from bookings.models import Booking
from common.formats import money

ZERO = Decimal(0)
AMOUNT: DecimalField[Any, Any] = DecimalField(max_digits=14, decimal_places=2)

#: No buyer is on the machine any more.
OVER = Q(status__in=[BookingStatus.COMPLETED, BookingStatus.CANCELED]) | Q(
    status=BookingStatus.ACTIVE, wipe_opened_at__isnull=False
)


@dataclass(frozen=True)
class Owed:
    """What is owed for one booking and in no payout yet.

    Attributes:
        amount: in the booking's currency, without tax; negative where the provider owes it.
        held: the part that is not paid out for now; ``why`` says it.
        due_at: when the dispute window closes.
        reaches_into_payouts: more is held, or was given back, than is in no payout yet.
    """

    booking: Booking
    amount: Decimal
    held: Decimal
    why: tuple[str, ...]
    due_at: datetime
    is_due: bool
    reaches_into_payouts: bool

    @property
    def payable(self) -> Decimal:
        """What the next payout takes: negative amounts always."""
        if self.amount < 0:
            return self.amount
        return self.amount - self.held if self.is_due else ZERO

    @property
    def upcoming(self) -> Decimal:
        """What waits for the end of the booking or of the dispute window, and is not held."""
        return ZERO if self.is_due or self.amount < 0 else self.amount - self.held


def is_over(booking: Booking) -> bool:
    """As :data:`OVER`."""
    is_out = booking.status == BookingStatus.ACTIVE and booking.wipe_opened_at is not None
    return is_out or booking.status in (BookingStatus.COMPLETED, BookingStatus.CANCELED)


def due_at(booking: Booking) -> datetime:
    """When what it has earned can be paid out: the end of the dispute window."""
    return booking.end + settings.MARKETPLACE_DISPUTE_WINDOW


def owing(*, provider: UUID | None = None, currency: str = "") -> QuerySet[Any]:
    """Bookings of which something is owed and in no payout; of everybody, or of one provider in one currency."""
    entries = LedgerEntry.objects.filter(account__kind=AccountKind.PROVIDER_PAYABLE, booking__isnull=False)
    lines = PayoutLine.objects.filter(payout__retry=None).exclude(payout__status=PayoutStatus.RECEIVED)
    bookings = with_earnings(provider=provider)
    if provider is not None:
        entries, lines = entries.filter(account__owner=provider), lines.filter(payout__provider=provider)
    if currency:
        entries, bookings = entries.filter(account__currency=currency), bookings.filter(currency=currency)
    # Almost all bookings of the past have been paid out: the ledger says at a glance of which that is not so.
    unsettled = entries.order_by().values("booking").annotate(balance=Sum("amount")).exclude(balance=0)
    is_open = Q(pk__in=unsettled.values("booking")) | Q(pk__in=lines.values("booking"))
    return bookings.filter(is_open).exclude(left=0)


def owed_accounts(*, ended_by: datetime) -> list[tuple[UUID, str]]:
    """Whom something is owed, in which currency, for bookings that were over by then, in payouts on their way or in none.

    By the ledger, not by whose the machines are now: one that has another owner since has earned for both.
    """
    entries = LedgerEntry.objects.filter(account__kind=AccountKind.PROVIDER_PAYABLE)
    over = Booking.objects.filter(OVER, paid_at__isnull=False, end__lte=ended_by)
    balances = (
        entries.filter(booking__in=over)
        .order_by()
        .values("booking", "account__owner", "account__currency")
        .annotate(balance=Sum("amount"))
        .filter(balance__lt=0)
    )
    return sorted(set(balances.values_list("account__owner", "account__currency")))


def with_earnings(*, provider: UUID | None = None) -> QuerySet[Any]:
    """Paid bookings with what was ``earned``, what of it was ``taken`` by payouts, and what is ``left``; of one provider
    or, where a machine has had several, of all together.

    A payout that failed keeps what is in it until it is tried again, so that it is not invoiced twice. A retry has the
    lines of the first try: only those count.
    """
    earned = LedgerEntry.objects.filter(
        booking=OuterRef("pk"), account__kind=AccountKind.PROVIDER_PAYABLE, transaction__payout=None
    )
    taken = PayoutLine.objects.filter(booking=OuterRef("pk"), payout__retry_of=None)
    if provider is not None:
        earned, taken = earned.filter(account__owner=provider), taken.filter(payout__provider=provider)
    return Booking.objects.filter(paid_at__isnull=False).annotate(
        earned=_sum_of(earned, -F("amount")), taken=_sum_of(taken, F("amount")), left=F("earned") - F("taken")
    )


def _sum_of(rows: QuerySet[Any], amount: Any) -> Coalesce:
    summed = rows.order_by().values("booking").annotate(total=Sum(amount)).values("total")
    return Coalesce(Subquery(summed, output_field=AMOUNT), ZERO, output_field=AMOUNT)


def owed_for(bookings: Iterable[Any], *, now: datetime) -> list[Owed]:
    """Where each of these bookings, which come from :func:`owing`, stands."""
    rows = list(bookings)
    holds: dict[Any, list[PayoutHold]] = defaultdict(list)
    for hold in PayoutHold.objects.standing().filter(booking__in=rows):
        holds[hold.booking_id].append(hold)
    charged_back = set(
        Chargeback.objects.undecided().filter(payment__booking__in=rows).values_list("payment__booking", flat=True)
    )
    return [_owed(row, holds[row.pk], row.pk in charged_back, now=now) for row in rows]


def _owed(booking: Any, holds: list[PayoutHold], is_charged_back: bool, *, now: datetime) -> Owed:
    amount: Decimal = booking.left
    why = [hold.reason for hold in holds]
    held = sum((hold.amount for hold in holds if hold.amount is not None), ZERO)
    is_whole = any(hold.amount is None for hold in holds)
    if is_charged_back:
        why.append(gettext("The buyer's bank has taken a payment back, or asks about it. It is not decided yet."))
        is_whole = True
    if booking.status == BookingStatus.DISPUTED:
        why.append(gettext("The booking is in dispute."))
        is_whole = True
    return Owed(
        booking=booking,
        amount=amount,
        held=max(amount if is_whole else min(held, amount), ZERO),
        why=tuple(why),
        due_at=due_at(booking),
        is_due=is_over(booking) and due_at(booking) <= now,
        reaches_into_payouts=is_whole or held > amount or amount < 0,
    )


def in_the_way(payouts: Iterable[Payout], *, now: datetime) -> dict[UUID, list[str]]:
    """Why payouts, which are live or failed, are not to be paid now: sentences for each that is not.

    What was earned with one of their bookings is held since, or was given back beyond what is in no payout.
    """
    lines = list(PayoutLine.objects.filter(payout__in=list(payouts), amount__gt=0))
    bookings = with_earnings().filter(pk__in={line.booking_id for line in lines})
    found = {owed.booking.pk: _in_words(owed) for owed in owed_for(bookings, now=now) if owed.reaches_into_payouts}
    why: dict[UUID, list[str]] = defaultdict(list)
    for line in lines:
        if line.booking_id in found:
            why[line.payout_id].append(found[line.booking_id])
    return dict(why)


def _in_words(owed: Owed) -> str:
    about = {"reference": owed.booking.reference, "why": " ".join(owed.why)}
    if owed.amount < 0:
        about["back"] = money(-owed.amount, owed.booking.currency)
        said = gettext(
            "Booking %(reference)s: %(back)s of it is not owed any more, and is taken off what the provider earns next."
        )
    else:
        said = gettext("Booking %(reference)s is held. %(why)s")
    return said % about
