"""Getting in: what the provider has to do, and what keeps the buyer out."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from bookings.equal import equal_machines
from bookings.mails.writing import everything_back, price, tell_about, window
from bookings.models import Access, Booking
from common.formats import money, when_both
from machines import hardware_words


def access_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.ACCESS_WANTED,
            "access-needed",
            _("Let the buyer in: %(machine)s") % {"machine": booking.machine.name},
            _("The booking of %(machine)s has started: %(window)s.")
            % {"machine": booking.machine.name, "window": window(booking)},
            _(
                "Make an account with the buyer's keys and enter the access details. A machine that is never handed over is "
                "refunded in full."
            ),
            button=_("Enter access details"),
            page="access/",
        )
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.STARTED,
            "booking-started",
            _("Your time has started: %(machine)s") % {"machine": booking.machine.title},
            _("The provider has been asked to let you in. You get the command as soon as it is there."),
        )


def access_ready(booking: Booking, access: Access, *, occasion: str = "") -> None:
    """``occasion``: of a correction, what tells it apart from the one before."""
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "access-ready",
            _("Log in: %(machine)s") % {"machine": booking.machine.title},
            _("%(machine)s is yours until %(end)s.")
            % {"machine": booking.machine.title, "end": when_both(booking.end)},
            access.command,
            _("Host key: %(fingerprint)s") % {"fingerprint": access.host_key_fingerprint},
            *[
                _("%(node)s: %(command)s (host key %(fingerprint)s)")
                % {"node": node["node"], "command": node["command"], "fingerprint": node["host_key_fingerprint"]}
                for node in access.further
            ],
            access.note,
            occasion=occasion or f"{access.ready_at.timestamp():.0f}",
            tone=Notification.Tone.GOOD,
        )


def key_needed(booking: Booking) -> None:
    address = f"{settings.SITE_URL}{reverse('booking_keys', args=[booking.pk])}"
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "key-needed",
            _("Add your SSH key: %(machine)s") % {"machine": booking.machine.title},
            _(
                "Your booking has started, and no SSH key is to be let in: the machine's agent cannot let you in without one."
            ),
            _("Add one at %(address)s; you are let in within a minute.") % {"address": address},
            _("The machine is kept for you until the end. Time that passes without a key is not refunded."),
            tone=Notification.Tone.WARN,
        )


def shut_out(booking: Booking, *, occasion: str) -> None:
    """To a buyer who does not book any more for the organization that the booking, which runs, is for."""
    buyer, organization = booking.buyer, booking.organization
    assert organization is not None
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.ACCESS,
            "shut-out",
            _("Your SSH keys are not let in any more: %(machine)s") % {"machine": booking.machine.title},
            _(
                "You do not book for %(organization)s any more, so your own keys are not let in on what you booked for it."
            )
            % {"organization": organization.name},
            _("If there is something on the machine that you need, talk to an administrator of %(organization)s.")
            % {"organization": organization.name},
            occasion=occasion,
            tone=Notification.Tone.WARN,
        )


def nobody_let_in(booking: Booking) -> None:
    """To the administrators of the organization: the booking runs, its buyer's keys do not count, and it has none."""
    organization = booking.organization
    assert organization is not None
    for membership in organization.memberships.administrators().select_related("user"):
        user = membership.user
        with written_for(user):
            words = {
                "name": booking.buyer.known_as,
                "machine": booking.machine.title,
                "organization": organization.name,
                "window": window(booking),
            }
            tell_about(
                user,
                booking,
                EventKind.ACCESS,
                "nobody-let-in",
                _("Nobody is let in: %(machine)s") % words,
                _(
                    "%(name)s booked %(machine)s for %(organization)s and does not book for it any more, so their own "
                    "SSH keys are not let in: %(window)s."
                )
                % words,
                _("%(organization)s has no SSH key of its own. One that is added is let in on all of its bookings.")
                % words,
                _("The machine is kept for it until the end. Time that passes without a key is not refunded."),
                tone=Notification.Tone.WARN,
            )


def keys_changed(booking: Booking, *, occasion: str) -> None:
    """Of a machine without an agent: its provider has to put the other keys there."""
    provider = booking.machine.provider
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.ACCESS_WANTED,
            "keys-changed",
            _("Other SSH keys: %(machine)s") % {"machine": booking.machine.name},
            _("For the booking %(booking)s of %(machine)s other SSH keys are to be let in from now on.")
            % {"booking": booking.reference, "machine": booking.machine.name},
            _(
                "They stand on the page of the booking. Put them into the account's authorized_keys, and take out all others."
            ),
            occasion=occasion,
        )


