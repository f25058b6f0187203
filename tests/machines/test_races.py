"""A listing goes on offer while its benchmark is rejected. In pairs: without the lock it goes wrong, with it it does not."""

import threading
from functools import partial

import pytest

from machines.models import ListingStatus, Machine
from machines.services import listings
from machines.services.benchmarks import reject_benchmark
from tests.people import make_listing
from tests.racing import at_once

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 10


@pytest.fixture
def ready(machine):
    """Nothing is missing to put it on offer."""
    return make_listing(machine, status=ListingStatus.PAUSED)


def reject_while_going_on_offer(listing, administrator, now, monkeypatch):
    """The rejection comes between the look at what is missing and the writing of the listing."""
    looked, rejected = threading.Event(), threading.Event()
    missing = listings.missing_for_activation

    def look_and_dawdle(row):
        found = missing(row)
        looked.set()
        rejected.wait(1)  # with the lock it cannot happen meanwhile
        return found

    def reject():
        assert looked.wait(PATIENCE)
        reject_benchmark(
            benchmark=listing.machine.verified_benchmark, by=administrator, now=now, reason="Not reproducible."
        )
        rejected.set()

    monkeypatch.setattr(listings, "missing_for_activation", look_and_dawdle)
    results = at_once([partial(listings.activate_listing, listing=listing, now=now), reject])
    assert not [result for result in results if isinstance(result, Exception)], results
    listing.refresh_from_db()
    listing.machine.refresh_from_db()
    assert listing.machine.verified_benchmark is None


def test_without_the_lock_a_listing_is_on_offer_without_a_benchmark(ready, administrator, now, monkeypatch):
    unlocked = type(Machine.objects.all())
    monkeypatch.setattr(unlocked, "select_for_update", lambda self, **_: self)

    reject_while_going_on_offer(ready, administrator, now, monkeypatch)

    assert ready.status == ListingStatus.ACTIVE


def test_a_listing_whose_benchmark_is_rejected_meanwhile_is_paused(ready, administrator, now, monkeypatch):
    reject_while_going_on_offer(ready, administrator, now, monkeypatch)

    assert ready.status == ListingStatus.PAUSED


def test_a_listing_that_comes_after_the_rejection_is_refused(ready, administrator, now):
    run = ready.machine.verified_benchmark
    results = at_once(
        [
            partial(reject_benchmark, benchmark=run, by=administrator, now=now, reason="Not reproducible."),
            *[partial(listings.activate_listing, listing=ready, now=now)] * 3,
        ]
    )

    ready.refresh_from_db()
    assert ready.status == ListingStatus.PAUSED
    assert not isinstance(results[0], Exception)
