"""The mails about a booking: one function an event. They go to the outbox, in the event's own transaction."""

from accounts.outbox import in_zone_of, write_mail
from bookings.models import Access, Booking
from bookings.terms import Refund, sentence
from common.formats import duration, money, when_both


def _path(booking: Booking) -> str:
    return f"/bookings/{booking.pk}/"


def _window(booking: Booking) -> str:
    return f"{when_both(booking.start)} – {when_both(booking.end)}"


def requested(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-requested:{booking.pk}",
            subject=f"Held for you: {booking.machine.title}",
            paragraphs=[
                f"{booking.machine.title} is held for you: {_window(booking)}.",
                f"Pay {money(booking.price_total, booking.currency)} by {when_both(booking.hold_expires_at)}, or the "
                "window is given back.",
            ],
            action=("Pay now", f"{_path(booking)}pay/"),
        )


def confirmed(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-confirmed:{booking.pk}",
            subject=f"Confirmed: {booking.machine.title}",
            paragraphs=[
                f"Your booking {booking.reference} of {booking.machine.title} is paid and confirmed: {_window(booking)}.",
                f"You paid {money(booking.price_total, booking.currency)}. Nothing is charged for time outside the booking.",
                "If your plans change: " + sentence(booking.cancellation_terms),
                "Add your SSH public key to your account before the start, so that you can be let in.",
            ],
            action=("Open the booking", _path(booking)),
        )
    provider = booking.machine.provider
    with in_zone_of(provider):
        write_mail(
            user=provider,
            key=f"booking-confirmed:{booking.pk}",
            subject=f"Booked: {booking.machine.name}",
            paragraphs=[
                f"{booking.machine.name} is booked and paid: {_window(booking)}.",
                "You can enter the access details now; the buyer sees them from the start on.",
            ],
            action=("Open the booking", _path(booking)),
        )


def canceled(booking: Booking, refund: Refund, why: str, note: str) -> None:
    money_line = (
        f"{money(refund.back, refund.currency)} of {money(refund.price, refund.currency)} comes back. {refund.because}"
        if refund.price
        else "Nothing was paid, so nothing is owed."
    )
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-canceled:{booking.pk}",
            subject=f"Canceled: {booking.machine.title}",
            paragraphs=[
                f"{why}: booking {booking.reference} of {booking.machine.title}, {_window(booking)}.",
                *([f"“{note}”"] if note else []),
                money_line,
            ],
            action=("Open the booking", _path(booking)),
        )
    if refund.price:
        provider = booking.machine.provider
        with in_zone_of(provider):
            write_mail(
                user=provider,
                key=f"booking-canceled:{booking.pk}",
                subject=f"Canceled: {booking.machine.name}",
                paragraphs=[f"{why}: {booking.machine.name}, {_window(booking)}. The window is free again."],
                action=("Open the booking", _path(booking)),
            )


def access_needed(booking: Booking) -> None:
    provider = booking.machine.provider
    with in_zone_of(provider):
        write_mail(
            user=provider,
            key=f"access-needed:{booking.pk}",
            subject=f"Let the buyer in: {booking.machine.name}",
            paragraphs=[
                f"The booking of {booking.machine.name} has started: {_window(booking)}.",
                "Make an account with the buyer's keys and enter the access details. A machine that is never handed "
                "over is refunded in full.",
            ],
            action=("Enter access details", f"{_path(booking)}access/"),
        )
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-started:{booking.pk}",
            subject=f"Your time has started: {booking.machine.title}",
            paragraphs=["The provider has been asked to let you in. You get the command as soon as it is there."],
            action=("Open the booking", _path(booking)),
        )


def access_ready(booking: Booking, access: Access) -> None:
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"access-ready:{booking.pk}:{access.ready_at.timestamp():.0f}",
            subject=f"Log in: {booking.machine.title}",
            paragraphs=[
                f"{booking.machine.title} is yours until {when_both(booking.end)}.",
                access.command,
                f"Host key: {access.host_key_fingerprint}",
                *([access.note] if access.note else []),
            ],
            action=("Open the booking", _path(booking)),
        )


def delayed(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-delayed:{booking.pk}",
            subject=f"Delayed: {booking.machine.title}",
            paragraphs=[
                "Your booking should have started. The machine has not been shown to be erased after the booking "
                "before, so it is not handed to anyone yet.",
                "You can wait, or cancel now and get everything back.",
            ],
            action=("Open the booking", _path(booking)),
        )


def wipe_needed(booking: Booking) -> None:
    provider = booking.machine.provider
    with in_zone_of(provider):
        write_mail(
            user=provider,
            key=f"wipe-needed:{booking.pk}",
            subject=f"Erase now: {booking.machine.name}",
            paragraphs=[
                f"The booking {booking.reference} of {booking.machine.name} is over. End the buyer's access, erase their "
                "data and record each step with its evidence.",
                f"The machine stays in quarantine until then; {duration(booking.machine.turnaround)} are set aside for it.",
            ],
            action=("Record the wipe", f"{_path(booking)}wipe/"),
        )
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-ended:{booking.pk}",
            subject=f"Over: {booking.machine.title}",
            paragraphs=["Your time on the machine is over. It is being erased; you get word when that is shown."],
            action=("Open the booking", _path(booking)),
        )


def completed(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        write_mail(
            user=booking.buyer,
            key=f"booking-completed:{booking.pk}",
            subject=f"Erased: {booking.machine.title}",
            paragraphs=[
                "The machine has been erased, step by step, with evidence that you can read on the booking's page."
            ],
            action=("See the record", _path(booking)),
        )


def undelivered(booking: Booking) -> None:
    for user in (booking.buyer, booking.machine.provider):
        with in_zone_of(user):
            write_mail(
                user=user,
                key=f"booking-undelivered:{booking.pk}",
                subject=f"Never handed over: {booking.machine.title}",
                paragraphs=[
                    f"The booking {booking.reference}, {_window(booking)}, is over and the machine was never handed over.",
                    f"{money(booking.price_total, booking.currency)} goes back to the buyer in full.",
                ],
                action=("Open the booking", _path(booking)),
            )
