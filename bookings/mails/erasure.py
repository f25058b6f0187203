"""The end: the machine is erased, and shown to be."""

from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext as _
from django_stubs_ext import StrOrPromise

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
            _("Over: %(machine)s") % {"machine": booking.machine.title},
            _(
                "Your time on the machine is over. Its agent erases it now and signs what it did; you get word when that is shown."
            ),
        )


def wipe_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        time = duration(booking.blocked_until - booking.end)
        tell_about(
            provider,
            booking,
            EventKind.WIPE_WANTED,
            "wipe-needed",
            _("Erase now: %(machine)s") % {"machine": booking.machine.name},
            _(
                "The booking %(booking)s of %(machine)s is over. End the buyer's access, erase their data and "
                "record each step with its evidence."
            )
            % {"booking": booking.reference, "machine": booking.machine.name},
            _("The machine stays in quarantine until then. %(time)s are set aside for it before anyone else may book.")
            % {"time": time},
            button=_("Record the wipe"),
            page="wipe/",
        )
    with written_for(buyer):
        tell_about(
            buyer,
            booking,
            EventKind.ENDED,
            "booking-ended",
            _("Over: %(machine)s") % {"machine": booking.machine.title},
            _("Your time on the machine is over. It is being erased; you get word when that is shown."),
        )


def completed(booking: Booking, certificate: ErasureCertificate | None) -> None:
    """``certificate``: the one issued for it; a wipe that was recorded by hand has none."""
    address = f"{settings.SITE_URL}/erasure/{certificate.pk}/" if certificate else ""
    with written_for(booking.buyer):
        tell_about(
            booking.buyer,
            booking,
            EventKind.ERASED,
            "booking-completed",
            _("Erased: %(machine)s") % {"machine": booking.machine.title},
            _("The machine has been erased, step by step, with evidence that you can read on the booking's page."),
            _(
                "Your certificate of erasure is there too. The machine signed for the erasure and we for having "
                "checked it; anyone can check both: %(address)s"
            )
            % {"address": address}
            if certificate
            else "",
            button=_("See the record"),
        )


def wipe_gave_up(booking: Booking, who: Iterable[User], *, where: str, why: StrOrPromise, occasion: str) -> None:
    """The machine does not get clean by itself. ``where``: the node of a cluster, or nothing. ``occasion``: the try."""
    for user in who:
        with written_for(user):
            which = f"{booking.machine.name}, {where}," if where else booking.machine.name
            tell_about(
                user,
                booking,
                EventKind.WIPE_WANTED,
                "wipe-gave-up",
                _("Not erased: %(machine)s") % {"machine": booking.machine.name},
                _("%(which)s has not been erased after the booking %(booking)s, which ended %(end)s. %(why)s")
                % {"which": which, "booking": booking.reference, "end": when_both(booking.end), "why": why},
                _(
                    "It stays in quarantine and nothing starts on it. See to the cause, then have it try again from the "
                    "booking's page."
                ),
                occasion=occasion,
                tone=Notification.Tone.BAD,
            )
