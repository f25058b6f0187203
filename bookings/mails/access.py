"""Getting in: what the provider has to do, and what keeps the buyer out."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from accounts.event_kinds import EventKind
from accounts.models import Notification
from accounts.outbox import written_for
from bookings.equal import equal_machines
from bookings.mails.writing import price, tell_about, window
from bookings.models import Access, Booking
from common.formats import when_both


def access_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.ACCESS_WANTED,
            "access-needed",
            f"Let the buyer in: {booking.machine.name}",
            f"The booking of {booking.machine.name} has started: {window(booking)}.",
            "Make an account with the buyer's keys and enter the access details. A machine that is never handed over is "
            "refunded in full.",
            button="Enter access details",
            page="access/",
        )
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.STARTED,
            "booking-started",
            f"Your time has started: {booking.machine.title}",
            "The provider has been asked to let you in. You get the command as soon as it is there.",
        )


def access_ready(booking: Booking, access: Access, *, occasion: str = "") -> None:
    """``occasion``: of a correction, what tells it apart from the one before."""
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "access-ready",
            f"Log in: {booking.machine.title}",
            f"{booking.machine.title} is yours until {when_both(booking.end)}.",
            access.command,
            f"Host key: {access.host_key_fingerprint}",
            *[
                f"{node['node']}: {node['command']} (host key {node['host_key_fingerprint']})"
                for node in access.further
            ],
            access.note,
            occasion=occasion or f"{access.ready_at.timestamp():.0f}",
            tone=Notification.Tone.GOOD,
        )


def key_needed(booking: Booking) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "key-needed",
            f"Add your SSH key: {booking.machine.title}",
            "Your booking has started, and no SSH key is to be let in: the machine's agent cannot let you in without one.",
            f"Add one at {settings.SITE_URL}{reverse('booking_keys', args=[booking.pk])}; you are let in within a minute.",
            "The machine is kept for you until the end. Time that passes without a key is not refunded.",
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
            f"Other SSH keys: {booking.machine.name}",
            f"For the booking {booking.reference} of {booking.machine.name} other SSH keys are to be let in from now on.",
            "They stand on the page of the booking. Put them into the account's authorized_keys, and take out all others.",
            occasion=occasion,
        )


def access_failed(booking: Booking, error: str, *, is_stubborn: bool) -> None:
    """The machine's agent could not let the buyer in. ``is_stubborn``: not the first time, nor the second."""
    event = "access-still-failing" if is_stubborn else "access-failed"
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.ACCESS_WANTED,
            event,
            f"The buyer cannot get in: {booking.machine.name}",
            f"The agent of {booking.machine.name} could not let the buyer of {booking.reference} in: {error or 'it does not say why'}",
            "It has been tried several times and goes on being tried until the booking ends. Somebody has to see to the "
            "machine."
            if is_stubborn
            else "It is tried again by itself, after pauses that grow. Have a look at the machine.",
            "A machine that is never handed over is refunded in full.",
            tone=Notification.Tone.BAD,
        )
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.ACCESS,
            event,
            f"Not let in yet: {booking.machine.title}",
            f"The machine could not let you in: {error or 'it does not say why'}",
            "It goes on trying until your booking ends, and its provider has been told again. If you are never let in, "
            "everything comes back."
            if is_stubborn
            else "It tries again by itself, and its provider has been told. Time that you lose is added or refunded.",
            tone=Notification.Tone.WARN,
        )


def mismatch(booking: Booking) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "not-as-booked",
            f"Not as booked: {booking.machine.title}",
            "The machine that is handed over differs from the one that you booked:",
            *[
                f"{found['what']}: {found['before']} was booked, it is {found['after']} now."
                for found in booking.mismatch
            ],
            f"You may leave and get all of {price(booking)} back, or keep it as it is.",
            button="Decide",
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
            f"You left: {booking.machine.title}",
            f"Your booking {booking.reference} ends at {when_both(booking.end)}, because the machine is not as booked.",
            f"{price(booking)} comes back in full. The machine is erased as after every booking.",
        )
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.BOOKING_CANCELED,
            "booking-left",
            f"Left: {booking.machine.name}",
            f"The buyer of {booking.reference} has left {booking.machine.name}, because it is not as it was booked:",
            *[
                f"{found['what']}: {found['before']} was booked, it is {found['after']} now."
                for found in booking.mismatch
            ],
            f"{price(booking)} goes back to the buyer in full.",
            tone=Notification.Tone.BAD,
        )


def delayed(booking: Booking, *, now: datetime) -> None:
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ACCESS,
            "booking-delayed",
            f"Delayed: {booking.machine.title}",
            "Your booking should have started. The machine has not been shown to be erased after the booking before, so "
            "it is not handed to anyone yet.",
            "You can wait: the time that you lose is added at the end, or refunded where somebody has booked what follows.",
            "Or cancel now and get everything back.",
            f"Equal machines that are free for as long: {settings.SITE_URL}{equal_machines(booking, now=now)}",
            tone=Notification.Tone.WARN,
        )
