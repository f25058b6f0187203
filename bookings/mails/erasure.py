"""The end: the machine is erased, and shown to be."""

from collections.abc import Iterable

from django.conf import settings

from accounts.event_kinds import EventKind
from accounts.models import Notification, User
from accounts.outbox import written_for
from bookings.mails.writing import tell_about
from bookings.models import Booking, ErasureCertificate
from common.formats import duration, when_both


def ended(booking: Booking) -> None:
    """The end of a booking on a machine that erases itself."""
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ENDED,
            "booking-ended",
            f"Over: {booking.machine.title}",
            "Your time on the machine is over. Its agent erases it now and signs what it did; you get word when that is shown.",
        )


def wipe_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        tell_about(
            provider,
            booking,
            EventKind.WIPE_WANTED,
            "wipe-needed",
            f"Erase now: {booking.machine.name}",
            f"The booking {booking.reference} of {booking.machine.name} is over. End the buyer's access, erase their data "
            "and record each step with its evidence.",
            "The machine stays in quarantine until then. "
            f"{duration(booking.blocked_until - booking.end)} are set aside for it before anyone else may book.",
            button="Record the wipe",
            page="wipe/",
        )
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.ENDED,
            "booking-ended",
            f"Over: {booking.machine.title}",
            "Your time on the machine is over. It is being erased; you get word when that is shown.",
        )


def completed(booking: Booking, certificate: ErasureCertificate | None) -> None:
    """``certificate``: the one issued for it; a wipe that was recorded by hand has none."""
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ERASED,
            "booking-completed",
            f"Erased: {booking.machine.title}",
            "The machine has been erased, step by step, with evidence that you can read on the booking's page.",
            "Your certificate of erasure is there too. The machine signed for the erasure and we for having checked it; "
            f"anyone can check both: {settings.SITE_URL}/erasure/{certificate.pk}/"
            if certificate
            else "",
            button="See the record",
        )


def wipe_gave_up(booking: Booking, who: Iterable[User], *, where: str, why: str, occasion: str) -> None:
    """The machine does not get clean by itself. ``where``: the node of a cluster, or nothing. ``occasion``: the try."""
    for user in who:
        with written_for(user):
            tell_about(
                user,
                booking,
                EventKind.WIPE_WANTED,
                "wipe-gave-up",
                f"Not erased: {booking.machine.name}",
                f"{booking.machine.name}{f', {where},' if where else ''} has not been erased after the booking "
                f"{booking.reference}, which ended {when_both(booking.end)}. {why}",
                "It stays in quarantine and nothing starts on it. See to the cause, then have it try again from the "
                "booking's page.",
                occasion=occasion,
                tone=Notification.Tone.BAD,
            )
