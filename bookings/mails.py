"""The mails about a booking: one function an event. They go to the outbox, in the event's own transaction."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.urls import reverse

from accounts.models import Notification, User
from accounts.outbox import write_mail, written_for
from accounts.services.notifications import notify
from bookings.equal import equal_machines
from bookings.lost_time import LostTime
from bookings.models import Access, Booking, Charge, ErasureCertificate
from bookings.terms import Ending, Refund, frozen_into
from common.formats import duration, money, when_both
from machines.models import Machine, MaintenanceWindow


def requested(booking: Booking) -> None:
    with written_for(booking.buyer):
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
    with written_for(buyer):
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
    with written_for(provider):
        _tell(
            provider,
            booking,
            "booking-confirmed",
            f"Booked: {booking.machine.name}",
            f"{booking.machine.name} is booked and paid: {_window(booking)}.",
            "Its agent lets the buyer in at the start and erases it at the end. See that the machine is on by then."
            if booking.is_automatic
            else "You can enter the access details now; the buyer sees them from the start on.",
        )


def canceled(booking: Booking, refund: Refund, why: str, note: str) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    back = f"{money(refund.back, refund.currency)} of {money(refund.price, refund.currency)} comes back."
    with written_for(buyer):
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
        with written_for(provider):
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
    with written_for(provider):
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
    with written_for(buyer):
        _tell(
            buyer,
            booking,
            "booking-started",
            f"Your time has started: {booking.machine.title}",
            "The provider has been asked to let you in. You get the command as soon as it is there.",
        )


def access_ready(booking: Booking, access: Access, *, occasion: str = "") -> None:
    """``occasion``: of a correction, what tells it apart from the one before."""
    with written_for(booking.buyer):
        _tell(
            booking.buyer,
            booking,
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
        _tell(
            booking.buyer,
            booking,
            "key-needed",
            f"Add your SSH key: {booking.machine.title}",
            "Your booking has started, and your account has no SSH key: the machine's agent cannot let you in without one.",
            f"Add one at {settings.SITE_URL}{reverse('ssh_key_list')}; you are let in within a minute.",
            "The machine is kept for you until the end. Time that passes without a key is not refunded.",
            tone=Notification.Tone.WARN,
        )


def access_failed(booking: Booking, error: str, *, is_stubborn: bool) -> None:
    """The machine's agent could not let the buyer in. ``is_stubborn``: not the first time, nor the second."""
    event = "access-still-failing" if is_stubborn else "access-failed"
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
        _tell(
            provider,
            booking,
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
        _tell(
            buyer,
            booking,
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
        _tell(
            booking.buyer,
            booking,
            "not-as-booked",
            f"Not as booked: {booking.machine.title}",
            "The machine that is handed over differs from the one that you booked:",
            *[
                f"{found['what']}: {found['before']} was booked, it is {found['after']} now."
                for found in booking.mismatch
            ],
            f"You may leave and get all of {_price(booking)} back, or keep it as it is.",
            button="Decide",
            tone=Notification.Tone.WARN,
        )


def left(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        _tell(
            buyer,
            booking,
            "booking-left",
            f"You left: {booking.machine.title}",
            f"Your booking {booking.reference} ends at {when_both(booking.end)}, because the machine is not as booked.",
            f"{_price(booking)} comes back in full. The machine is erased as after every booking.",
        )
    with written_for(provider):
        _tell(
            provider,
            booking,
            "booking-left",
            f"Left: {booking.machine.name}",
            f"The buyer of {booking.reference} has left {booking.machine.name}, because it is not as it was booked:",
            *[
                f"{found['what']}: {found['before']} was booked, it is {found['after']} now."
                for found in booking.mismatch
            ],
            f"{_price(booking)} goes back to the buyer in full.",
            tone=Notification.Tone.BAD,
        )


def extended(booking: Booking, charge: Charge) -> None:
    """To both: the end has moved. ``charge``: the extension."""
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(buyer):
        _tell(
            buyer,
            booking,
            "booking-extended",
            f"Extended: {booking.machine.title}",
            f"{booking.machine.title} is yours until {when_both(booking.end)}.",
            f"You paid {money(charge.amount, charge.currency)} for it." if charge.amount else "It costs nothing.",
            occasion=f"{charge.pk}",
            tone=Notification.Tone.GOOD,
        )
    with written_for(provider):
        _tell(
            provider,
            booking,
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
        _tell(
            booking.buyer,
            booking,
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
            _tell(
                user,
                booking,
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
        _tell(
            buyer,
            booking,
            "booking-cut",
            f"Ends early: {booking.machine.title}",
            f"{unpaid}, so your booking {booking.reference} ends with the time that is: {when_both(booking.end)}.",
            "Later stages are not charged. The machine is erased at the end, so copy what you need before.",
            f"{money(back, booking.currency)} that you had paid for later time comes back." if back else "",
            tone=Notification.Tone.BAD,
        )
    with written_for(provider):
        _tell(
            provider,
            booking,
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
            _tell(
                user,
                booking,
                "time-lost",
                f"{back} {comes}: {booking.machine.title}",
                f"Of the booking {booking.reference}, {_window(booking)}, {lost.lost} minutes could not be used.",
                f"Handed over {lost.late} minutes late." if lost.late and not lost.is_made_up else "",
                f"Without a heartbeat: {lost.down} minutes, of which {lost.free} are not counted." if lost.down else "",
                f"{back} of {_price(booking)} {comes}. The booking's page shows each gap.",
                tone=Notification.Tone.INFO,
            )


def ended(booking: Booking) -> None:
    """The end of a booking on a machine that erases itself."""
    with written_for(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "booking-ended",
            f"Over: {booking.machine.title}",
            "Your time on the machine is over. Its agent erases it now and signs what it did; you get word when that is shown.",
        )


def delayed(booking: Booking, *, now: datetime) -> None:
    with written_for(booking.buyer):
        _tell(
            booking.buyer,
            booking,
            "booking-delayed",
            f"Delayed: {booking.machine.title}",
            "Your booking should have started. The machine has not been shown to be erased after the booking before, so "
            "it is not handed to anyone yet.",
            "You can wait: the time that you lose is added at the end, or refunded where somebody has booked what follows.",
            "Or cancel now and get everything back.",
            f"Equal machines that are free for as long: {settings.SITE_URL}{equal_machines(booking, now=now)}",
            tone=Notification.Tone.WARN,
        )


def wipe_needed(booking: Booking) -> None:
    buyer, provider = booking.buyer, booking.machine.provider
    with written_for(provider):
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
    with written_for(buyer):
        _tell(
            buyer,
            booking,
            "booking-ended",
            f"Over: {booking.machine.title}",
            "Your time on the machine is over. It is being erased; you get word when that is shown.",
        )


def completed(booking: Booking, certificate: ErasureCertificate | None) -> None:
    """``certificate``: the one issued for it; a wipe that was recorded by hand has none."""
    with written_for(booking.buyer):
        _tell(
            booking.buyer,
            booking,
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
            _tell(
                user,
                booking,
                "wipe-gave-up",
                f"Not erased: {booking.machine.name}",
                f"{booking.machine.name}{f', {where},' if where else ''} has not been erased after the booking "
                f"{booking.reference}, which ended {when_both(booking.end)}. {why}",
                "It stays in quarantine and nothing starts on it. See to the cause, then have it try again from the "
                "booking's page.",
                occasion=occasion,
                tone=Notification.Tone.BAD,
            )


def undelivered(booking: Booking) -> None:
    for user in (booking.buyer, booking.machine.provider):
        with written_for(user):
            _tell(
                user,
                booking,
                "booking-undelivered",
                f"Never handed over: {booking.machine.title}",
                f"The booking {booking.reference}, {_window(booking)}, is over, and the machine was never handed over.",
                f"{_price(booking)} goes back to the buyer in full.",
            )


def maintenance_announced(user: User, window: MaintenanceWindow, machine: Machine, booking: Booking | None) -> None:
    """To the provider, or to whoever has the booking near it."""
    if booking is None:
        told = "Nobody can book it then, and the time does not count as down. Buyers see it in the calendar."
    else:
        told = "Your booking is not touched: nothing of it lies in that time."
    _tell_of_maintenance(
        "announced", "Maintenance", "is closed for announced maintenance", told, user, window, machine, booking
    )


def maintenance_canceled(user: User, window: MaintenanceWindow, machine: Machine, booking: Booking | None) -> None:
    told = "It can be booked then."
    words = "is not closed after all for the maintenance that was announced"
    _tell_of_maintenance("canceled", "No maintenance", words, told, user, window, machine, booking)


def _tell_of_maintenance(
    event: str,
    subject: str,
    words: str,
    told: str,
    user: User,
    window: MaintenanceWindow,
    machine: Machine,
    booking: Booking | None,
) -> None:
    name = machine.name if booking is None else machine.title
    with written_for(user):
        paragraphs = [
            f"{name} {words}: {when_both(window.start)} – {when_both(window.end)} ({window.get_kind_display()}).",
            f"“{window.note}”" if window.note else "",
            "" if booking is None else f"You have booked it: {_window(booking)}.",
            told,
        ]
    write_mail(
        user=user,
        key=f"maintenance-{event}:{window.pk}",
        subject=f"{subject}: {name}",
        paragraphs=[paragraph for paragraph in paragraphs if paragraph],
        action=("See the maintenance", f"/machines/{machine.pk}/maintenance/")
        if booking is None
        else ("Open the booking", f"/bookings/{booking.pk}/"),
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
    tone: str = "",
) -> None:
    """Write one mail about one event.

    Empty paragraphs are left out; ``page`` is where under the booking's page the button leads; ``occasion`` tells
    apart events that may happen more than once. With a ``tone`` the page notifies of it too.
    """
    key = f"{event}:{booking.pk}:{occasion}" if occasion else f"{event}:{booking.pk}"
    said, link = [paragraph for paragraph in paragraphs if paragraph], f"/bookings/{booking.pk}/{page}"
    write_mail(user=user, key=key, subject=subject, paragraphs=said, action=(button, link))
    if tone:
        notify(user=user, key=key, title=subject, text=said[0], link=link, tone=tone)


def _window(booking: Booking) -> str:
    return f"{when_both(booking.start)} – {when_both(booking.end)}"


def _price(booking: Booking) -> str:
    return money(booking.price_total, booking.currency)
