"""What is paid, and what time it buys."""

from decimal import Decimal

from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from bookings.lost_time import LostTime
from bookings.mails.writing import either, everything_back, of_it_before, price, tell_about, window
from bookings.models import Booking, Charge
from bookings.terms import Ending, Refund, frozen_into
from common.formats import money, when_both


def requested(booking: Booking) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.PAYMENT_WANTED,
            "booking-requested",
            _("Held for you: %(machine)s") % {"machine": booking.machine.title},
            _("%(machine)s is held for you: %(window)s.")
            % {"machine": booking.machine.title, "window": window(booking)},
            _("Pay %(price)s by %(moment)s, or the window is given back.")
            % {"price": price(booking), "moment": when_both(booking.hold_expires_at)},
            button=_("Pay now"),
            page="pay/",
        )


def confirmed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.CONFIRMED,
            "booking-confirmed",
            _("Confirmed: %(machine)s") % {"machine": booking.machine.title},
            _("Your booking %(booking)s of %(machine)s is paid and confirmed: %(window)s.")
            % {"booking": booking.reference, "machine": booking.machine.title, "window": window(booking)},
            _("You paid %(price)s. Nothing is charged for time outside the booking.") % {"price": price(booking)},
            _("If your plans change: %(sentence)s") % {"sentence": frozen_into(booking).sentence},
            ""
            if booking.keys_let_in().exists()
            else _("Add your SSH public key to your account before the start: without one nobody can let you in."),
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKED,
            "booking-confirmed",
            _("Booked: %(machine)s") % {"machine": booking.machine.name},
            _("%(machine)s is booked and paid: %(window)s.")
            % {"machine": booking.machine.name, "window": window(booking)},
            _("Its agent lets the buyer in at the start and erases it at the end. See that the machine is on by then.")
            if booking.is_automatic
            else _("You can enter the access details now; the buyer sees them from the start on."),
        )


def canceled(booking: Booking, refund: Refund, why: StrOrPromise, note: str) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        back = _("%(back)s of %(price)s comes back.") % {
            "back": money(refund.back, refund.currency),
            "price": money(refund.price, refund.currency),
        }
        tell_about(
            buyer,
            booking,
            EventKind.CANCELED,
            "booking-canceled",
            _("Canceled: %(machine)s") % {"machine": booking.machine.title},
            _("%(why)s: booking %(booking)s of %(machine)s, %(window)s.")
            % {"why": why, "booking": booking.reference, "machine": booking.machine.title, "window": window(booking)},
            _("“%(note)s”") % {"note": note} if note else "",
            _together(back, of_it_before(refund.before, refund.currency), refund.because)
            if refund.price
            else _("Nothing was paid, so nothing is owed."),
        )
    is_coming = booking.canceled_at is None or booking.end > booking.canceled_at
    if refund.price:
        with written_for(provider):
            free = _("The window is free again.") if is_coming else ""
            tell_about(
                provider,
                booking,
                EventKind.BOOKING_CANCELED,
                "booking-canceled",
                _("Canceled: %(machine)s") % {"machine": booking.machine.name},
                f"{why}: {booking.machine.name}, {window(booking)}. {free}".strip(),
                _("“%(note)s”") % {"note": note} if note else "",
            )


def extended(booking: Booking, charge: Charge) -> None:
    """To both: the end has moved. ``charge``: the extension."""
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.CHANGED,
            "booking-extended",
            _("Extended: %(machine)s") % {"machine": booking.machine.title},
            _("%(machine)s is yours until %(end)s.")
            % {"machine": booking.machine.title, "end": when_both(booking.end)},
            _("You paid %(amount)s for it.") % {"amount": money(charge.amount, charge.currency)}
            if charge.amount
            else _("It costs nothing."),
            occasion=f"{charge.pk}",
            tone=Notification.Tone.GOOD,
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CHANGED,
            "booking-extended",
            _("Extended: %(machine)s") % {"machine": booking.machine.name},
            _("The booking %(booking)s of %(machine)s has been extended and paid. It ends at %(end)s now.")
            % {"booking": booking.reference, "machine": booking.machine.name, "end": when_both(booking.end)},
            _("Its agent knows.")
            if booking.is_automatic
            else _("If the buyer's account locks itself at a date, move that date."),
            occasion=f"{charge.pk}",
        )


def extension_lapsed(booking: Booking, charge: Charge) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.CHANGED,
            "extension-lapsed",
            _("Not extended: %(machine)s") % {"machine": booking.machine.title},
            _("The extension to %(until)s was not paid in time. The end stays at %(end)s.")
            % {"until": when_both(charge.until), "end": when_both(booking.end)},
            _("Nothing has been charged. You can ask for it again while the machine is free."),
            button=_("Extend it"),
            page="extend/",
            occasion=f"{charge.pk}",
            tone=Notification.Tone.WARN,
        )


