"""What all of these share: one event about one booking for one person."""

from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, Organization, User
from accounts.services.telling import tell
from bookings.models import Booking
from common.formats import money, when_both


def tell_about(
    user: User,
    booking: Booking,
    event: EventKind,
    name: str,
    subject: str,
    *paragraphs: str,
    button: str = "",
    page: str = "",
    occasion: str = "",
    tone: str = Notification.Tone.INFO,
) -> None:
    """Tell of one event.

    ``name`` makes its key, with ``occasion`` where it may happen more than once; ``page`` is where under the booking's
    page the button leads. Empty paragraphs are left out.
    """
    tell(
        user=user,
        event=event,
        key=f"{name}:{booking.pk}:{occasion}" if occasion else f"{name}:{booking.pk}",
        subject=subject,
        paragraphs=paragraphs,
        action=(button or _("Open the booking"), f"/bookings/{booking.pk}/{page}"),
        tone=tone,
        organization=_organization(user, booking),
        about=about(booking),
    )


def about(booking: Booking) -> dict[str, str]:
    """Which booking it is, for programs that read webhooks."""
    return {
        "booking": str(booking.pk),
        "reference": booking.reference,
        "machine": str(booking.machine_id),
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
    }


def _organization(user: User, booking: Booking) -> Organization | None:
    """Whose webhooks hear of it: of what the buyer is told theirs, of what the provider is told the machine's."""
    if user.pk == booking.buyer_id:
        return booking.organization
    return booking.machine.organization if user.pk == booking.machine.provider_id else None


def either(user: User, booking: Booking, to_buyer: EventKind, to_provider: EventKind) -> EventKind:
    """What the same event is called for the one and for the other."""
    return to_buyer if user.pk == booking.buyer_id else to_provider


def window(booking: Booking) -> str:
    return f"{when_both(booking.start)} – {when_both(booking.end)}"


def price(booking: Booking) -> str:
    return money(booking.price_total, booking.currency)


def of_it_before(amount: Decimal, currency: str) -> str:
    """A sentence to follow one that ends with what was paid; empty where nothing has gone back before."""
    return _("%(amount)s of it went back before.") % {"amount": money(amount, currency)} if amount else ""


def everything_back(booking: Booking) -> str:
    """Where nothing of the price is kept: a part may have gone back before."""
    if booking.lost_amount == booking.price_total:
        return _("%(price)s goes back to the buyer in full.") % {"price": price(booking)}
    if not booking.lost_amount:
        return _("Nothing of the price is left to go back: all of it went back before.")
    back = money(booking.lost_amount, booking.currency)
    return _("%(amount)s goes back to the buyer: all that had not gone back before.") % {"amount": back}
