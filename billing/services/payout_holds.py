"""Keeping a part of what a booking has earned back for now: what is in dispute, or what a person looks into."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from accounts.services.decisions import require_two
from accounts.services.roles import require_administrator
from accounts.services.telling import tell
from billing.errors import PaymentError
from billing.models import AccountKind, LedgerEntry, PayoutHold
from billing.services.payouts import lock_earnings
from bookings.models import Booking
from common.formats import money
from common.money import rounded

EARNINGS = "/machines/earnings/"


@transaction.atomic
def place_hold(*, booking: Booking, amount: Decimal | None, reason: str, by: User | None, now: datetime) -> PayoutHold:
    """Pay out that much less of the booking until it is released. A payout of it that has not been sent waits, too.

    Args:
        amount: in the booking's currency, without tax; ``None``: all of it.
        by: ``None``: the marketplace itself.

    Raises:
        PaymentError: the amount is none, or there is no reason.
    """
    if by is not None:
        require_administrator(by)
    if not reason.strip():
        raise PaymentError("Say why it is held: the provider reads it.", field="reason")
    if amount is not None and (amount <= 0 or rounded(amount, booking.currency) != amount):
        raise PaymentError(f"An amount of {booking.currency} above zero, or nothing for all of it.", field="amount")
    for owner in _owners(booking):
        lock_earnings(owner, booking.currency)
    hold = PayoutHold.objects.create(
        booking=booking, amount=amount, reason=reason.strip()[:300], placed_at=now, placed_by=by
    )
    with written_for(booking.machine.provider):
        _tell_of_hold(hold, now=now)
    return hold


def _tell_of_hold(hold: PayoutHold, *, now: datetime) -> None:
    booking = hold.booking
    if hold.amount is None:
        said = _("What it earned is not paid out for now.")
    else:
        amount = money(hold.amount, booking.currency)
        said = _("%(amount)s of what it earned is not paid out for now.") % {"amount": amount}
    tell(
        user=booking.machine.provider,
        event=EventKind.EARNINGS,
        key=f"hold:{hold.pk}",
        subject=_("Held: booking %(reference)s") % {"reference": booking.reference},
        paragraphs=[f"{said} {hold.reason}"],
        action=(_("Your earnings"), EARNINGS),
        tone=Notification.Tone.WARN,
        now=now,
    )


def _owners(booking: Booking) -> list[UUID]:
    """Who has earned with it: the provider, and who was before them; always in one order."""
    entries = LedgerEntry.objects.filter(booking=booking, account__kind=AccountKind.PROVIDER_PAYABLE)
    return sorted({booking.machine.provider_id, *entries.values_list("account__owner", flat=True).distinct()})


@transaction.atomic
def release_hold(*, hold: PayoutHold, reason: str, by: User, second: User | None, now: datetime) -> PayoutHold:
    """Let it go with the next payout. It takes two administrators (rules: Administrators).

    Raises:
        NotAnAdministrator, TakesTwo: not two administrators.
        PaymentError: it was released before, or there is no reason.
    """
    require_two(by=by, second=second)
    if not reason.strip():
        raise PaymentError("Say why it is released.", field="reason")
    row = (
        PayoutHold.objects.select_for_update(of=("self",)).select_related("booking__machine__provider").get(pk=hold.pk)
    )
    check_release(row)
    row.released_at, row.released_by, row.released_because = now, by, reason.strip()[:300]
    row.save(update_fields=["released_at", "released_by", "released_because"])
    with written_for(row.booking.machine.provider):
        tell(
            user=row.booking.machine.provider,
            event=EventKind.EARNINGS,
            key=f"hold-released:{row.pk}",
            subject=_("No longer held: booking %(reference)s") % {"reference": row.booking.reference},
            paragraphs=[_("It goes with the next payout.")],
            action=(_("Your earnings"), EARNINGS),
            tone=Notification.Tone.GOOD,
            now=now,
        )
    return row


def check_release(hold: PayoutHold) -> None:
    """
    Raises:
        PaymentError: it was released before.
    """
    if hold.released_at is not None:
        raise PaymentError("It was released already.")
