"""Minutes without a heartbeat inside a booking, after the first five, come back by themselves when it ends."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import Notification, OutgoingMail
from billing.models import Refund, RefundReason
from bookings import tasks
from bookings.lost_time import lost_time
from bookings.models import Booking
from bookings.services import maintenance, run
from machines.models import Outage, PlatformOutage
from tests.handing_over import automatic, begin, give_key, hand_over, with_agent
from tests.people import DAY, HOUR, make_paid, make_running, minute
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def agent(machine):
    return with_agent(automatic(machine))


@pytest.fixture
def inside(agent, listing, buyer, now) -> Booking:
    """Began three hours ago, lasts four, 8 EUR; handed over at once."""
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    hand_over(agent, now=booking.start)
    return Booking.objects.with_context().get(pk=booking.pk)


def silence(agent, booking: Booking, after: timedelta, length: timedelta | None) -> Outage:
    """From ``after`` the start on; without a length it goes on."""
    began = booking.start + after
    return Outage.objects.create(
        machine=booking.machine,
        agent=agent.row,
        began_at=began,
        ended_at=began + length if length is not None else None,
    )


def end(booking: Booking) -> Booking:
    assert run.end_booking(booking_id=booking.pk, now=booking.end)
    assert not run.end_booking(booking_id=booking.pk, now=booking.end)
    return Booking.objects.get(pk=booking.pk)


@pytest.mark.parametrize(
    ("lengths", "down", "back"),
    [
        ([], 0, "0"),
        ([5 * MINUTE], 5, "0"),
        ([5 * MINUTE + SECOND], 6, "0.03"),  # 1 of 240 minutes of 8 EUR
        ([35 * MINUTE], 35, "1.00"),
        ([20 * MINUTE, 15 * MINUTE], 35, "1.00"),
        ([8 * MINUTE, 90 * SECOND], 10, "0.17"),
        ([3 * HOUR], 180, "5.83"),
    ],
    ids=str,
)
def test_what_comes_back_is_the_share_of_the_minutes_after_the_first_five(inside, agent, lengths, down, back):
    after = timedelta(0)
    for length in lengths:
        silence(agent, inside, after, length)
        after += length + 10 * MINUTE

    ended = end(inside)

    assert (ended.down_minutes, ended.lost_amount) == (down, Decimal(back))
    assert ended.settled_at == inside.end
    assert [refund.amount for refund in Refund.objects.all()] == ([Decimal(back)] if Decimal(back) else [])
    assert {refund.reason for refund in Refund.objects.all()} <= {RefundReason.TIME_LOST}


def test_silence_before_and_after_the_booking_is_nobodys(inside, agent):
    silence(agent, inside, -HOUR, HOUR + 10 * MINUTE)
    silence(agent, inside, 4 * HOUR - 10 * MINUTE, 2 * HOUR)
    assert end(inside).down_minutes == 20


def test_a_machine_that_is_still_silent_at_the_end_is_counted_until_it(inside, agent):
    silence(agent, inside, 3 * HOUR, None)
    assert end(inside).down_minutes == 60


def test_when_the_marketplace_itself_was_away_counts_for_nobody(inside, agent):
    silence(agent, inside, HOUR, 40 * MINUTE)
    PlatformOutage.objects.create(began_at=inside.start + HOUR, ended_at=inside.start + HOUR + 30 * MINUTE)
    assert end(inside).down_minutes == 10


def test_two_servers_silent_at_once_are_one_gap(inside, agent, machine):
    silence(agent, inside, HOUR, 20 * MINUTE)
    other = with_agent(machine, revoked_at=inside.start)
    silence(other, inside, HOUR + 10 * MINUTE, 20 * MINUTE)
    assert end(inside).down_minutes == 30


def test_late_and_down_come_back_together_and_late_has_no_minutes_free(agent, listing, buyer, other_buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    make_paid(listing, other_buyer, start=booking.blocked_until, asked=booking.start)
    hand_over(agent, now=booking.start + 30 * MINUTE)
    silence(agent, booking, timedelta(0), 65 * MINUTE)  # the first half hour of it is the late one

    ended = end(booking)

    assert (ended.late_minutes, ended.down_minutes) == (30, 35)
    assert ended.lost_amount == Refund.objects.get().amount == Decimal("2.00")  # 30 and 30 of 240
    (mail,) = OutgoingMail.objects.filter(user=buyer, key=f"time-lost:{booking.pk}")
    assert "€2.00" in mail.text
    assert "Handed over 30 minutes late." in mail.text
    assert "35 minutes, of which 5 are not counted" in mail.text


def test_a_late_hand_over_that_was_made_up_for_is_not_refunded_too(agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    hand_over(agent, now=booking.start + 30 * MINUTE)
    silence(agent, booking, HOUR, 65 * MINUTE)
    booking.refresh_from_db()
    assert end(booking).lost_amount == Decimal("2.00")  # 60 of the 240 that were booked


def test_never_more_than_the_price_comes_back(agent, listing, buyer, other_buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 4 * HOUR)
    make_paid(listing, other_buyer, start=booking.blocked_until, asked=booking.start)
    hand_over(agent, now=booking.end - SECOND)
    assert end(booking).lost_amount == booking.price_total


def test_both_are_told_once(inside, agent, buyer, provider):
    silence(agent, inside, HOUR, 35 * MINUTE)
    end(inside)
    for user in (buyer, provider):
        assert OutgoingMail.objects.filter(user=user, key=f"time-lost:{inside.pk}").count() == 1
        assert Notification.objects.filter(user=user, key=f"time-lost:{inside.pk}").count() == 1
    assert inside.events.filter(what="€1.00 comes back for 30 minutes that were lost").count() == 1


def test_nothing_is_said_where_nothing_was_lost(inside):
    ended = end(inside)
    assert (ended.lost_amount, ended.down_minutes) == (0, 0)
    assert not OutgoingMail.objects.filter(key__startswith="time-lost").exists()


def test_a_machine_without_an_agent_has_no_heartbeats_to_miss(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - 3 * HOUR)
    Outage.objects.create(
        machine=booking.machine, agent=with_agent(booking.machine).row, began_at=booking.start, ended_at=now
    )
    ended = end(booking)
    assert (ended.down_minutes, ended.lost_amount) == (None, 0)


@pytest.mark.django_db(transaction=True)
def test_the_sweep_settles_once(agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 5 * HOUR)
    hand_over(agent, now=booking.start)
    silence(agent, booking, HOUR, 35 * MINUTE)
    assert sum(twice_at_once(tasks.end_bookings)) == 1
    assert Refund.objects.count() == 1


def test_announced_maintenance_does_not_count_as_down(machine, agent, listing, buyer, provider, now):
    """It cannot lie in a booking; where it begins right after, what was counted stops there all the same."""
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    hand_over(agent, now=booking.start)
    maintenance.announce(
        machine=machine, by=provider, kind="power", start=booking.blocked_until, end=booking.blocked_until + HOUR,
        now=booking.start - 10 * DAY,
    )  # fmt: skip
    silence(agent, booking, 4 * HOUR - 15 * MINUTE, 2 * HOUR)
    assert end(booking).down_minutes == 15


# On the page ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["buyer", "provider"])
def test_both_sides_see_the_gaps_and_what_they_come_to(client, cast, inside, agent, who, now):
    silence(agent, inside, HOUR, 35 * MINUTE)
    client.force_login(getattr(cast, who))
    html = client.get(f"/bookings/{inside.pk}/").content.decode()
    assert "No heartbeat" in html
    assert "35 minutes without a heartbeat, of which 5 are not counted" in html
    assert "€1.00 comes back" in html
    assert 'hx-trigger="every 30s"' in html

    end(inside)

    html = client.get(f"/bookings/{inside.pk}/").content.decode()
    assert "€1.00 came back" in html
    assert "for 30 minutes that could not be used" in html


def test_the_time_of_a_booking_is_in_one_piece(inside, agent, now):
    silence(agent, inside, HOUR, 10 * MINUTE)
    silence(agent, inside, 2 * HOUR, None)
    lost = lost_time(inside, now=now)
    assert [stretch.kind for stretch in lost.stretches] == ["up", "down", "up", "down"]
    assert lost.stretches[0].start == inside.start
    assert lost.stretches[-1].end == now
    for before, after in zip(lost.stretches, lost.stretches[1:], strict=False):
        assert before.end == after.start


def test_a_booking_that_is_not_handed_over_yet_shows_that(client, agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    client.force_login(buyer)
    assert "Not handed over yet" in client.get(f"/bookings/{booking.pk}/").content.decode()


def test_a_moved_end_is_said(client, agent, listing, buyer, now):
    give_key(buyer, now=now)
    booking = begin(listing, buyer, start=minute(now) - 3 * HOUR)
    hand_over(agent, now=booking.start + 12 * MINUTE)
    client.force_login(buyer)
    assert "Handed over 12 minutes late: the end moved from" in client.get(f"/bookings/{booking.pk}/").content.decode()
