"""What ``perf/run.py`` measures on: the demonstration's machines, bookings on nearly all of them, signed-in buyers."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.utils.crypto import get_random_string

from accounts.models import Role, User
from bookings import terms
from bookings.lifecycle import BookingStatus
from bookings.models import Booking
from common.ids import uuid7
from machines import pricing
from machines.models import Benchmark, Listing, Machine
from marketplace.demo import load

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
LENGTHS = [2, 4, 8, 12, 24, 24, 36, 48, 72, 120, 168]
PAUSES = [0, 3, 9, 24, 48, 120, 168]
PAGES = 40


def seed(*, listings: int, buyers: int, now: datetime) -> dict[str, Any]:
    """Fill an empty database. Returns what the clients need: addresses, cookies, the machine to race for."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    load.load_static(now=now)
    _copy_until(listings)
    people = User.objects.bulk_create(
        User(email=f"measured-{number}@buyers.example", name=f"Buyer {number}", roles=[Role.BUYER], password="!")
        for number in range(buyers)
    )
    arena, *rest = Listing.objects.active().select_related("machine").order_by("pk")
    _open_wide(arena)
    bookings = [booking for listing in rest for booking in _chain(listing, people, hour=hour, now=now)]
    Booking.objects.bulk_create(bookings, batch_size=1000)
    own = rest[:buyers]
    _open_wide(*own)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # what autovacuum would do by itself in a minute
    return {
        "listings": Listing.objects.count(),
        "active": len(rest) + 1,
        "bookings": len(bookings),
        "arena": str(arena.pk),
        "first_window": (hour + 2 * DAY).isoformat(),
        "own": [str(listing.pk) for listing in own],
        "free_from": (max(booking.blocked_until for booking in bookings) + DAY).isoformat(),
        "pages": [str(listing.pk) for listing in random.Random("pages").sample(rest, min(PAGES, len(rest)))],
        "buyers": [{"cookie": cookie_of(person), "booking": _next_booking(person, bookings, now)} for person in people],
    }


def _open_wide(*listings: Listing) -> None:
    """For any window of the next year."""
    ids = [listing.pk for listing in listings]
    Listing.objects.filter(pk__in=ids).update(min_hours=1, max_hours=24 * 28, max_ahead_days=365)


def _copy_until(wanted: int) -> None:
    """Further machines like those of the demonstration, each with its listing and its verified benchmark."""
    patterns = list(Listing.objects.active().select_related("machine__verified_benchmark").order_by("pk"))
    machines, runs, listings = [], [], []
    for number in range(wanted - Listing.objects.count()):
        listing = patterns[number % len(patterns)]
        machine = _copy(listing.machine, name=f"{listing.machine.name}-{number}", verified_benchmark_id=None)
        machines.append(machine)
        runs.append(_copy(listing.machine.verified_benchmark, machine_id=machine.pk))
        listings.append(_copy(listing, machine_id=machine.pk))
    Machine.objects.bulk_create(machines)
    Benchmark.objects.bulk_create(runs)
    for machine, run in zip(machines, runs, strict=True):
        machine.verified_benchmark = run
    Machine.objects.bulk_update(machines, ["verified_benchmark"], batch_size=500)
    Listing.objects.bulk_create(listings)


def _copy(row: Any, **changes: Any) -> Any:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    kind: type[Model] = type(row)
    return kind(**{**values, "id": uuid7(), **changes})


def _chain(listing: Listing, people: Sequence[User], *, hour: datetime, now: datetime) -> list[Booking]:
    """Paid bookings of one machine, one after the other, from a month ago until a month ahead."""
    draw = random.Random(f"chain {listing.machine.name}")
    chain = []
    start = hour - draw.randint(20 * 24, 32 * 24) * HOUR
    while start < hour + 30 * DAY:
        end = start + max(listing.min_hours, min(draw.choice(LENGTHS), listing.max_hours)) * HOUR
        chain.append(_booking(listing, draw.choice(people), start, end, now=now))
        start = end + listing.machine.turnaround + draw.choice(PAUSES) * HOUR
    return chain


def _booking(listing: Listing, buyer: User, start: datetime, end: datetime, *, now: datetime) -> Booking:
    quote = pricing.quote(listing.rates, start, end)
    asked = start - DAY
    state: dict[str, Any] = {"status": BookingStatus.PENDING}
    if end <= now:
        state = {"status": BookingStatus.COMPLETED, "started_at": start, "completed_at": end}
        state |= {"wipe_opened_at": end, "wiped_at": end + listing.machine.turnaround / 2}
    elif start <= now:
        state = {"status": BookingStatus.ACTIVE, "started_at": start}
    return Booking(
        listing=listing,
        machine=listing.machine,
        buyer=buyer,
        start=start,
        end=end,
        blocked_until=end + listing.machine.turnaround,
        created_at=asked,
        paid_at=asked,
        hold_expires_at=asked,
        cancellation_terms=listing.cancellation_terms,
        refund_steps=terms.current(listing.cancellation_terms).frozen(),
        currency=quote.currency,
        price_total=quote.total,
        quote_lines=[
            {"unit": line.unit, "quantity": line.quantity, "rate": str(line.rate), "amount": str(line.amount)}
            for line in quote.lines
        ],
        **state,
    )


def _next_booking(person: User, bookings: Sequence[Booking], now: datetime) -> str:
    return str(next(booking.pk for booking in bookings if booking.buyer_id == person.pk and booking.start > now))


def cookie_of(person: User) -> str:
    """The cookies of this person, signed in, with the token that lets forms in."""
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    return f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={get_random_string(32)}"
