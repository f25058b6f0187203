"""The mails about a booking: one function an event. They go to the outbox, in the event's own transaction."""

from accounts.models import User
from accounts.outbox import in_zone_of, write_mail
from bookings.models import Access, Booking
from bookings.terms import Refund, frozen_into
from common.formats import duration, money, when_both


def requested(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "booking-requested",
            f"Held for you: {booking.machine.title}",
            f"{booking.machine.title} is held for you: {_window(booking)}.",
            f"Pay {_price(booking)} by {when_both(booking.hold_expires_at)}, or the window is given back.",
            button="Pay now",
            page="pay/",
        )


def confirmed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with in_zone_of(buyer):
        _tell(
            buyer,
            booking,
            "booking-confirmed",
            f"Confirmed: {booking.machine.title}",
            f"Your booking {booking.reference} of {booking.machine.title} is paid and confirmed: {_window(booking)}.",
            f"You paid {_price(booking)}. Nothing is charged for time outside the booking.",
            f"If your plans change: {frozen_into(booking).sentence}",
            ""
            if buyer.ssh_keys.exists()
            else "Add your SSH public key to your account before the start: without one nobody can let you in.",
        )
    with in_zone_of(provider):
        _tell(
            provider,
            booking,
            "booking-confirmed",
            f"Booked: {booking.machine.name}",
            f"{booking.machine.name} is booked and paid: {_window(booking)}.",
            "You can enter the access details now; the buyer sees them from the start on.",
        )


def canceled(booking: Booking, refund: Refund, why: str, note: str) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    back = f"{money(refund.back, refund.currency)} of {money(refund.price, refund.currency)} comes back."
    with in_zone_of(buyer):
        _tell(
            buyer,
            booking,
            "booking-canceled",
            f"Canceled: {booking.machine.title}",
            f"{why}: booking {booking.reference} of {booking.machine.title}, {_window(booking)}.",
            f"“{note}”" if note else "",
            f"{back} {refund.because}" if refund.price else "Nothing was paid, so nothing is owed.",
        )
    is_coming = booking.canceled_at is None or booking.end > booking.canceled_at
    free = " The window is free again." if is_coming else ""
    if refund.price:
        with in_zone_of(provider):
            _tell(
                provider,
                booking,
                "booking-canceled",
                f"Canceled: {booking.machine.name}",
                f"{why}: {booking.machine.name}, {_window(booking)}.{free}",
                f"“{note}”" if note else "",
            )


def access_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with in_zone_of(provider):
        _tell(
            provider,
            booking,
            "access-needed",
            f"Let the buyer in: {booking.machine.name}",
            f"The booking of {booking.machine.name} has started: {_window(booking)}.",
            "Make an account with the buyer's keys and enter the access details. A machine that is never handed over is "
            "refunded in full.",
            button="Enter access details",
            page="access/",
        )
    with in_zone_of(buyer):
        _tell(
            buyer,
            booking,
            "booking-started",
            f"Your time has started: {booking.machine.title}",
            "The provider has been asked to let you in. You get the command as soon as it is there.",
        )


def access_ready(booking: Booking, access: Access) -> None:
    with in_zone_of(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "access-ready",
            f"Log in: {booking.machine.title}",
            f"{booking.machine.title} is yours until {when_both(booking.end)}.",
            access.command,
            f"Host key: {access.host_key_fingerprint}",
            access.note,
            occasion=f"{access.ready_at.timestamp():.0f}",
        )


def delayed(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "booking-delayed",
            f"Delayed: {booking.machine.title}",
            "Your booking should have started. The machine has not been shown to be erased after the booking before, so "
            "it is not handed to anyone yet.",
            "You can wait, or cancel now and get everything back.",
        )


def wipe_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with in_zone_of(provider):
        _tell(
            provider,
            booking,
            "wipe-needed",
            f"Erase now: {booking.machine.name}",
            f"The booking {booking.reference} of {booking.machine.name} is over. End the buyer's access, erase their data "
            "and record each step with its evidence.",
            "The machine stays in quarantine until then. "
            f"{duration(booking.blocked_until - booking.end)} are set aside for it before anyone else may book.",
            button="Record the wipe",
            page="wipe/",
        )
    with in_zone_of(buyer):
        _tell(
            buyer,
            booking,
            "booking-ended",
            f"Over: {booking.machine.title}",
            "Your time on the machine is over. It is being erased; you get word when that is shown.",
        )


def completed(booking: Booking) -> None:
    with in_zone_of(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "booking-completed",
            f"Erased: {booking.machine.title}",
            "The machine has been erased, step by step, with evidence that you can read on the booking's page.",
            button="See the record",
        )


def undelivered(booking: Booking) -> None:
    for user in (booking.buyer, booking.machine.provider):
        with in_zone_of(user):
            _tell(
                user,
                booking,
                "booking-undelivered",
                f"Never handed over: {booking.machine.title}",
                f"The booking {booking.reference}, {_window(booking)}, is over, and the machine was never handed over.",
                f"{_price(booking)} goes back to the buyer in full.",
            )


def _tell(
    user: User,
    booking: Booking,
    event: str,
    subject: str,
    *paragraphs: str,
    button: str = "Open the booking",
    page: str = "",
    occasion: str = "",
) -> None:
    """Write one mail about one event.

    Empty paragraphs are left out; ``page`` is where under the booking's page the button leads; ``occasion`` tells
    apart events that may happen more than once.
    """
    write_mail(
        user=user,
        key=f"{event}:{booking.pk}:{occasion}" if occasion else f"{event}:{booking.pk}",
        subject=subject,
        paragraphs=[paragraph for paragraph in paragraphs if paragraph],
        action=(button, f"/bookings/{booking.pk}/{page}"),
    )


def _window(booking: Booking) -> str:
    return f"{when_both(booking.start)} – {when_both(booking.end)}"


def _price(booking: Booking) -> str:
    return money(booking.price_total, booking.currency)
