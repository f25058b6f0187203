"""What is paid, and what time it buys."""

from decimal import Decimal

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from bookings.lost_time import LostTime
from bookings.mails.writing import either, price, tell_about, window
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
            f"Held for you: {booking.machine.title}",
            f"{booking.machine.title} is held for you: {window(booking)}.",
            f"Pay {price(booking)} by {when_both(booking.hold_expires_at)}, or the window is given back.",
            button="Pay now",
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
            f"Confirmed: {booking.machine.title}",
            f"Your booking {booking.reference} of {booking.machine.title} is paid and confirmed: {window(booking)}.",
            f"You paid {price(booking)}. Nothing is charged for time outside the booking.",
            f"If your plans change: {frozen_into(booking).sentence}",
            ""
            if booking.keys_let_in().exists()
            else "Add your SSH public key to your account before the start: without one nobody can let you in.",
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKED,
            "booking-confirmed",
            f"Booked: {booking.machine.name}",
            f"{booking.machine.name} is booked and paid: {window(booking)}.",
            "Its agent lets the buyer in at the start and erases it at the end. See that the machine is on by then."
            if booking.is_automatic
            else "You can enter the access details now; the buyer sees them from the start on.",
        )


def canceled(booking: Booking, refund: Refund, why: str, note: str) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    back = f"{money(refund.back, refund.currency)} of {money(refund.price, refund.currency)} comes back."
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.CANCELED,
            "booking-canceled",
            f"Canceled: {booking.machine.title}",
            f"{why}: booking {booking.reference} of {booking.machine.title}, {window(booking)}.",
            f"“{note}”" if note else "",
            f"{back} {refund.because}" if refund.price else "Nothing was paid, so nothing is owed.",
        )
    is_coming = booking.canceled_at is None or booking.end > booking.canceled_at
    free = " The window is free again." if is_coming else ""
    if refund.price:
        with written_for(provider):
            tell_about(
                provider,
                booking,
                EventKind.BOOKING_CANCELED,
                "booking-canceled",
                f"Canceled: {booking.machine.name}",
                f"{why}: {booking.machine.name}, {window(booking)}.{free}",
                f"“{note}”" if note else "",
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
            f"Extended: {booking.machine.title}",
            f"{booking.machine.title} is yours until {when_both(booking.end)}.",
            f"You paid {money(charge.amount, charge.currency)} for it." if charge.amount else "It costs nothing.",
            occasion=f"{charge.pk}",
            tone=Notification.Tone.GOOD,
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CHANGED,
            "booking-extended",
            f"Extended: {booking.machine.name}",
            f"The booking {booking.reference} of {booking.machine.name} has been extended and paid. It ends at "
            f"{when_both(booking.end)} now.",
            "Its agent knows."
            if booking.is_automatic
            else "If the buyer's account locks itself at a date, move that date.",
            occasion=f"{charge.pk}",
        )


def extension_lapsed(booking: Booking, charge: Charge) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.CHANGED,
            "extension-lapsed",
            f"Not extended: {booking.machine.title}",
            f"The extension to {when_both(charge.until)} was not paid in time. The end stays at {when_both(booking.end)}.",
            "Nothing has been charged. You can ask for it again while the machine is free.",
            button="Extend it",
            page="extend/",
            occasion=f"{charge.pk}",
            tone=Notification.Tone.WARN,
        )


def ended_early(booking: Booking, ending: Ending) -> None:
    """To both: the buyer has ended it, and what comes back by the terms."""
    back = f"{money(ending.back, ending.currency)} of {money(ending.price, ending.currency)}"
    stages = f"{money(ending.not_charged, ending.currency)} of later stages is not charged any more."
    alone = f"The time that was used costs {money(ending.used_alone, ending.currency)} by itself."
    for user, comes in ((booking.buyer, "comes back to you"), (booking.machine.provider, "goes back to the buyer")):
        with written_for(user):
            tell_about(
                user,
                booking,
                either(user, booking, EventKind.CHANGED, EventKind.BOOKING_CHANGED),
                "ended-early",
                f"Ended early: {booking.machine.title}",
                f"The booking {booking.reference} ends at {when_both(booking.end)}, as its buyer wishes. The machine is "
                "erased then, as after every booking.",
                f"{back} {comes}. {ending.because}",
                f"{alone} No less is kept." if ending.held_back else "",
                stages if ending.not_charged else "",
            )


def cut(booking: Booking, charge: Charge, back: Decimal) -> None:
    """To both: ``charge``, a stage, was not paid, so the booking ends where its time begins. ``back``: for later time."""
    buyer, provider = booking.buyer, booking.machine.provider
    unpaid = f"Stage {charge.number}, {money(charge.amount, charge.currency)}, was not paid"
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.UNPAID,
            "booking-cut",
            f"Ends early: {booking.machine.title}",
            f"{unpaid}, so your booking {booking.reference} ends with the time that is: {when_both(booking.end)}.",
            "Later stages are not charged. The machine is erased at the end, so copy what you need before.",
            f"{money(back, booking.currency)} that you had paid for later time comes back." if back else "",
            tone=Notification.Tone.BAD,
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CHANGED,
            "booking-cut",
            f"Ends early: {booking.machine.name}",
            f"{unpaid}, so the booking {booking.reference} of {booking.machine.name} ends at {when_both(booking.end)}.",
            "What follows can be booked again.",
        )


def time_lost(booking: Booking, lost: LostTime) -> None:
    """To both: what comes back without anyone having asked, and what for."""
    back = money(lost.amount, booking.currency)
    for user, comes in ((booking.buyer, "comes back to you"), (booking.machine.provider, "goes back to the buyer")):
        with written_for(user):
            tell_about(
                user,
                booking,
                either(user, booking, EventKind.TIME_LOST, EventKind.LOST_TIME),
                "time-lost",
                f"{back} {comes}: {booking.machine.title}",
                f"Of the booking {booking.reference}, {window(booking)}, {lost.lost} minutes could not be used.",
                f"Handed over {lost.late} minutes late." if lost.late and not lost.is_made_up else "",
                f"Without a heartbeat: {lost.down} minutes, of which {lost.free} are not counted." if lost.down else "",
                f"{back} of {price(booking)} {comes}. The booking's page shows each gap.",
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
                f"Never handed over: {booking.machine.title}",
                f"The booking {booking.reference}, {window(booking)}, is over, and the machine was never handed over.",
                f"{price(booking)} goes back to the buyer in full.",
            )