def access_failed(booking: Booking, error: str, *, is_stubborn: bool) -> None:
    """The machine's agent could not let the buyer in. ``is_stubborn``: not the first time, nor the second."""
    event = "access-still-failing" if is_stubborn else "access-failed"
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        why = error or _("it does not say why")
        tell_about(
            provider,
            booking,
            EventKind.ACCESS_WANTED,
            event,
            _("The buyer cannot get in: %(machine)s") % {"machine": booking.machine.name},
            _("The agent of %(machine)s could not let the buyer of %(booking)s in: %(why)s")
            % {"machine": booking.machine.name, "booking": booking.reference, "why": why},
            _(
                "It has been tried several times and goes on being tried until the booking ends. Somebody has to see to the "
                "machine."
            )
            if is_stubborn
            else _("It is tried again by itself, after pauses that grow. Have a look at the machine."),
            _("A machine that is never handed over is refunded in full."),
            tone=Notification.Tone.BAD,
        )
    with written_for(buyer):
        why = error or _("it does not say why")
        tell_about(
            buyer,
            booking,
            EventKind.ACCESS,
            event,
            _("Not let in yet: %(machine)s") % {"machine": booking.machine.title},
            _("The machine could not let you in: %(why)s") % {"why": why},
            _(
                "It goes on trying until your booking ends, and its provider has been told again. If you are never let in, "
                "everything comes back."
            )
            if is_stubborn
            else _(
                "It tries again by itself, and its provider has been told. Time that you lose is added or refunded."
            ),
            tone=Notification.Tone.WARN,
        )


def mismatch(booking: Booking) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "not-as-booked",
            _("Not as booked: %(machine)s") % {"machine": booking.machine.title},
            _("The machine that is handed over differs from the one that you booked:"),
            *[
                _("%(what)s: %(before)s was booked, it is %(after)s now.")
                % {side: hardware_words.said(found[side]) for side in ("what", "before", "after")}
                for found in booking.mismatch
            ],
            _("You may leave and get all of %(price)s back, or keep it as it is.")
            % {"price": money(booking.kept_so_far, booking.currency)}
            if booking.kept_so_far
            else _("You may leave, or keep it as it is. All that you paid for it has gone back already."),
            button=_("Decide"),
            tone=Notification.Tone.WARN,
        )


def left(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.CANCELED,
            "booking-left",
            _("You left: %(machine)s") % {"machine": booking.machine.title},
            _("Your booking %(booking)s ends at %(end)s, because the machine is not as booked.")
            % {"booking": booking.reference, "end": when_both(booking.end)},
            _all_back(booking),
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CANCELED,
            "booking-left",
            _("Left: %(machine)s") % {"machine": booking.machine.name},
            _("The buyer of %(booking)s has left %(machine)s, because it is not as it was booked:")
            % {"booking": booking.reference, "machine": booking.machine.name},
            *[
                _("%(what)s: %(before)s was booked, it is %(after)s now.")
                % {side: hardware_words.said(found[side]) for side in ("what", "before", "after")}
                for found in booking.mismatch
            ],
            everything_back(booking),
            tone=Notification.Tone.BAD,
        )


def _all_back(booking: Booking) -> str:
    """To the buyer, as :func:`everything_back`."""
    if booking.lost_amount == booking.price_total:
        back = _("%(price)s comes back in full. The machine is erased as after every booking.")
        return back % {"price": price(booking)}
    if not booking.lost_amount:
        return _("All that you paid had come back before. The machine is erased as after every booking.")
    rest = _("%(amount)s comes back: all that had not come back before. The machine is erased as after every booking.")
    return rest % {"amount": money(booking.lost_amount, booking.currency)}


def delayed(booking: Booking, *, now: datetime) -> None:
    address = f"{settings.SITE_URL}{equal_machines(booking, now=now)}"
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "booking-delayed",
            _("Delayed: %(machine)s") % {"machine": booking.machine.title},
            _(
                "Your booking should have started. The machine has not been shown to be erased after the booking before, so "
                "it is not handed to anyone yet."
            ),
            _(
                "You can wait: the time that you lose is added at the end, or refunded where somebody has booked what follows."
            ),
            _("Or cancel now and get everything back."),
            _("Equal machines that are free for as long: %(address)s") % {"address": address},
            tone=Notification.Tone.WARN,
        )
