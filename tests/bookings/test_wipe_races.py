"""The nodes of a cluster finish their erasure at the same moment. In a pair: without the booking's lock, and with it."""

import threading
from datetime import timedelta
from functools import partial

import pytest

from accounts.models import OutgoingMail
from bookings.models import Booking, ErasureCertificate, WipeEvidence
from bookings.services import erasure
from tests.agents import SigningAgent, make_agent, make_agent_over, take, wipe_of
from tests.bookings.test_certificate import make_cluster
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

NODES = 4


@pytest.fixture
def agents(listing) -> list[SigningAgent]:
    return [make_agent(listing.machine, node) for node in make_cluster(listing.machine, NODES)]


@pytest.fixture
def over(listing, buyer, agents, now) -> Booking:
    return make_agent_over(listing, buyer, *agents, end=now - timedelta(minutes=10))


def all_at_once(agents, now) -> None:
    calls = []
    for agent in agents:
        work = wipe_of(agent, now=now)
        calls.append(partial(take, work, agent.evidence(work, now=now), now=now))
    results = at_once(calls)
    assert all(isinstance(result, WipeEvidence) for result in results), results


def test_without_the_lock_each_node_thinks_that_the_others_are_not_done(over, agents, now, monkeypatch):
    together = threading.Barrier(NODES)
    checked = erasure._complete_if_clean

    def when_all_are_there(booking: Booking, **more: object) -> None:
        together.wait(30)
        checked(booking, **more)
        together.wait(30)  # nobody commits before all have looked

    monkeypatch.setattr(erasure, "locked", lambda pk: Booking.objects.select_related("machine__provider").get(pk=pk))
    monkeypatch.setattr(erasure, "_complete_if_clean", when_all_are_there)
    all_at_once(agents, now)
    over.refresh_from_db()
    assert WipeEvidence.objects.filter(is_complete=True).count() == NODES
    assert over.wiped_at is None, "clean, and in quarantine for ever"


def test_with_it_the_last_one_completes_the_booking_once(over, agents, now):
    all_at_once(agents, now)
    over.refresh_from_db()
    assert over.is_completed
    assert ErasureCertificate.objects.get(booking=over).evidence.count() == NODES
    assert over.events.filter(what="Erased and completed").count() == 1
    assert OutgoingMail.objects.filter(key=f"booking-completed:{over.pk}").count() == 1
