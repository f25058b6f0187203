"""Which SSH keys are let in on a booking: choosing among them, adding one, and whose count while they belong to whom."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Membership, SSHKey, User
from accounts.permissions import ORGANIZATION, NotAllowed, OrganizationAction, may_in, require_in
from accounts.services.ssh_keys import add_key
from bookings import mails
from bookings.errors import BookingError, NotYours
from bookings.lifecycle import LIVE
from bookings.models import Access, Booking, KeyChoice, let_in
from bookings.services import provision
from bookings.services.history import note
from bookings.services.locks import locked

#: What stands in the history of a booking whose buyer may book for its organization again, or not any more.
COUNT_AGAIN = "The buyer books for their organization again: their own keys count."
COUNT_NO_MORE = "The buyer does not book for their organization any more: their own keys do not count."


def can_choose_keys(booking: Booking, *, now: datetime) -> bool:
    """Whether there is still somebody to be let in."""
    if booking.is_hold or booking.is_confirmed:
        return True
    return booking.is_active and booking.wipe_opened_at is None and booking.end > now


@transaction.atomic
def choose_keys(*, booking_id: UUID, by: User, keys: Collection[UUID] | None, now: datetime) -> None:
    """Let in these keys of the buyer's on this booking and no others of theirs; ``None``: all that they have.

    Its organization's keys are let in all the same. A machine with an agent is brought up to date at once, of another
    one the provider is told.

    Raises:
        NotYours: the person is not its buyer.
        BookingError: the booking is over, nothing is chosen, a key is not the buyer's, or not any more, or they do not
            book for its organization any more.
    """
    booking = _to_change(booking_id, by, now=now)
    before = _fingerprints(booking)
    if keys is None:
        KeyChoice.objects.filter(booking=booking).delete()
    else:
        chosen = list(SSHKey.objects.filter(user=by, pk__in=keys))
        if len(chosen) < len(set(keys)):
            raise BookingError(_("One of these keys is not in your account any more. Choose again."), field="keys")
        if not chosen and not booking.keys_let_in().filter(organization__isnull=False).exists():
            raise BookingError(_("Choose at least one key, or let in all of them."), field="keys")
        _choice_of(booking, by, had_keys=bool(before), now=now).keys.set(chosen)
    _follow(booking, before, by=by, now=now)


@transaction.atomic
def add_key_to(*, booking_id: UUID, by: User, text: str, name: str, now: datetime) -> SSHKey:
    """Add a key to the buyer's account, and let it in on this booking also where they have chosen others.

    Raises:
        NotYours: the person is not its buyer.
        BookingError: the booking is over, or they do not book for its organization any more.
        accounts.ssh.BadKey: the text is no usable public key, or the person has it already.
    """
    booking = _to_change(booking_id, by, now=now)
    before = _fingerprints(booking)
    key = add_key(user=by, text=text, name=name)
    choice = KeyChoice.objects.filter(booking=booking).first()
    if choice is not None:
        _choice_of(booking, by, had_keys=bool(before), now=now).keys.add(key)
    _follow(booking, before, by=by, now=now)
    return key


def follow_membership(*, membership: Membership, before: str, by: User, now: datetime) -> None:
    """Let in the keys of a person on what they booked for an organization, or not any more, as their role now says.

    At once: machines with an agent are brought up to date, of others the provider is told. Its organization's keys are let
    in all the same. Inside the transaction that has changed the membership, with the organization's row locked.

    Args:
        before: the role until now; empty: they did not belong to it.
    """
    may = may_in(membership, OrganizationAction.BOOK)
    if may == (before in ORGANIZATION[OrganizationAction.BOOK]):
        return
    theirs = Booking.objects.of_buyer(membership.user_id).filter(organization=membership.organization_id)
    for pk in theirs.filter(status__in=LIVE).order_by("pk").values_list("pk", flat=True):
        booking = locked(pk)
        if can_choose_keys(booking, now=now):
            _follow_membership(booking, may=may, by=by, now=now)


def _follow_membership(booking: Booking, *, may: bool, by: User, now: datetime) -> None:
    shared = set(SSHKey.objects.filter(organization=booking.organization_id).values_list("fingerprint", flat=True))
    own = let_in(booking=booking.pk, buyer=booking.buyer_id, organization=None)
    before = shared if may else shared | set(own.values_list("fingerprint", flat=True))
    if not _follow(booking, before, by=by, now=now, why=COUNT_AGAIN if may else COUNT_NO_MORE) or may:
        return
    if booking.is_active:
        mails.shut_out(booking, occasion=f"{now.timestamp():.0f}")
        if not shared:
            mails.nobody_let_in(booking)


def _to_change(booking_id: UUID, by: User, *, now: datetime) -> Booking:
    booking = locked(booking_id)
    if booking.buyer_id != by.pk:
        raise NotYours(_("This booking is not yours."))
    if not can_choose_keys(booking, now=now):
        raise BookingError(_("This booking is over: nobody is let in any more."))
    if booking.organization is not None:
        try:
            require_in(by, booking.organization, OrganizationAction.BOOK)
        except NotAllowed as refused:
            raise BookingError(refused.message) from refused
    return booking


def _choice_of(booking: Booking, by: User, *, had_keys: bool, now: datetime) -> KeyChoice:
    """The booking's choice, made if there is none. While nobody could be let in, it counts from now on only."""
    choice, is_new = KeyChoice.objects.get_or_create(
        booking=booking, defaults={"chosen_by": by, "counts_from": booking.created_at if had_keys else now}
    )
    if not is_new and not had_keys:
        choice.counts_from = now
        choice.save(update_fields=["counts_from"])
    return choice


def _fingerprints(booking: Booking) -> set[str]:
    return set(booking.keys_let_in().values_list("fingerprint", flat=True))


def _follow(booking: Booking, before: set[str], *, by: User, now: datetime, why: str = "") -> bool:
    """Write down what has changed, and see to it on a machine that is in use. Returns whether anything has."""
    after = _fingerprints(booking)
    if after == before:
        return False
    what = f"{len(after)} SSH {'key is' if len(after) == 1 else 'keys are'} let in now"
    note(booking, what, now=now, by=by, detail=why)
    if Booking.objects.due_to_provision(now=now).filter(pk=booking.pk).exists():
        provision.ask(booking, now=now)
    elif not booking.is_automatic and Access.objects.filter(booking=booking).exists():
        mails.keys_changed(booking, occasion=f"{now.timestamp():.0f}")
    return True
