"""The time between two bookings of a machine is learned from how long its own wipes take."""

from datetime import timedelta

import pytest

from bookings.models import Booking
from bookings.services.turnaround import learn_turnaround, needed_turnaround
from machines.models import AccessKind, Machine
from tests.agents import erase, make_agent, make_agent_over
from tests.people import DAY, HOUR, make_over, make_paid, minute, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def wiped(listing, buyer, now):
    """Bookings of the machine that an agent erased so long after their end."""

    def make(*lengths: timedelta, kind: str = AccessKind.AGENT) -> None:
        first = Booking.objects.count()
        for number, length in enumerate(lengths, start=first):
            end = minute(now) - (400 - 2 * number) * DAY
            Booking.objects.bulk_create([
                Booking(
                    listing=listing, machine=listing.machine, buyer=buyer, start=end - HOUR, end=end,
                    blocked_until=end + 30 * MINUTE, status="completed", hold_expires_at=end - HOUR, paid_at=end - HOUR,
                    completed_at=end + length, wipe_opened_at=end, wiped_at=end + length, access_kind=kind,
                    cancellation_terms="moderate", refund_steps=[], currency="EUR", price_total=2, quote_lines=[],
                )
            ])  # fmt: skip

    return make


def test_ninety_five_of_a_hundred_fit(machine, wiped):
    wiped(*[number * MINUTE for number in range(31, 71)])  # 40 of them: 95 of 100 is the 38th
    assert needed_turnaround(machine.pk) == 68 * MINUTE


def test_the_last_fifty_count(client, provider, machine, wiped):
    wiped(*[10 * HOUR] * 30)
    wiped(*[40 * MINUTE] * 50)
    assert needed_turnaround(machine.pk) == 40 * MINUTE
    client.force_login(provider)
    page = client.get(f"/machines/{machine.pk}/").content.decode()
    assert "95 % of its last 50 erasures took at most 40" in page


@pytest.mark.parametrize(
    ("took", "needed"),
    [
        (timedelta(seconds=20), 30 * MINUTE),
        (30 * MINUTE, 30 * MINUTE),
        (30 * MINUTE + timedelta(seconds=1), 31 * MINUTE),
        (3 * DAY, DAY),
    ],
    ids=["never below the setting", "just it", "whole minutes", "a day at most"],
)
def test_its_bounds(machine, wiped, took, needed):
    wiped(took)
    assert needed_turnaround(machine.pk) == needed


def test_wipes_by_hand_teach_nothing(machine, wiped):
    wiped(5 * HOUR, kind=AccessKind.MANUAL)
    assert needed_turnaround(machine.pk) is None
    assert not learn_turnaround(machine_id=machine.pk)


def test_what_the_provider_set_is_never_made_shorter(machine, wiped):
    Machine.objects.filter(pk=machine.pk).update(turnaround=2 * HOUR)
    wiped(50 * MINUTE)
    assert not learn_turnaround(machine_id=machine.pk)
    machine.refresh_from_db()
    assert machine.turnaround == 2 * HOUR


def test_another_machine_learns_nothing(machine, other_listing, wiped):
    wiped(50 * MINUTE)
    assert needed_turnaround(other_listing.machine_id) is None


def test_it_is_learned_with_the_wipe_and_counts_for_bookings_to_come(
    client, listing, machine, buyer, other_buyer, provider, now, django_capture_on_commit_callbacks
):
    agent = make_agent(machine)
    before = make_paid(listing, other_buyer, start=now + 2 * DAY, asked=now)
    make_agent_over(listing, buyer, agent, end=minute(now) - 47 * MINUTE)
    with django_capture_on_commit_callbacks(execute=True):
        erase(agent, now=minute(now))
    machine.refresh_from_db()
    assert machine.turnaround == 47 * MINUTE
    before.refresh_from_db()
    assert before.blocked_until - before.end == 30 * MINUTE
    listing.refresh_from_db()
    after = make_paid(listing, other_buyer, start=now + 4 * DAY, asked=now)
    assert after.blocked_until - after.end == 47 * MINUTE

    client.force_login(provider)
    page = client.get(f"/machines/{machine.pk}/").content.decode()
    assert "its one erasure so far took 47" in page


def test_a_machine_that_was_never_erased_by_its_agent_says_nothing_of_it(
    client, listing, machine, buyer, provider, now
):
    over = make_over(listing, buyer, end=now - 10 * MINUTE)
    record_wipe(over, now=now)
    client.force_login(provider)
    assert "erasure so far took" not in client.get(f"/machines/{machine.pk}/").content.decode()
