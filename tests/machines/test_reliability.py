"""How reliable a machine is: sums by hand, what counts and what does not, and that one is right for all."""

from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from machines.models import (
    AccessKind,
    Agent,
    ListedPeriod,
    Machine,
    MachineKind,
    MaintenanceWindow,
    Node,
    Outage,
    PlatformOutage,
    ReliabilityDebit,
)
from machines.services.downtime import down_intervals
from machines.services.reliability import charge, recompute, recompute_all, reliability_of, share
from tests.machines.measured import closed, give_agent, listed, silent
from tests.people import DAY, HOUR, make_machine
from tests.racing import at_once

MINUTE = timedelta(minutes=1)
MONTH = 30 * 24 * 60

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(machine: Machine, now: datetime) -> Agent:
    """Of a machine that has been on offer, and heard, for longer than anybody looks back."""
    listed(machine, now - 60 * DAY)
    return give_agent(machine, since=now - 60 * DAY)


# The sum ------------------------------------------------------------------------------------------------


def test_the_sum_is_what_the_rule_says(machine, agent, now):
    silent(agent, now - 10 * DAY, 100)
    silent(agent, now - 3 * DAY, 32.5)
    reliability = reliability_of(machine, now=now)

    assert (reliability.since, reliability.until) == (now - 30 * DAY, now)
    assert reliability.listed_minutes == reliability.counted_minutes == MONTH == 43_200
    assert [outage.minutes for outage in reliability.outages] == [100, 32]
    assert reliability.down_minutes == 132
    assert reliability.good_minutes == 43_200 - 132 + 10
    assert reliability.share == pytest.approx((43_200 - 132 + 10) / 43_200, abs=1e-7)


def test_a_machine_that_was_never_silent_has_all_of_it_and_not_more(machine, agent, now):
    assert reliability_of(machine, now=now).share == 1


def test_ten_minutes_are_given_to_everybody(machine, agent, now):
    silent(agent, now - DAY, 10)
    assert reliability_of(machine, now=now).share == 1
    silent(agent, now - 2 * DAY, 1)
    assert reliability_of(machine, now=now).share == pytest.approx(43_199 / 43_200, abs=1e-7)


def test_a_machine_that_is_always_silent_has_next_to_nothing(machine, agent, now):
    silent(agent, now - 40 * DAY, None)
    reliability = reliability_of(machine, now=now)
    assert reliability.down_minutes == 43_200
    assert reliability.share == pytest.approx(10 / 43_200, abs=1e-7)


def test_only_the_days_that_are_looked_at_count(machine, agent, now):
    silent(agent, now - 30 * DAY - 2 * HOUR, 180)
    silent(agent, now - 45 * DAY, 600)
    silent(agent, now - 20 * MINUTE, None)
    assert [outage.minutes for outage in reliability_of(machine, now=now).outages] == [60, 20]


def test_silence_while_the_machine_was_not_on_offer_does_not_count(machine, now):
    agent = give_agent(machine, since=now - 60 * DAY)
    listed(machine, now - 20 * DAY, now - 15 * DAY)
    listed(machine, now - 10 * DAY)
    silent(agent, now - 15 * DAY - HOUR, 600)
    silent(agent, now - 12 * DAY, 600)
    silent(agent, now - 10 * DAY - HOUR, 90)
    reliability = reliability_of(machine, now=now)
    assert reliability.listed_minutes == 15 * 24 * 60
    assert [outage.minutes for outage in reliability.outages] == [60, 30]


def test_the_time_before_the_first_agent_is_not_measured(machine, now):
    listed(machine, now - 20 * DAY)
    agent = give_agent(machine, since=now - 2 * DAY)
    silent(agent, now - DAY, 60)
    reliability = reliability_of(machine, now=now)
    assert reliability.listed_minutes == 2 * 24 * 60
    assert reliability.share == pytest.approx((2880 - 60 + 10) / 2880, abs=1e-7)


def test_an_agent_that_was_replaced_still_tells_of_its_time(machine, agent, now):
    silent(agent, now - 10 * DAY, 60)
    agent.revoked_at = now - 5 * DAY
    agent.save(update_fields=["revoked_at"])
    silent(give_agent(machine, since=now - 5 * DAY), now - DAY, 30)
    assert reliability_of(machine, now=now).down_minutes == 90


