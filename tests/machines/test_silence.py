"""Machines that fall silent: outages, telling the provider once, and what does not count."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail
from machines.models import (
    AccessKind,
    Agent,
    AgentStatus,
    Machine,
    MaintenanceWindow,
    Outage,
    PlatformOutage,
    PlatformPulse,
)
from machines.services import heartbeats, pulse, silence
from machines.services.agents import revoke_agent
from machines.services.downtime import down_intervals, down_time
from machines.services.machines import update_machine
from machines.tasks import call_silent_agents
from tests.agents import make_agent
from tests.people import make_machine
from tests.racing import twice_at_once

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def alive(db, now):
    """The marketplace has been there all the time."""
    PlatformPulse.objects.create(at=now - 5 * SECOND)


def online(machine, node=None, *, heard, **fields):
    Machine.objects.filter(pk=machine.pk).update(provider_agent_status=AgentStatus.ONLINE, access_kind="agent")
    return make_agent(machine, node, last_heartbeat_at=heard, **fields)


def beat(agent, now):
    return heartbeats.beat(token=agent.token, body={}, address=None, now=now)


def status(machine):
    return Machine.objects.get(pk=machine.pk).provider_agent_status


def told(machine):
    """Titles of what the provider reads in the page; the mails say the same."""
    titles = list(machine.provider.notifications.order_by("at").values_list("title", flat=True))
    mails = OutgoingMail.objects.filter(user=machine.provider, key__startswith="machine-").order_by("created_at")
    assert list(mails.values_list("subject", flat=True)) == titles
    return titles


def announce(machine, start, end):
    return MaintenanceWindow.objects.create(
        machine=machine, kind="power", start=start, end=end, announced_by=machine.provider
    )


# The sweep --------------------------------------------------------------------------------------------------


def test_after_ninety_seconds_a_machine_is_offline_since_its_last_heartbeat(machine, now):
    agent = online(machine, heard=now - 91 * SECOND)
    assert silence.sweep(now=now) == 1
    agent.row.refresh_from_db()
    assert (agent.row.status, status(machine)) == ("offline", "offline")
    outage = Outage.objects.get()
    assert (outage.machine, outage.agent, outage.ended_at) == (machine, agent.row, None)
    assert outage.began_at == now - 91 * SECOND
    assert told(machine) == [f"Offline: {machine.name}"]


def test_before_that_it_is_not(machine, now):
    online(machine, heard=now - 90 * SECOND)
    assert silence.sweep(now=now) == 0
    assert status(machine) == "online"
    assert told(machine) == []


def test_sweeping_twice_changes_and_tells_nothing_twice(machine, now):
    online(machine, heard=now - 2 * MINUTE)
    silence.sweep(now=now)
    silence.sweep(now=now)
    silence.sweep(now=now + 5 * SECOND)
    assert Outage.objects.count() == 1
    assert len(told(machine)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_open_one_outage_and_write_one_mail(machine):
    now = timezone.now()
    online(machine, heard=now - 2 * MINUTE)
    twice_at_once(partial(silence.sweep, now=now))
    assert Outage.objects.count() == 1
    assert len(told(machine)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_sweep_and_a_heartbeat_at_once_leave_the_machine_online(machine):
    now = timezone.now()
    agent = online(machine, heard=now - 2 * MINUTE)
    from tests.racing import at_once

    results = at_once([partial(silence.sweep, now=now), partial(beat, agent, now)])
    assert not [result for result in results if isinstance(result, Exception)], results
    assert status(machine) == "online"
    assert not Outage.objects.filter(ended_at=None).exists()
    assert Outage.objects.count() == 1


def test_the_task_is_the_sweep(machine):
    online(machine, heard=timezone.now() - 2 * MINUTE)
    assert call_silent_agents() == 1
    assert call_silent_agents() == 0


def test_back_again_the_outage_ends_and_the_provider_reads_how_long_it_was(machine, now):
    agent = online(machine, heard=now - 2 * MINUTE)
    silence.sweep(now=now)
    PlatformPulse.objects.update(at=now + 8 * MINUTE - SECOND)
    beat(agent, now + 8 * MINUTE)
    outage = Outage.objects.get()
    assert outage.ended_at == now + 8 * MINUTE
    assert status(machine) == "online"
    assert told(machine) == [f"Offline: {machine.name}", f"Online again: {machine.name}"]
    assert "10 minutes" in machine.provider.notifications.order_by("at").last().text
    beat(agent, now + 9 * MINUTE)
    assert len(told(machine)) == 2


def test_each_outage_is_told_anew(machine, now):
    agent = online(machine, heard=now - 2 * MINUTE)
    for turn in range(3):
        at = now + turn * 10 * MINUTE
        PlatformPulse.objects.update(at=at - SECOND)
        silence.sweep(now=at)
        PlatformPulse.objects.update(at=at + MINUTE - SECOND)
        beat(agent, at + MINUTE)
    assert len(told(machine)) == 6


def test_a_revoked_agent_is_missed_by_nobody(machine, now):
    online(machine, heard=now - HOUR, revoked_at=now - HOUR)
    assert silence.sweep(now=now) == 0
    assert not Outage.objects.exists()


def test_a_server_that_is_set_up_anew_ends_the_outage_of_the_old_agent(machine, now):
    old = online(machine, heard=now - 2 * MINUTE)
    silence.sweep(now=now)
    Agent.objects.filter(pk=old.row.pk).update(revoked_at=now)
    new = make_agent(machine, last_heartbeat_at=None, status=AgentStatus.OFFLINE)
    beat(new, now + MINUTE)
    assert Outage.objects.get().ended_at == now + MINUTE
    assert status(machine) == "online"


def test_one_machine_that_fails_keeps_no_other_from_its_turn(machine, provider, now, monkeypatch):
    online(machine, heard=now - 2 * MINUTE)
    other = make_machine(provider, "other")
    online(other, heard=now - 2 * MINUTE)
    follow = silence._follow

    def fail(row):
        if row.pk == machine.pk:
            raise RuntimeError("boom")
        return follow(row)

    monkeypatch.setattr(silence, "_follow", fail)
    assert silence.sweep(now=now) == 1
    assert (status(machine), status(other)) == ("online", "offline")


# A cluster --------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster(provider):
    machine = make_machine(provider, "cluster", kind="cluster")
    for name in ("a", "b", "c"):
        machine.nodes.create(name=name, gpu_count=4, cpu_cores=48, ram_gb=768, disk_size_gb=3840)
    return machine


def test_a_cluster_with_one_node_silent_is_offline_until_that_is_back(cluster, now):
    a, b, c = cluster.nodes.all()
    online(cluster, a, heard=now)
    silent = online(cluster, b, heard=now - 2 * MINUTE)
    well = online(cluster, c, heard=now - 10 * SECOND)
    assert silence.sweep(now=now) == 1
    assert status(cluster) == "offline"
    assert Outage.objects.get().agent == silent.row
    assert "node b" in cluster.provider.notifications.get().text
    beat(well, now + 20 * SECOND)
    assert status(cluster) == "offline"
    beat(silent, now + 30 * SECOND)
    assert status(cluster) == "online"


def test_more_nodes_that_fall_silent_are_one_outage_to_the_provider(cluster, now):
    nodes = [online(cluster, node, heard=now - 2 * MINUTE) for node in list(cluster.nodes.all())[:2]]
    last = online(cluster, list(cluster.nodes.all())[2], heard=now - 30 * SECOND)
    silence.sweep(now=now)
    PlatformPulse.objects.update(at=now + 2 * MINUTE)
    silence.sweep(now=now + 2 * MINUTE)
    assert Outage.objects.filter(ended_at=None).count() == 3
    assert told(cluster) == [f"Offline: {cluster.name}"]
    for agent in (*nodes, last):
        PlatformPulse.objects.update(at=now + 10 * MINUTE - SECOND)
        beat(agent, now + 10 * MINUTE)
    assert told(cluster) == [f"Offline: {cluster.name}", f"Online again: {cluster.name}"]
    assert "12 minutes" in cluster.provider.notifications.order_by("at").last().text


def test_a_cluster_whose_node_has_no_agent_is_not_online(cluster, now):
    agent = make_agent(cluster, cluster.nodes.first(), last_heartbeat_at=None, status=AgentStatus.OFFLINE)
    beat(agent, now)
    assert status(cluster) == "offline"


# Maintenance ------------------------------------------------------------------------------------------------


def test_while_announced_maintenance_runs_nobody_is_told(machine, now):
    online(machine, heard=now - 2 * MINUTE)
    announce(machine, now - HOUR, now + HOUR)
    assert silence.sweep(now=now) == 1
    assert status(machine) == "offline"
    assert told(machine) == []


def test_a_machine_that_does_not_come_back_from_maintenance_is_told_of(machine, now):
    online(machine, heard=now - 2 * MINUTE)
    announce(machine, now - HOUR, now + MINUTE)
    silence.sweep(now=now)
    PlatformPulse.objects.update(at=now + MINUTE)
    silence.sweep(now=now + MINUTE)
    assert told(machine) == [f"Offline: {machine.name}"]


def test_canceled_maintenance_excuses_nothing(machine, now):
    online(machine, heard=now - 2 * MINUTE)
    window = announce(machine, now - HOUR, now + HOUR)
    window.canceled_at = now - 2 * HOUR
    window.save(update_fields=["canceled_at"])
    silence.sweep(now=now)
    assert len(told(machine)) == 1


# The marketplace's own absence ------------------------------------------------------------------------------


def test_a_pause_of_the_sweeps_is_an_absence_of_the_marketplace(now):
    assert pulse.note_alive(now=now) is None
    away = pulse.note_alive(now=now + 5 * MINUTE)
    assert (away.began_at, away.ended_at) == (now, now + 5 * MINUTE)
    assert pulse.note_alive(now=now + 5 * MINUTE + 5 * SECOND) is None
    assert PlatformOutage.objects.count() == 1


def test_a_short_pause_is_none(now):
    pulse.note_alive(now=now)
    assert pulse.note_alive(now=now + MINUTE) is None


def test_a_clock_that_goes_back_is_no_absence(now):
    pulse.note_alive(now=now)
    assert pulse.note_alive(now=now - HOUR) is None
    assert PlatformPulse.objects.get().at == now


@pytest.mark.django_db(transaction=True)
def test_an_absence_is_written_down_once_by_however_many_notice_it():
    now = timezone.now()
    PlatformPulse.objects.update(at=now - HOUR)
    twice_at_once(partial(pulse.note_alive, now=now))
    assert PlatformOutage.objects.count() == 1


def test_after_the_marketplace_was_away_agents_have_ninety_seconds_to_come_back(machine, now):
    PlatformPulse.objects.update(at=now - HOUR)
    online(machine, heard=now - HOUR - 20 * SECOND)
    assert silence.sweep(now=now) == 0
    PlatformPulse.objects.update(at=now + 89 * SECOND)
    assert silence.sweep(now=now + 89 * SECOND) == 0
    assert status(machine) == "online"
    assert silence.sweep(now=now + 91 * SECOND) == 1
    assert Outage.objects.get().began_at == now - HOUR - 20 * SECOND
    assert down_time(machine=machine, start=now - 2 * HOUR, end=now + HOUR, now=now + 91 * SECOND) == 111 * SECOND


def test_when_servers_everywhere_fall_silent_at_once_it_is_the_marketplace(provider, now):
    machines = [make_machine(provider, f"gpu-{number}") for number in range(6)]
    for number, machine in enumerate(machines):
        online(machine, heard=now - 2 * MINUTE, address=f"192.0.2.{number}")
    assert silence.sweep(now=now) == 0
    PlatformPulse.objects.update(at=now + MINUTE)
    assert silence.sweep(now=now + MINUTE) == 0
    away = PlatformOutage.objects.get()
    assert away.began_at == now - 2 * MINUTE
    assert all(status(machine) == "online" for machine in machines)


def test_one_that_falls_silent_among_many_is_called_offline(provider, now):
    machines = [make_machine(provider, f"gpu-{number}") for number in range(6)]
    for number, machine in enumerate(machines):
        heard = now - 2 * MINUTE if number == 0 else now - 20 * SECOND
        online(machine, heard=heard, address=f"192.0.2.{number}")
    assert silence.sweep(now=now) == 1


def test_one_place_that_falls_silent_is_a_place_that_is_down(provider, now):
    machines = [make_machine(provider, f"gpu-{number}") for number in range(6)]
    for machine in machines:
        online(machine, heard=now - 2 * MINUTE, address="192.0.2.1")
    assert silence.sweep(now=now) == 6


# Down time --------------------------------------------------------------------------------------------------


def outage(machine, agent, began_at, ended_at):
    return Outage.objects.create(machine=machine, agent=agent.row, began_at=began_at, ended_at=ended_at)


def test_down_is_the_union_over_nodes_within_the_time_asked_for(cluster, now):
    a, b, _ = (online(cluster, node, heard=now) for node in cluster.nodes.all())
    outage(cluster, a, now - 10 * HOUR, now - 8 * HOUR)
    outage(cluster, b, now - 9 * HOUR, now - 7 * HOUR)
    outage(cluster, a, now - 2 * HOUR, now - HOUR)
    outage(cluster, b, now - 10 * MINUTE, None)
    down = partial(down_intervals, machine=cluster, now=now)
    assert down(start=now - 24 * HOUR, end=now + HOUR) == [
        (now - 10 * HOUR, now - 7 * HOUR),
        (now - 2 * HOUR, now - HOUR),
        (now - 10 * MINUTE, now),
    ]
    assert down(start=now - 9 * HOUR, end=now - 8 * HOUR) == [(now - 9 * HOUR, now - 8 * HOUR)]
    assert down(start=now - 6 * HOUR, end=now - 3 * HOUR) == []
    assert down(start=now, end=now + HOUR) == []


def test_what_touches_the_time_asked_for_is_not_in_it(machine, now):
    agent = online(machine, heard=now)
    outage(machine, agent, now - 3 * HOUR, now - 2 * HOUR)
    assert down_intervals(machine=machine, start=now - 2 * HOUR, end=now, now=now) == []
    assert down_intervals(machine=machine, start=now - 4 * HOUR, end=now - 3 * HOUR, now=now) == []


def test_absences_of_the_marketplace_are_cut_out(machine, now):
    agent = online(machine, heard=now)
    outage(machine, agent, now - 5 * HOUR, now - HOUR)
    PlatformOutage.objects.create(began_at=now - 4 * HOUR, ended_at=now - 3 * HOUR)
    PlatformOutage.objects.create(began_at=now - 2 * HOUR, ended_at=now)
    assert down_intervals(machine=machine, start=now - 6 * HOUR, end=now, now=now) == [
        (now - 5 * HOUR, now - 4 * HOUR),
        (now - 3 * HOUR, now - 2 * HOUR),
    ]


def test_maintenance_is_cut_out_unless_it_is_asked_for(machine, now):
    agent = online(machine, heard=now)
    outage(machine, agent, now - 5 * HOUR, now - HOUR)
    announce(machine, now - 4 * HOUR, now - 2 * HOUR)
    asked = {"machine": machine, "start": now - 6 * HOUR, "end": now, "now": now}
    assert down_time(**asked) == 2 * HOUR
    assert down_time(**asked, without_maintenance=False) == 4 * HOUR


def test_another_machines_outage_is_not_this_ones(machine, other_provider, now):
    other = make_machine(other_provider, "other")
    outage(other, online(other, heard=now), now - 2 * HOUR, now)
    assert down_time(machine=machine, start=now - 3 * HOUR, end=now, now=now) == timedelta(0)


def test_a_server_whose_agent_is_revoked_is_away_until_another_speaks_for_it(machine, provider, now):
    """Else whoever knows of an outage to come would revoke the agent first, and lose no reliability."""
    agent = online(machine, heard=now - MINUTE)

    revoke_agent(agent=agent.row, by=provider, now=now, reason="")

    outage = Outage.objects.get()
    assert (outage.began_at, outage.ended_at) == (now - MINUTE, None)
    assert not OutgoingMail.objects.exists()
    new = make_agent(machine, last_heartbeat_at=None, status=AgentStatus.OFFLINE)
    beat(new, now + HOUR)
    assert Outage.objects.get().ended_at == now + HOUR


def test_nobody_waits_for_heartbeats_of_a_machine_that_is_handed_over_by_hand(machine, provider, now):
    Machine.objects.filter(pk=machine.pk).update(access_kind=AccessKind.AGENT)
    agent = online(machine, heard=now - MINUTE)
    revoke_agent(agent=agent.row, by=provider, now=now, reason="")
    facts = {name: getattr(machine, name) for name in ("gpu_model", "gpu_count", "gpu_memory_gb", "turnaround")}

    update_machine(machine=machine, facts=facts | {"access_kind": AccessKind.MANUAL}, now=now + HOUR)

    assert Outage.objects.get().ended_at == now + HOUR
