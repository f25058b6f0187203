"""Announced maintenance: when it may be, what it keeps out and what keeps it out, who is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlencode

import pytest
from django.db import IntegrityError, connection, transaction
from django.http import QueryDict

from accounts.models import Notification, OutgoingMail
from bookings.availability import blocks_of, free_windows
from bookings.errors import BookingError, NotYours, WindowTaken
from bookings.models import Booking
from bookings.search import rows, search
from bookings.services import request
from bookings.services.maintenance import announce, cancel_maintenance
from bookings.services.request import request_booking
from common.formats import when
from common.ids import uuid7
from machines.models import Machine, MaintenanceWindow
from tests.people import DAY, HOUR, make_hold, make_machine, make_paid, minute
from tests.racing import at_once

MINUTE = timedelta(minutes=1)
TURNAROUND = timedelta(minutes=30)

pytestmark = pytest.mark.django_db


def closed(machine: Machine, start: datetime, hours: float = 4, *, now: datetime, **fields: str) -> MaintenanceWindow:
    values = {"kind": "power", "note": "", **fields}
    return announce(
        machine=machine, by=machine.provider, start=minute(start), end=minute(start) + hours * HOUR, now=now, **values
    )


@pytest.fixture
def upkeep(listing, now) -> MaintenanceWindow:
    """Four hours, ten days from now."""
    return closed(listing.machine, now + 10 * DAY, now=now)


# When it may be ---------------------------------------------------------------------------------------------


def test_it_is_announced_a_week_ahead(machine, now):
    with pytest.raises(BookingError, match="at least 7 days ahead") as caught:
        closed(machine, now + 7 * DAY - MINUTE, now=now)
    assert caught.value.field == "start"
    window = closed(machine, now + 7 * DAY + MINUTE, now=now, kind="gpu", note=" A new fan. ")
    assert (window.kind, window.note, window.announced_at, window.announced_by) == (
        "gpu", "A new fan.", now, machine.provider,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("start", "hours", "words", "field"),
    [
        (366 * DAY, 4, "a year ahead at most", "start"),
        (10 * DAY, 7 * 24 + 1, "7 days at most", "end"),
        (10 * DAY, 0, "must be after", "end"),
        (10 * DAY, -1, "must be after", "end"),
    ],
)
def test_it_is_neither_too_far_nor_too_long(machine, now, start, hours, words, field):
    with pytest.raises(BookingError, match=words) as caught:
        closed(machine, now + start, hours, now=now)
    assert caught.value.field == field


def test_it_starts_on_a_whole_minute(machine, now):
    start = minute(now) + 10 * DAY + timedelta(seconds=1)
    with pytest.raises(BookingError, match="whole minute"):
        announce(machine=machine, by=machine.provider, kind="power", start=start, end=start + HOUR, now=now)


def test_only_the_provider_announces_and_takes_back(upkeep, machine, buyer, now):
    with pytest.raises(NotYours):
        announce(machine=machine, by=buyer, kind="power", start=upkeep.end, end=upkeep.end + HOUR, now=now)
    with pytest.raises(NotYours):
        cancel_maintenance(window_id=upkeep.pk, by=buyer, now=now)


# What keeps it out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_hold, make_paid])
def test_it_cannot_meet_a_booking_nor_the_time_to_erase_after_it(listing, buyer, now, make):
    booking = make(listing, buyer, start=now + 10 * DAY, asked=now)
    for start in (booking.start - 3 * HOUR, booking.start, booking.blocked_until - MINUTE):
        with pytest.raises(BookingError, match=r"Booked: .*time to erase it included"):
            closed(listing.machine, start, now=now)
    closed(listing.machine, booking.blocked_until, now=now)
    closed(listing.machine, booking.start - 4 * HOUR, now=now)
    assert MaintenanceWindow.objects.count() == 2


def test_it_cannot_meet_other_maintenance(upkeep, now):
    with pytest.raises(BookingError, match="Announced already: "):
        closed(upkeep.machine, upkeep.end - MINUTE, now=now)
    closed(upkeep.machine, upkeep.end, now=now)


def test_a_booking_that_was_canceled_is_not_in_its_way(listing, buyer, now):
    booking = make_hold(listing, buyer, start=now + 10 * DAY, asked=now)
    Booking.objects.filter(pk=booking.pk).update(status="canceled", canceled_at=now)
    assert closed(listing.machine, booking.start, now=now)


# What it keeps out ------------------------------------------------------------------------------------------


def test_it_is_refused_like_any_taken_time_with_the_next_free_window(listing, buyer, upkeep, now):
    start = upkeep.start - HOUR
    with pytest.raises(WindowTaken) as caught:
        request_booking(listing=listing, buyer=buyer, start=start, end=start + 2 * HOUR, now=now)
    error = caught.value
    assert error.taken == error.upkeep == [(upkeep.start, upkeep.end)]
    assert error.message == (
        f"Closed for announced maintenance: {when(upkeep.start)} to {when(upkeep.end)}. "
        f"It is free from {when(upkeep.end)}."
    )
    for first, last in error.free:
        request_booking(listing=listing, buyer=buyer, start=first, end=last, now=now)
        Booking.objects.update(status="canceled", canceled_at=now)


def test_a_window_may_end_one_turnaround_before_it_and_begin_when_it_ends(listing, buyer, upkeep, now):
    with pytest.raises(WindowTaken):
        make_hold(listing, buyer, start=upkeep.start - 4 * HOUR, asked=now)
    make_hold(listing, buyer, start=upkeep.start - 4 * HOUR - TURNAROUND, asked=now)
    make_hold(listing, buyer, start=upkeep.end, asked=now)


def test_both_are_said_where_both_are_in_the_way(listing, buyer, other_buyer, upkeep, now):
    booking = make_paid(listing, other_buyer, start=upkeep.end, asked=now)
    refusal = request.clashes(listing, upkeep.start, upkeep.end + HOUR, buyer=buyer, now=now)
    assert refusal.taken == [(upkeep.start, upkeep.end), (booking.start, booking.blocked_until)]
    assert refusal.message.startswith(f"Taken by someone else: {when(booking.start)} to ")
    assert f"Closed for announced maintenance: {when(upkeep.start)} to {when(upkeep.end)}." in refusal.message


def test_free_windows_leave_it_out(machine, upkeep, now):
    windows = free_windows(
        machine.pk, length=2 * DAY, turnaround=TURNAROUND, after=upkeep.start - DAY, until=upkeep.end + 3 * DAY
    )
    assert windows == [(upkeep.end, upkeep.end + 2 * DAY)]


def test_the_calendar_has_it_as_a_kind_of_its_own(machine, upkeep, now):
    taken = blocks_of([machine.pk], now, now + 28 * DAY, now=now)[machine.pk]
    assert [(block.start, block.end, block.kind) for block in taken] == [(upkeep.start, upkeep.end, "upkeep")]
    cancel_maintenance(window_id=upkeep.pk, by=machine.provider, now=now)
    assert blocks_of([machine.pk], now, now + 28 * DAY, now=now)[machine.pk] == []


def test_a_search_for_its_time_does_not_find_the_machine(listing, upkeep, now):
    def found(start: datetime, end: datetime) -> bool:
        asked = {"start": start.isoformat(), "end": end.isoformat()}
        return search(QueryDict(urlencode(asked)), now=now).listings.exists()

    assert not found(upkeep.start + HOUR, upkeep.start + 2 * HOUR)
    assert not found(upkeep.start - 2 * HOUR, upkeep.start - TURNAROUND + MINUTE)
    assert found(upkeep.start - 2 * HOUR, upkeep.start - TURNAROUND)
    assert found(upkeep.end, upkeep.end + 2 * HOUR)


def test_a_flexible_search_finds_the_gap_after_it(listing, upkeep, buyer, now):
    """Taken until the maintenance begins, so the only gap is the one where that ends."""
    start = minute(now) + MINUTE
    Booking.objects.filter(pk=make_hold(listing, buyer, start=start, hours=24, asked=now).pk).update(
        end=upkeep.start - TURNAROUND, blocked_until=upkeep.start
    )
    result = search(QueryDict("days=1&within=12"), now=now)
    (row,) = rows(result, result.listings.with_machine(), (now, now + 14 * DAY))
    assert (row.start, row.end) == (upkeep.end, upkeep.end + DAY)
    assert not search(QueryDict("days=1&within=10.5"), now=now).listings.exists()


# Who is told ------------------------------------------------------------------------------------------------


def test_the_provider_and_whoever_is_booked_near_it_are_told(listing, buyer, other_buyer, member, now):
    start = minute(now) + 10 * DAY
    near = make_paid(listing, buyer, start=start + 12 * HOUR, asked=now)
    make_paid(listing, buyer, start=start + 20 * HOUR, hours=2, asked=now)
    make_paid(listing, other_buyer, start=start - 3 * DAY, asked=now)
    make_hold(listing, member, start=start + 4 * HOUR, asked=now)
    OutgoingMail.objects.all().delete()

    upkeep = closed(listing.machine, start, now=now, note="The transformer.")
    told = {mail.user: mail for mail in OutgoingMail.objects.select_related("user")}
    assert set(told) == {buyer, member, listing.machine.provider}
    assert told[buyer].subject == "Maintenance: 8 × H100 SXM"
    assert "The transformer." in told[buyer].text
    assert f"/bookings/{near.pk}/" in told[buyer].text
    assert f"/machines/{listing.machine_id}/maintenance/" in told[listing.machine.provider].text
    assert set(Notification.objects.values_list("user", flat=True)) == {user.pk for user in told}

    cancel_maintenance(window_id=upkeep.pk, by=listing.machine.provider, now=now)
    subjects = OutgoingMail.objects.filter(key__startswith="maintenance-canceled").values_list("user", "subject")
    assert dict(subjects) == {
        buyer.pk: "No maintenance: 8 × H100 SXM",
        member.pk: "No maintenance: 8 × H100 SXM",
        listing.machine.provider.pk: "No maintenance: gpu-1",
    }


# Taking it back ---------------------------------------------------------------------------------------------


def test_taking_it_back_twice_is_quiet(upkeep, provider, listing, buyer, now):
    for at in (now, now + HOUR):
        assert cancel_maintenance(window_id=upkeep.pk, by=provider, now=at).canceled_at == now
    make_hold(listing, buyer, start=upkeep.start, asked=now)


def test_what_has_begun_ends_now(upkeep, provider):
    ended = cancel_maintenance(window_id=upkeep.pk, by=provider, now=upkeep.start + HOUR - timedelta(seconds=10))
    assert (ended.canceled_at, ended.end) == (None, upkeep.start + HOUR)
    with pytest.raises(BookingError, match="is over"):
        cancel_maintenance(window_id=upkeep.pk, by=provider, now=ended.end)


# The pages --------------------------------------------------------------------------------------------------


def test_a_provider_announces_and_takes_back_on_the_page(client, machine, now):
    client.force_login(machine.provider)
    url = f"/machines/{machine.pk}/maintenance/"
    start = (now + 10 * DAY).replace(hour=12, minute=0, second=0)
    form = {
        "tz": "UTC",
        "kind": "disk",
        "start": f"{start:%Y-%m-%dT%H:%M}",
        "end": f"{start + 2 * HOUR:%Y-%m-%dT%H:%M}",
    }
    assert client.post(url, {**form, "note": "Two new ones"}, follow=True).status_code == 200
    (window,) = MaintenanceWindow.objects.all()
    assert (window.kind, window.start, window.end, window.note) == ("disk", start, start + 2 * HOUR, "Two new ones")
    page = client.get(url).content.decode()
    assert "Two new ones" in page
    assert "Closed for upkeep" in page
    response = client.post(url, {**form, "note": "typed again"})
    assert response.status_code == 422
    assert "Announced already" in response.content.decode()
    assert "typed again" in response.content.decode()
    client.post(f"{url}{window.pk}/cancel/")
    window.refresh_from_db()
    assert window.canceled_at


def test_times_are_read_in_the_zone_that_the_form_says(client, machine, now):
    client.force_login(machine.provider)
    start = (now + 10 * DAY).replace(hour=12, minute=0, second=0)
    form = {
        "tz": "Asia/Tokyo",
        "kind": "disk",
        "start": f"{start:%Y-%m-%dT%H:%M}",
        "end": f"{start + HOUR:%Y-%m-%dT%H:%M}",
    }
    client.post(f"/machines/{machine.pk}/maintenance/", form)
    assert MaintenanceWindow.objects.get().start == start - 9 * HOUR


def test_another_machines_maintenance_is_not_taken_back_under_ones_own(client, upkeep, other_provider, now):
    mine = make_machine(other_provider, "mine")
    client.force_login(other_provider)
    assert client.post(f"/machines/{mine.pk}/maintenance/{upkeep.pk}/cancel/").status_code == 404
    upkeep.refresh_from_db()
    assert upkeep.canceled_at is None


def test_it_is_on_the_listings_page_and_in_the_providers_calendar(client, listing, now):
    closed(listing.machine, now + 8 * DAY, now=now, kind="internet", note="New lines.")
    page = client.get(f"/listings/{listing.pk}/").content.decode()
    assert "New lines." in page
    assert "closed for upkeep</li>" in page
    client.force_login(listing.machine.provider)
    assert "Internet" in client.get(f"/machines/{listing.machine_id}/calendar/").content.decode()


# What the database refuses, whoever asks --------------------------------------------------------------------


@contextmanager
def refused(rule: str) -> Iterator[None]:
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    assert caught.value.__cause__.diag.constraint_name == rule


def written(machine: Machine, start: datetime, end: datetime) -> MaintenanceWindow:
    return MaintenanceWindow.objects.create(
        machine=machine, kind="power", start=start, end=end, announced_by=machine.provider
    )


def test_the_database_keeps_maintenance_out_of_bookings(paid, now):
    rule = "maintenance_keeps_out_of_bookings"
    with refused(rule):
        written(paid.machine, paid.blocked_until - MINUTE, paid.blocked_until + HOUR)
    window = written(paid.machine, paid.blocked_until, paid.blocked_until + HOUR)
    with refused(rule):
        MaintenanceWindow.objects.update(start=paid.start)
    MaintenanceWindow.objects.update(canceled_at=now)
    MaintenanceWindow.objects.update(start=paid.start)
    with refused(rule):
        MaintenanceWindow.objects.update(canceled_at=None)
    assert window


def test_the_database_keeps_bookings_out_of_maintenance(paid, other_buyer, now):
    rule = "bookings_keep_out_of_maintenance"
    written(paid.machine, paid.blocked_until, paid.blocked_until + HOUR)
    with refused(rule):
        Booking.objects.filter(pk=paid.pk).update(blocked_until=paid.blocked_until + MINUTE)
    later = make_hold(paid.listing, other_buyer, start=paid.blocked_until + DAY, asked=now)
    with refused(rule):
        Booking.objects.filter(pk=later.pk).update(start=paid.blocked_until + 30 * MINUTE)
    Booking.objects.filter(pk=later.pk).update(status="canceled", canceled_at=now, start=paid.blocked_until)
    with refused(rule):
        Booking.objects.filter(pk=later.pk).update(status="pending")
    later.pk = later.id = None
    with refused(rule):
        copy = Booking.objects.get(pk=paid.pk)
        copy.pk, copy.status = uuid7(), "pending"
        copy.start, copy.end = paid.blocked_until, paid.blocked_until + HOUR
        copy.blocked_until = copy.end
        copy.save(force_insert=True)


def test_other_machines_are_not_closed(paid, other_listing, buyer, now):
    written(paid.machine, paid.blocked_until, paid.blocked_until + DAY)
    make_hold(other_listing, buyer, start=paid.blocked_until, asked=now)


# At the same moment, in pairs -------------------------------------------------------------------------------

ATTEMPTS = 20
TRIGGERS = {
    "bookings": ["bookings_keep_out_of_maintenance", "bookings_stay_out_of_maintenance"],
    "maintenance_windows": ["maintenance_keeps_out_of_bookings"],
}


@contextmanager
def without_triggers() -> Iterator[None]:
    def switch(how: str) -> None:
        with connection.cursor() as cursor:
            for table, names in TRIGGERS.items():
                for name in names:
                    cursor.execute(f"ALTER TABLE {table} {how} TRIGGER {name}")

    switch("DISABLE")
    try:
        yield
    finally:
        switch("ENABLE")


def race(listing, clients, now, monkeypatch) -> tuple[list[Booking], list[MaintenanceWindow], list[Exception]]:
    """Four ask for the window while the provider announces for it. Nobody looks before: only the guarantee is left."""
    start = minute(now) + 10 * DAY
    ask = [
        partial(request_booking, listing=listing, buyer=client, start=start, end=start + 4 * HOUR, now=now)
        for client in clients
    ]
    monkeypatch.setattr("bookings.services.maintenance._check_free", lambda *_: None)
    monkeypatch.setattr("bookings.services.request.clashes", lambda *_, **__: None)
    results = at_once([*ask[:2], partial(closed, listing.machine, start, now=now), *ask[2:]])
    return (
        [result for result in results if isinstance(result, Booking)],
        [result for result in results if isinstance(result, MaintenanceWindow)],
        [result for result in results if isinstance(result, Exception)],
    )


def forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE bookings, maintenance_windows, invoice_counters CASCADE")


@pytest.fixture
def clients(buyer, other_buyer, member, organization_administrator) -> list:
    return [buyer, other_buyer, member, organization_administrator]


@pytest.mark.django_db(transaction=True)
def test_without_the_triggers_a_window_is_booked_and_closed(listing, clients, now, monkeypatch):
    with without_triggers():
        for _ in range(ATTEMPTS):
            booked, announced, _lost = race(listing, clients, now, monkeypatch)
            if booked and announced:
                break
            forget()
        assert booked
        assert announced
        forget()


@pytest.mark.django_db(transaction=True)
def test_one_of_booking_and_announcing_wins_and_nobody_waits_for_ever(listing, clients, now, monkeypatch):
    for _ in range(ATTEMPTS):
        booked, announced, lost = race(listing, clients, now, monkeypatch)
        assert len(booked) + len(announced) == 1
        assert Booking.objects.count() + MaintenanceWindow.objects.count() == 1
        # No deadlock, no time-out: the buyers are told, the provider meets the rule.
        assert {type(error) for error in lost} <= {WindowTaken, IntegrityError}
        for error in lost:
            if isinstance(error, IntegrityError):
                assert error.__cause__.diag.constraint_name == "maintenance_keeps_out_of_bookings"
        forget()


@pytest.mark.django_db(transaction=True)
def test_with_the_looks_before_it_everybody_is_told_what_is_in_the_way(listing, clients, now):
    start = minute(now) + 10 * DAY
    for _ in range(ATTEMPTS):
        ask = [
            partial(request_booking, listing=listing, buyer=client, start=start, end=start + 4 * HOUR, now=now)
            for client in clients
        ]
        results = at_once([*ask[:2], partial(closed, listing.machine, start, now=now), *ask[2:]])
        lost = [result for result in results if isinstance(result, Exception)]
        assert len(results) - len(lost) == 1
        assert {type(error) for error in lost} <= {WindowTaken, BookingError}
        forget()


@pytest.mark.django_db(transaction=True)
def test_an_end_that_moves_and_maintenance_never_meet(listing, buyer, now):
    """A late hand-over takes the time after the booking while that is being closed."""
    for _ in range(ATTEMPTS):
        booking = make_paid(listing, buyer, start=now + 10 * DAY, asked=now)

        def move(booking: Booking = booking) -> int:
            later = {"end": booking.end + HOUR, "blocked_until": booking.blocked_until + HOUR}
            return Booking.objects.filter(pk=booking.pk).update(**later)

        moved, announced = at_once([move, partial(closed, listing.machine, booking.blocked_until, now=now)])
        assert isinstance(moved, IntegrityError) != isinstance(announced, BookingError | IntegrityError)
        forget()