def test_a_cluster_is_down_when_one_of_its_nodes_is(provider, now):
    cluster = make_machine(provider, "cluster", kind=MachineKind.CLUSTER)
    listed(cluster, now - 60 * DAY)
    one, two = (
        give_agent(
            cluster,
            since=now - 60 * DAY,
            node=Node.objects.create(machine=cluster, name=name, cpu_cores=1, ram_gb=1, disk_size_gb=1),
        )
        for name in ("node-1", "node-2")
    )
    silent(one, now - 5 * DAY, 60)
    silent(two, now - 5 * DAY + 40 * MINUTE, 60)  # 20 minutes of it together
    silent(two, now - DAY, 30)
    assert [outage.minutes for outage in reliability_of(cluster, now=now).outages] == [100, 30]


def test_announced_maintenance_is_left_out_of_both_sides(machine, agent, now):
    closed(machine, now - 5 * DAY, 240)
    closed(machine, now - 9 * DAY, 600, canceled_at=now - 10 * DAY)
    silent(agent, now - 5 * DAY - 30 * MINUTE, 300)
    silent(agent, now - 9 * DAY, 60)
    reliability = reliability_of(machine, now=now)
    assert reliability.upkeep_minutes == 240
    assert reliability.counted_minutes == 43_200 - 240
    assert [outage.minutes for outage in reliability.outages] == [60, 30, 30]
    assert reliability.share == pytest.approx((42_960 - 120 + 10) / 42_960, abs=1e-7)


def test_no_machine_is_held_to_account_for_the_marketplace(machine, agent, now):
    PlatformOutage.objects.create(began_at=now - 5 * DAY, ended_at=now - 5 * DAY + HOUR)
    silent(agent, now - 5 * DAY - 5 * MINUTE, 75)
    reliability = reliability_of(machine, now=now)
    assert reliability.counted_minutes == 43_200
    assert [outage.minutes for outage in reliability.outages] == [5, 10]


def test_what_a_machine_is_charged_for_counts_as_down_for_thirty_days(machine, agent, now):
    for key, days in (("cancellation:1", 2), ("cancellation:2", 29), ("cancellation:3", 31)):
        charge(machine=machine, reason="cancellation", key=key, minutes=720, now=now - days * DAY)
    charge(machine=machine, reason="dispute", key="dispute:1", minutes=1440, now=now)
    reliability = reliability_of(machine, now=now)
    assert [(debit.reason, debit.minutes) for debit in reliability.debits] == [
        ("The provider canceled a booking", 720),
        ("The provider canceled a booking", 720),
        ("A dispute was lost", 1440),
    ]
    assert reliability.share == pytest.approx((43_200 - 2880 + 10) / 43_200, abs=1e-7)


def test_nothing_is_charged_twice(machine, now):
    for minutes in (720, 720, 5):
        charge(machine=machine, reason="cancellation", key="cancellation:1", minutes=minutes, now=now)
    assert [debit.minutes for debit in ReliabilityDebit.objects.all()] == [720]


def test_a_machine_without_an_agent_has_no_figure(machine, now):
    listed(machine, now - 60 * DAY)
    charge(machine=machine, reason="cancellation", key="cancellation:1", minutes=720, now=now)
    reliability = reliability_of(machine, now=now)
    assert reliability.share is None
    assert reliability.is_enough
    assert recompute(machine, now=now) is None


def test_a_machine_that_was_not_on_offer_has_no_figure(machine, now):
    silent(give_agent(machine, since=now - 60 * DAY), now - DAY, 60)
    assert reliability_of(machine, now=now).share is None


# Storing it -----------------------------------------------------------------------------------------------


def test_the_figure_is_stored(machine, agent, now):
    silent(agent, now - DAY, 442)
    expected = pytest.approx((43_200 - 442 + 10) / 43_200, abs=1e-7)
    assert recompute(machine, now=now) == expected
    machine.refresh_from_db()
    assert machine.reliability == expected


def test_the_sweep_stores_what_each_machine_has_and_leaves_alone_what_was_never_measured(provider, now):
    names = {"silent": 500, "fine": 0, "by hand again": 100, "no agent": 0}
    machines = {name: make_machine(provider, name, reliability=0.5) for name in names}
    for name, minutes in names.items():
        listed(machines[name], now - 60 * DAY)
        if name != "no agent":
            silent(give_agent(machines[name], since=now - 60 * DAY), now - DAY, minutes)
    Machine.objects.filter(name="by hand again").update(access_kind=AccessKind.MANUAL)

    assert recompute_all(now=now) == 3
    figures = dict(Machine.objects.values_list("name", "reliability"))
    assert figures == {
        "silent": pytest.approx(42_710 / 43_200, abs=1e-7),
        "fine": 1,
        "by hand again": None,
        "no agent": 0.5,
    }
    assert recompute_all(now=now) == 0


