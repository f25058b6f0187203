"""The plan of bookings, without a database: lawful at whatever time of day the demonstration is loaded."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.demo import load
from marketplace.demo.people import BUYER, PROVIDER, PROVIDER2
from marketplace.demo.plan import Fate, Offer, Planner

CANCELED = (Fate.CANCELED_BY_BUYER, Fate.CANCELED_BY_PROVIDER)
HALF_AN_HOUR = timedelta(minutes=30)
BUYERS = [BUYER, "buyer-01@buyers.example", "buyer-02@buyers.example"]


def _offers() -> list[Offer]:
    def offer(name, provider, number, *, cluster=False):
        limits = ([1, 2, 6, 12][number % 4], 24 * [1, 7, 28][number % 3], [30, 60, 90][number % 3])
        return Offer(f"{name}-{number:03d}", provider, cluster, HALF_AN_HOUR, *limits)

    return (
        [offer("mine", PROVIDER, number) for number in range(9)]
        + [offer("yours", PROVIDER2, number) for number in range(5)]
        + [offer("other", f"host-{number:03d}@hosts.example", number) for number in range(80)]
        + [offer("cluster", PROVIDER, 1, cluster=True)]
        + [
            Offer(name, provider, False, HALF_AN_HOUR, 1, 24 * 90, 60, currency)
            for name, provider, currency in [
                ("euro-1", PROVIDER, "EUR"),
                ("euro-2", PROVIDER2, "EUR"),
                ("euro-3", PROVIDER2, "EUR"),
                ("yen-1", PROVIDER, "JPY"),
            ]
        ]
    )


def _plan(now, count=load.BOOKINGS):
    planner = Planner(_offers(), BUYERS, now=now)
    planner.scenes()
    planner.fill(count)
    return planner.in_order()


@settings(max_examples=15, deadline=None)
@given(
    st.datetimes(min_value=datetime(2026, 3, 10), max_value=datetime(2036, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, load.BOOKINGS),
)
def test_every_plan_is_lawful(now, count):
    offers = {offer.machine: offer for offer in _offers()}
    for bookings in _plan(now, count):
        for one, following in pairwise(bookings):
            assert one.last_end + offers[one.machine].turnaround <= following.start
        for one in bookings:
            offer = offers[one.machine]
            assert timedelta(hours=offer.min_hours) <= one.end - one.start <= timedelta(hours=offer.max_hours)
            assert timedelta(hours=2) < one.start - one.asked <= timedelta(days=offer.max_ahead_days)
            assert one.asked < now - timedelta(hours=1)
            assert one.start.second == one.end.second == 0
            if one.fate in CANCELED:
                assert one.asked + HALF_AN_HOUR < one.canceled < min(one.start, now)
            else:
                assert one.canceled is None
            if one.fate == Fate.ENDED_EARLY:
                assert one.start < one.ended < one.end < now - HALF_AN_HOUR
            else:
                assert one.ended is None
            if one.extended:
                assert one.start < one.extended[0] < min(one.end, now - HALF_AN_HOUR)
                assert one.end < one.extended[1]
            if one.fate == Fate.COMPLETED:
                assert one.last_end < now - HALF_AN_HOUR
            elif one.fate in (Fate.RUNNING, Fate.RUNNING_WITHOUT_ACCESS):
                assert one.start < now - timedelta(minutes=15) < now + HALF_AN_HOUR < one.last_end
            elif one.fate == Fate.CONFIRMED:
                assert one.start > now + HALF_AN_HOUR


def test_the_same_time_gives_the_same_plan(now):
    assert _plan(now) == _plan(now)


def test_the_count_is_kept(now):
    scenes = sum(map(len, _plan(now, 0)))
    assert sum(map(len, _plan(now, 100))) == scenes + 100


def test_some_windows_touch(now):
    """One ends, is erased, and the next begins that very minute."""
    gaps = [following.start - one.last_end for bookings in _plan(now) for one, following in pairwise(bookings)]
    assert HALF_AN_HOUR in gaps


def test_a_big_plan_has_every_fate(now):
    fates = Counter(one.fate for bookings in _plan(now) for one in bookings)
    assert set(fates) == set(Fate)
    assert fates[Fate.ERASING] == fates[Fate.RUNNING_WITHOUT_ACCESS] == 1


@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_the_buyer_has_something_in_every_state(now, minute):
    theirs = Counter(
        one.fate for bookings in _plan(now.replace(minute=minute), 0) for one in bookings if one.buyer == BUYER
    )
    assert theirs == {
        Fate.COMPLETED: 4,
        Fate.ENDED_EARLY: 1,
        Fate.RUNNING: 2,
        Fate.CONFIRMED: 3,
        Fate.CANCELED_BY_BUYER: 1,
    }
