"""Bookings and maintenance as calendars (RFC 5545): a buyer's, a provider's, an organization's.

Times are UTC. An event keeps its UID for good; what happens to it raises its SEQUENCE, and one that is canceled stays in
the calendar as such, so that programs that have it take it out. The same rows make the same bytes: that is the ETag.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Max, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from accounts.models import Organization, User
from bookings.models import Booking, BookingQuerySet
from machines.models import MaintenanceWindow

#: How long what is over stays in a feed.
PAST = timedelta(days=90)
#: The most events of a feed, the last ones first.
MOST = 1000
REFRESH = timedelta(hours=1)
CONFIRMED, TENTATIVE, CANCELLED = "CONFIRMED", "TENTATIVE", "CANCELLED"


def feed_of_buyer(user: User, *, now: datetime) -> bytes:
    """What a person has booked."""
    found = _lately(Booking.objects.of_buyer(user), now=now)
    return _calendar(_("My bookings"), [_booked(booking, booking.machine.title) for booking in found])


def feed_of_provider(user: User, *, now: datetime) -> bytes:
    """What is booked of a person's machines, and their maintenance. Of a buyer it says the public name alone."""
    found = _lately(Booking.objects.of_provider(user).filter(paid_at__isnull=False), now=now)
    events = [_booked(booking, f"{booking.machine.name}: {booking.buyer.public_name}") for booking in found]
    windows = MaintenanceWindow.objects.filter(machine__provider=user, end__gt=now - PAST).select_related("machine")
    events += [_closed(window) for window in windows.order_by("-start", "pk")[:MOST]]
    return _calendar(_("My machines"), events)


def feed_of_organization(organization: Organization, *, only: User | None, now: datetime) -> bytes:
    """What is booked for an organization; ``only`` by this member, where their role shows them no others."""
    bookings = Booking.objects.filter(organization=organization)
    found = _lately(bookings.of_buyer(only) if only else bookings, now=now)
    events = [
        _booked(booking, f"{booking.machine.title}: {booking.buyer.known_as}", _project(booking)) for booking in found
    ]
    return _calendar(organization.name, events)


def _lately(bookings: BookingQuerySet, *, now: datetime) -> QuerySet[Booking]:
    """Those that go on, come, or have not been over for long, with how often and when last something happened to each."""
    return (
        bookings.filter(end__gt=now - PAST)
        .select_related("machine__gpu", "machine__provider", "buyer", "project")
        .annotate(happened=Count("events"), last_at=Max("events__at"))
        .order_by("-start", "pk")[:MOST]
    )


def _project(booking: Booking) -> str:
    return _("Project: %(project)s") % {"project": booking.project.name} if booking.project else ""


def _booked(booking: Booking, summary: str, *more: str) -> Event:
    state = TENTATIVE if booking.is_hold else CANCELLED if booking.is_canceled else CONFIRMED
    return _event(
        uid=f"booking-{booking.pk}",
        summary=summary,
        start=booking.start,
        end=booking.end,
        status=state,
        description=[_("Booking %(reference)s") % {"reference": booking.reference}, *more],
        path=reverse("booking_detail", args=[booking.pk]),
        sequence=booking.happened,  # type: ignore[attr-defined]
        changed_at=booking.last_at or booking.created_at,  # type: ignore[attr-defined]
    )


def _closed(window: MaintenanceWindow) -> Event:
    name = {"machine": window.machine.name, "kind": window.get_kind_display()}
    return _event(
        uid=f"maintenance-{window.pk}",
        summary=_("Maintenance of %(machine)s: %(kind)s") % name,
        start=window.start,
        end=window.end,
        status=CANCELLED if window.canceled_at else CONFIRMED,
        description=[window.note],
        path=reverse("machine_maintenance", args=[window.machine_id]),
        sequence=1 if window.canceled_at else 0,
        changed_at=window.canceled_at or window.announced_at,
    )


def _event(
    *,
    uid: str,
    summary: str,
    start: datetime,
    end: datetime,
    status: str,
    description: Iterable[str],
    path: str,
    sequence: int,
    changed_at: datetime,
) -> Event:
    event = Event()
    event.add("uid", f"{uid}@{urlsplit(settings.SITE_URL).hostname}")
    event.add("summary", _printable(summary))
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("status", status)
    event.add("sequence", sequence)
    # To the second; also DTSTAMP, which without a METHOD says when the event was last revised.
    event.add("dtstamp", changed_at.replace(microsecond=0))
    event.add("last-modified", changed_at.replace(microsecond=0))
    event.add("url", settings.SITE_URL + path)
    if text := "\n".join(filter(None, map(_printable, description))):
        event.add("description", text)
    return event


def _calendar(name: str, events: Iterable[Event]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", f"-//{settings.SITE_NAME}//Bookings//EN")
    calendar.add("version", "2.0")
    for key in ("name", "x-wr-calname"):
        calendar.add(key, _printable(f"{settings.SITE_NAME}: {name}"))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for event in events:
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _printable(text: str) -> str:
    """Without the characters that no text of a calendar may have. Line breaks stay: they are escaped."""
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)