def test_the_sweep_takes_as_many_queries_for_many_machines(provider, now):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            recompute_all(now=now)
        return len(caught)

    counts = []
    for number in range(12):
        machine = make_machine(provider, f"m{number}")
        listed(machine, now - 9 * DAY)
        silent(give_agent(machine, since=now - 9 * DAY), now - DAY, number)
        if number in (1, 11):
            counts.append(queries())
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_a_machine_that_somebody_holds_waits_for_the_next_sweep(machine, other_listing, now):
    for one in (machine, other_listing.machine):
        listed(one, now - 60 * DAY)
        silent(give_agent(one, since=now - 60 * DAY), now - DAY, 100)
    with transaction.atomic():
        Machine.objects.select_for_update(no_key=True).get(pk=machine.pk)
        assert at_once([lambda: recompute_all(now=now)]) == [1]
    assert recompute_all(now=now) == 1


# Whatever happened ----------------------------------------------------------------------------------------


@given(counted=st.integers(0, 50_000), down=st.integers(0, 200_000), more=st.integers(0, 10_000))
def test_a_share_is_one_and_more_silence_never_makes_it_better(counted, down, more):
    before, after = share(counted, down), share(counted, down + more)
    assert (before is None) == (after is None) == (counted == 0)
    if before is not None:
        assert 0 <= after <= before <= 1


SPAN = 400
MINUTES = st.integers(0, SPAN)
RANGES = st.lists(st.tuples(MINUTES, st.integers(1, 120)), max_size=6)


def minutes_of(ranges: list[tuple[int, int]]) -> set[int]:
    return {minute for start, length in ranges for minute in range(start, min(start + length, SPAN))}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(on_offer=RANGES, first=RANGES, second=RANGES, upkeep=RANGES, away=RANGES, more=st.tuples(MINUTES, MINUTES))
def test_the_sum_is_that_of_counting_every_minute(machine, now, on_offer, first, second, upkeep, away, more):
    """Against the plain way: look at each minute by itself. And one more outage never makes it better."""
    since = now - SPAN * MINUTE
    on_offer, upkeep = apart(on_offer), apart(upkeep)
    for model in (Outage, ListedPeriod, MaintenanceWindow, PlatformOutage, Agent):
        model.objects.all().delete()
    agents = [
        give_agent(machine, since=since, node=Node.objects.get_or_create(machine=machine, name=name, defaults=SMALL)[0])
        for name in ("node-1", "node-2")
    ]
    for start, length in on_offer:
        listed(machine, since + start * MINUTE, since + (start + length) * MINUTE)
    for agent, outages in zip(agents, (first, second), strict=True):
        for start, length in outages:
            silent(agent, since + start * MINUTE, length)
    for start, length in upkeep:
        closed(machine, since + start * MINUTE, length)
    for start, length in away:
        began = since + start * MINUTE
        PlatformOutage.objects.create(began_at=began, ended_at=began + length * MINUTE)

    counted = minutes_of(on_offer) - minutes_of(upkeep)
    down = ((minutes_of(first) | minutes_of(second)) & counted) - minutes_of(away)
    reliability = reliability_of(machine, now=now)
    assert reliability.listed_minutes == len(minutes_of(on_offer))
    assert (reliability.counted_minutes, reliability.down_minutes) == (len(counted), len(down))
    assert reliability.share == share(len(counted), len(down))
    # What a booking's page calls down is the same, cut to the time on offer.
    alike = [
        ((start - since) // MINUTE, (end - start) // MINUTE)
        for start, end in down_intervals(machine=machine, start=since, end=now, now=now)
    ]
    assert minutes_of(alike) & minutes_of(on_offer) == down
    recompute_all(now=now)
    machine.refresh_from_db(fields=["reliability"])
    assert machine.reliability == reliability.share
    silent(agents[0], since + more[0] * MINUTE, more[1])
    worse = reliability_of(machine, now=now)
    assert worse.down_minutes >= reliability.down_minutes
    if reliability.share is not None:
        assert 0 <= worse.share <= reliability.share <= 1


SMALL = {"cpu_cores": 1, "ram_gb": 1, "disk_size_gb": 1}


def apart(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that do not meet an earlier one: the database takes no others."""
    kept: list[tuple[int, int]] = []
    for start, length in ranges:
        if all(start + length <= other or other + others_length <= start for other, others_length in kept):
            kept.append((start, length))
    return kept