def ended_early(booking: Booking, ending: Ending) -> None:
    """To both: the buyer has ended it, and what comes back by the terms."""
    for user in (booking.buyer, booking.machine.provider):
        with written_for(user):
            back = {"back": money(ending.back, ending.currency), "price": money(ending.price, ending.currency)}
            comes = (
                _("%(back)s of %(price)s comes back to you.")
                if user.pk == booking.buyer_id
                else _("%(back)s of %(price)s goes back to the buyer.")
            )
            tell_about(
                user,
                booking,
                either(user, booking, EventKind.CHANGED, EventKind.BOOKING_CHANGED),
                "ended-early",
                _("Ended early: %(machine)s") % {"machine": booking.machine.title},
                _(
                    "The booking %(booking)s ends at %(end)s, as its buyer wishes. The machine is erased then, as "
                    "after every booking."
                )
                % {"booking": booking.reference, "end": when_both(booking.end)},
                _together(comes % back, of_it_before(ending.before, ending.currency), ending.because),
                _("The time that was used costs %(amount)s by itself. No less is kept.")
                % {"amount": money(ending.used_alone, ending.currency)}
                if ending.held_back
                else "",
                _("%(amount)s of later stages is not charged any more.")
                % {"amount": money(ending.not_charged, ending.currency)}
                if ending.not_charged
                else "",
            )


def cut(booking: Booking, charge: Charge, back: Decimal) -> None:
    """To both: ``charge``, a stage, was not paid, so the booking ends where its time begins. ``back``: for later time."""
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.UNPAID,
            "booking-cut",
            _("Ends early: %(machine)s") % {"machine": booking.machine.title},
            _(
                "Stage %(number)s, %(amount)s, was not paid, so your booking %(booking)s ends with the time that "
                "is: %(end)s."
            )
            % {
                "number": charge.number,
                "amount": money(charge.amount, charge.currency),
                "booking": booking.reference,
                "end": when_both(booking.end),
            },
            _("Later stages are not charged. The machine is erased at the end, so copy what you need before."),
            _("%(amount)s that you had paid for later time comes back.") % {"amount": money(back, booking.currency)}
            if back
            else "",
            tone=Notification.Tone.BAD,
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CHANGED,
            "booking-cut",
            _("Ends early: %(machine)s") % {"machine": booking.machine.name},
            _("Stage %(number)s, %(amount)s, was not paid, so the booking %(booking)s of %(machine)s ends at %(end)s.")
            % {
                "number": charge.number,
                "amount": money(charge.amount, charge.currency),
                "booking": booking.reference,
                "machine": booking.machine.name,
                "end": when_both(booking.end),
            },
            _("What follows can be booked again."),
        )


def time_lost(booking: Booking, lost: LostTime) -> None:
    """To both: what comes back without anyone having asked, and what for."""
    for user in (booking.buyer, booking.machine.provider):
        with written_for(user):
            is_buyer, back = user.pk == booking.buyer_id, money(lost.amount, booking.currency)
            tell_about(
                user,
                booking,
                either(user, booking, EventKind.TIME_LOST, EventKind.LOST_TIME),
                "time-lost",
                _("%(back)s comes back to you: %(machine)s") % {"back": back, "machine": booking.machine.title}
                if is_buyer
                else _("%(back)s goes back to the buyer: %(machine)s")
                % {"back": back, "machine": booking.machine.title},
                _("Of the booking %(booking)s, %(window)s, %(lost)s minutes could not be used.")
                % {"booking": booking.reference, "window": window(booking), "lost": lost.lost},
                _("Handed over %(late)s minutes late.") % {"late": lost.late}
                if lost.late and not lost.is_made_up
                else "",
                _("Without a heartbeat: %(down)s minutes, of which %(free)s are not counted.")
                % {"down": lost.down, "free": lost.free}
                if lost.down
                else "",
                _("%(back)s of %(price)s comes back to you. The booking's page shows each gap.")
                % {"back": back, "price": price(booking)}
                if is_buyer
                else _("%(back)s of %(price)s goes back to the buyer. The booking's page shows each gap.")
                % {"back": back, "price": price(booking)},
                tone=Notification.Tone.INFO,
            )


def undelivered(booking: Booking) -> None:
    for user in (booking.buyer, booking.machine.provider):
        with written_for(user):
            tell_about(
                user,
                booking,
                either(user, booking, EventKind.CANCELED, EventKind.BOOKING_CANCELED),
                "booking-undelivered",
                _("Never handed over: %(machine)s") % {"machine": booking.machine.title},
                _("The booking %(booking)s, %(window)s, is over, and the machine was never handed over.")
                % {"booking": booking.reference, "window": window(booking)},
                everything_back(booking),
            )


def _together(*sentences: StrOrPromise) -> str:
    """In one paragraph. Empty ones are left out."""
    return " ".join(str(sentence) for sentence in sentences if sentence)
