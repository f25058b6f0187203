"""A booking's page and what hangs on it: what it promises is what happens, and it follows by itself."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from accounts.models import OutgoingMail
from bookings.lifecycle import BookingStatus
from bookings.models import Booking, WipeStatus
from bookings.services import cancel
from bookings.terms import is_overdue, refund_for
from bookings.timeline import Step, steps
from machines.models import Listing, ListingStatus
from tests.people import DAY, HOUR, make_over, make_paid, minute, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def present(booking: Booking, *, now: datetime) -> Step:
    """Where it stands: the first step that is not recorded history."""
    return steps(booking, now=now)[booking.events.count()]


def refreshes(client, booking: Booking) -> bool:
    return 'hx-trigger="every 5s"' in client.get(f"/bookings/{booking.pk}/").content.decode()


# What it promises -------------------------------------------------------------------------------------------


def test_in_the_moments_after_its_start_no_refund_is_promised_that_would_not_come(paid):
    for after in (timedelta(0), settings.MARKETPLACE_LATE_START - timedelta(seconds=1)):
        now = paid.start + after
        assert not is_overdue(paid, now=now)
        assert refund_for(paid, by_provider=False, now=now).share < 1
        step = present(paid, now=now)
        assert (step.title, step.state) == ("Starting", "now")
        assert "refund" not in step.detail


def test_a_start_that_is_overdue_promises_what_canceling_gives(paid):
    now = paid.start + settings.MARKETPLACE_LATE_START
    assert is_overdue(paid, now=now)
    assert refund_for(paid, by_provider=False, now=now).share == 1
    assert "full refund" in present(paid, now=now).detail


def test_a_buyer_kept_waiting_by_a_quarantine_is_promised_a_refund_at_once(listing, buyer, other_buyer, now):
    make_over(listing, other_buyer, end=now - HOUR)
    booking = make_paid(listing, buyer, start=now, asked=minute(now) - 6 * HOUR)
    assert refund_for(booking, by_provider=False, now=now).share == 1
    step = present(booking, now=now)
    assert step.title.startswith("Not handed over in time")
    assert "full refund" in step.detail


def test_a_running_booking_is_called_yours_to_nobody_but_its_buyer(running, now):
    who = {True: "Yours", False: "In use"}
    for is_buyer, called in who.items():
        assert steps(running, is_buyer=is_buyer, now=now)[running.events.count()].title == called


# What happened ----------------------------------------------------------------------------------------------


def test_a_step_of_the_wipe_that_did_not_succeed_is_marked_and_its_repetition_is_not(over, now):
    for minutes, method, status in (
        (0, "session_termination", WipeStatus.SUCCESS),
        (1, "ssh_key_removal", WipeStatus.FAILED),
        (2, "ssh_key_removal", WipeStatus.SUCCESS),
        (3, "home_directory_purge", WipeStatus.PARTIAL),
    ):
        record_wipe(over, now=now + minutes * MINUTE, methods=[method], status=status)
    told = [(step.title, step.state) for step in steps(over, now=now) if ": " in step.title and step.by]
    assert told == [
        ("Sessions closed, processes ended: success", "done"),
        ("SSH keys removed: failed", "bad"),
        ("SSH keys removed: success", "done"),
        ("Home and scratch purged: partial", "bad"),
    ]


def test_the_word_failed_alone_marks_nothing(over, now):
    over.events.create(at=now, what="Something that has failed to matter")
    (step,) = [step for step in steps(over, now=now) if step.title.startswith("Something")]
    assert step.state == "done"


def test_what_a_person_canceled_is_as_they_wanted_it(paid, now):
    cancel.cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    paid.refresh_from_db()
    (step,) = [step for step in steps(paid, now=now) if step.title.startswith("Canceled")]
    assert (step.state, step.title, step.by) == ("done", "Canceled by the buyer", "")


def test_what_the_marketplace_had_to_cancel_went_wrong(held, now):
    assert cancel.cancel_lapsed_hold(booking_id=held.pk, now=held.hold_expires_at)
    held.refresh_from_db()
    assert steps(held, now=now)[-1].state == "bad"


# What it links to -------------------------------------------------------------------------------------------


def test_a_listing_that_is_gone_is_named_and_not_linked(client, paid):
    client.force_login(paid.buyer)
    listing = f"/listings/{paid.listing_id}/"
    assert listing in client.get(f"/bookings/{paid.pk}/").content.decode()
    Listing.objects.filter(pk=paid.listing_id).update(status=ListingStatus.ARCHIVED)
    html = client.get(f"/bookings/{paid.pk}/").content.decode()
    assert listing not in html
    assert "no longer on offer" in html


# That it follows by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(2 * DAY, False), (11 * MINUTE, False), (9 * MINUTE, True), (-MINUTE, True)],
)
def test_a_confirmed_booking_looks_whether_it_has_started_shortly_before(client, listing, buyer, now, ahead, expected):
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    start = now + ahead
    Booking.objects.filter(pk=booking.pk).update(start=start, end=start + HOUR)
    client.force_login(buyer)
    assert refreshes(client, booking) == expected


def test_other_states_refresh_while_somebody_is_at_it(client, held, other_listing, now):
    client.force_login(held.buyer)
    assert refreshes(client, held)
    Booking.objects.filter(pk=held.pk).update(status=BookingStatus.CANCELED, canceled_at=now)
    assert not refreshes(client, held)


# Letting the buyer in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "UTC"])
@pytest.mark.parametrize(
    ("until", "expires"),
    [
        (datetime(2026, 11, 21, 18, 30, tzinfo=UTC), "2026-11-22"),  # a booking within one day has all of that day
        (datetime(2026, 11, 21, 23, 59, tzinfo=UTC), "2026-11-22"),
        (datetime(2026, 11, 22, 0, 0, tzinfo=UTC), "2026-11-23"),
    ],
)
def test_the_account_outlives_the_booking_whatever_the_providers_zone(client, paid, provider, zone, until, expires):
    """``useradd -e`` locks it at the beginning of that day, in UTC."""
    Booking.objects.filter(pk=paid.pk).update(start=until - 4 * HOUR, end=until - HOUR / 2, blocked_until=until)
    provider.timezone = zone
    provider.save(update_fields=["timezone"])
    client.force_login(provider)
    html = client.get(f"/bookings/{paid.pk}/access/").content.decode()
    assert f"useradd -m -e {expires} rsm-{paid.reference}" in html
    expiry = datetime.fromisoformat(re.search(r"useradd -m -e (\S+)", html)[1]).replace(tzinfo=UTC)
    assert until < expiry <= until + DAY


# Its mails --------------------------------------------------------------------------------------------------


def to_the_provider(booking: Booking) -> str:
    return OutgoingMail.objects.get(user=booking.machine.provider, key__startswith="booking-canceled").text


def test_a_window_that_is_over_is_not_called_free_again(paid, now):
    assert cancel.cancel_undelivered(booking_id=paid.pk, now=paid.end)
    text = to_the_provider(paid)
    assert "could not be handed over" in text
    assert "free again" not in text


def test_a_window_to_come_is_free_again(paid, now):
    cancel.cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    assert "The window is free again." in to_the_provider(paid)
