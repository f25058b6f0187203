"""Heartbeats: who is believed, what is kept of them, and what they change."""

import json
from datetime import timedelta
from functools import partial
from ipaddress import ip_address

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common.ids import uuid7
from common.rates import TooManyRequests
from machines.models import Agent, AgentStatus, HealthSample, Machine, Outage, PlatformOutage, Refusal, WorkKind
from machines.services import heartbeats, pulse
from machines.services.enrollment import digest
from machines.services.errors import AgentRefused
from machines.services.work import ask_for
from tests.agents import make_agent
from tests.people import make_machine
from tests.racing import at_once

pytestmark = pytest.mark.django_db

URL = "/agent/v1/heartbeat"
SECOND = timedelta(seconds=1)
BODY = {
    "at": "2020-01-01T00:00:00Z",
    "version": "1.2.3",
    "boot_id": "b00t",
    "uptime_seconds": 123,
    "busy": [],
    "health": {
        "cpu_percent": 12.5,
        "memory_percent": 40.1,
        "gpu_percent": 0.0,
        "gpu_memory_percent": 1.0,
        "temperature_c": 41.0,
        "disk_percent": 63.0,
        "network_rx_mbps": 1.2,
        "network_tx_mbps": None,
        "load_1m": 0.5,
        "gpus": [{"index": 0, "percent": 0.0, "memory_percent": 1.0, "temperature_c": 33.0}],
    },
    "simulated": False,
}


@pytest.fixture
def agent(machine, now):
    made = make_agent(machine, last_heartbeat_at=now - 30 * SECOND)
    Machine.objects.filter(pk=machine.pk).update(provider_agent_status=AgentStatus.ONLINE)
    pulse.note_alive(now=now - 10 * SECOND)
    return made


@pytest.fixture
def cluster(provider):
    machine = make_machine(provider, "cluster", kind="cluster")
    for name in ("a", "b"):
        machine.nodes.create(name=name, gpu_count=4, cpu_cores=48, ram_gb=768, disk_size_gb=3840)
    return machine


def send(agent, now, body=BODY, token=None, **health):
    body = body | {"health": body["health"] | health} if health else body
    return heartbeats.beat(token=token or agent.token, body=body, address="192.0.2.7", now=now)


def test_a_heartbeat_is_kept_as_a_sample_and_shown_as_the_machines_health(agent, machine, now):
    beat = send(agent, now)

    assert (beat.agent_id, beat.machine_id, beat.work, beat.rotate) == (agent.row.pk, machine.pk, 0, False)
    agent.row.refresh_from_db()
    machine.refresh_from_db()
    assert agent.row.last_heartbeat_at == now
    assert (agent.row.version, agent.row.boot_id, agent.row.address) == ("1.2.3", "b00t", "192.0.2.7")
    assert agent.row.health == machine.health_indicators
    assert machine.health_indicators["cpu_percent"] == 12.5
    assert machine.health_indicators["gpus"] == BODY["health"]["gpus"]
    sample = HealthSample.objects.get(agent=agent.row)
    assert (sample.at, sample.temperature_c, sample.network_tx_mbps) == (now, 41.0, None)


def test_the_usual_heartbeat_is_one_statement(agent, now, monkeypatch):
    monkeypatch.setattr(heartbeats, "_pulse_at", None)  # the marketplace's own pulse is kept with the first
    send(agent, now)
    with CaptureQueriesContext(connection) as queries:
        send(agent, now + 10 * SECOND)
    assert len(queries) == 1


def test_the_marketplaces_clock_counts_and_not_the_agents(agent, now):
    send(agent, now, BODY | {"at": "2199-01-01T00:00:00Z"})
    assert HealthSample.objects.get(agent=agent.row).at == now


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -1, 100.5, "12", None, True, [], {}, 10**400, -(10**400)],
    ids=lambda value: str(value)[:5],
)
def test_what_cannot_be_a_figure_is_none(agent, machine, now, value):
    send(agent, now, cpu_percent=value, temperature_c=value if value != 100.5 else 1000)
    machine.refresh_from_db()
    assert machine.health_indicators["cpu_percent"] is None
    assert HealthSample.objects.get(agent=agent.row).cpu_percent is None
    assert machine.health_indicators["memory_percent"] == 40.1


@pytest.mark.parametrize(
    "health",
    [None, [], "well", {"gpus": "many"}, {"gpus": [1, None, {"index": "x"}]}, {"unknown": 1, "cpu_percent": 1}],
)
def test_what_the_protocol_does_not_know_is_dropped(agent, machine, now, health):
    send(agent, now, {"health": health, "version": 7, "boot_id": "x" * 5000, "else": "\0"})
    machine.refresh_from_db()
    known = {"at", "gpus", "uptime_seconds", *heartbeats.EVERYTHING}
    assert set(machine.health_indicators) == known
    assert all(
        set(gpu) <= {"index", "percent", "memory_percent", "temperature_c"} for gpu in machine.health_indicators["gpus"]
    )


def test_no_more_gpus_are_kept_than_a_server_has(agent, machine, now):
    send(agent, now, gpus=[{"index": 1}] * 5000)
    machine.refresh_from_db()
    assert len(machine.health_indicators["gpus"]) == heartbeats.MOST_GPUS


def test_two_heartbeats_within_five_seconds_are_too_many(agent, now):
    send(agent, now)
    with pytest.raises(TooManyRequests):
        send(agent, now + 4 * SECOND)
    send(agent, now + 5 * SECOND)
    assert HealthSample.objects.filter(agent=agent.row).count() == 2


def test_it_says_how_much_work_waits(agent, machine, now):
    for number in range(2):
        ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key=f"inventory:{number}", payload={}, now=now)
    later = now + timedelta(hours=1)
    ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key="later", payload={}, now=now, not_before=later)
    assert send(agent, now).work == 2
    Agent.objects.filter(pk=agent.row.pk).update(last_heartbeat_at=None)
    assert send(agent, now + 30 * SECOND).work == 2


def test_an_old_token_is_to_be_replaced(agent, now, settings):
    made = now - settings.MARKETPLACE_AGENT_TOKEN_AGE - SECOND
    Agent.objects.filter(pk=agent.row.pk).update(token_made_at=made)
    assert send(agent, now).rotate


def test_a_new_token_that_is_used_becomes_the_only_one(agent, now):
    Agent.objects.filter(pk=agent.row.pk).update(next_token_hash=digest("new"))
    send(agent, now)  # until then the old one works
    send(agent, now + 10 * SECOND, token="new")
    send(agent, now + 20 * SECOND, token="new")
    with pytest.raises(AgentRefused) as refused:
        send(agent, now + 30 * SECOND)
    assert (refused.value.code, refused.value.status) == ("unauthorized", 401)


def test_a_forged_token_is_refused_and_the_refusal_is_kept(client, agent):
    # From an address of its own: others have been refused from this machine's, and only so many a minute are kept.
    address = f"2001:db8::{uuid7().hex[-4:]}:{uuid7().hex[-4:]}"
    answer = client.post(URL, BODY, "application/json", headers={"Authorization": "Bearer forged"}, REMOTE_ADDR=address)
    assert answer.status_code == 401
    assert answer.json()["error"] == "unauthorized"
    kept = Refusal.objects.get()
    assert (kept.code, kept.path, ip_address(kept.address)) == ("unauthorized", URL, ip_address(address))
    assert HealthSample.objects.count() == 0


def test_nobody_fills_the_table_of_refusals(client, agent):
    for _ in range(60):
        client.post(
            URL, BODY, "application/json", headers={"Authorization": "Bearer forged"}, REMOTE_ADDR="198.51.100.9"
        )
    assert 0 < Refusal.objects.count() <= 30


def test_a_revoked_agent_is_told_so_and_changes_nothing(agent, machine, now):
    Agent.objects.filter(pk=agent.row.pk).update(revoked_at=now)
    with pytest.raises(AgentRefused) as refused:
        send(agent, now)
    assert (refused.value.code, refused.value.status) == ("revoked", 401)
    assert HealthSample.objects.count() == 0


def test_the_answer_is_the_one_of_the_protocol(client, agent, settings):
    answer = client.post(URL, BODY, "application/json", headers=agent.headers)
    assert answer.status_code == 200
    assert set(answer.json()) == {"server_time", "work", "rotate", "latest_version", "heartbeat_seconds"}
    assert answer.json()["heartbeat_seconds"] == 30
    again = client.post(URL, BODY, "application/json", headers=agent.headers)
    assert (again.status_code, again.json()["error"]) == (429, "too_often")
    assert int(again["Retry-After"]) > 0
    assert not answer.cookies


@pytest.mark.parametrize(
    ("body", "status"), [("", 200), ("{", 400), ("[]", 400), ("x" * 70_000, 413), ('{"health": 1}', 200)]
)
def test_bodies_that_are_no_heartbeat(client, agent, body, status):
    answer = client.post(URL, body, "application/json", headers=agent.headers)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"


def test_without_a_token_nothing_is_kept(client, agent):
    assert client.post(URL, BODY, "application/json").status_code == 401
    assert Refusal.objects.count() == 0


def test_one_agents_token_says_nothing_about_another_machine(agent, other_provider, now):
    other = make_machine(other_provider, "other")
    make_agent(other, last_heartbeat_at=now - 30 * SECOND)
    send(agent, now, BODY | {"agent": str(other.pk), "machine": str(other.pk)})
    other.refresh_from_db()
    assert other.health_indicators == {}


# Being online ---------------------------------------------------------------------------------------------


def test_the_first_heartbeat_makes_a_machine_online_and_is_no_outage(machine, now):
    agent = make_agent(machine, last_heartbeat_at=None, status=AgentStatus.OFFLINE)
    send(agent, now)
    machine.refresh_from_db()
    assert machine.provider_agent_status == AgentStatus.ONLINE
    assert not Outage.objects.exists()


def test_a_gap_that_no_sweep_has_seen_is_an_outage(agent, machine, now):
    pulse.note_alive(now=now - 10 * SECOND)
    Agent.objects.filter(pk=agent.row.pk).update(last_heartbeat_at=now - timedelta(minutes=4))
    send(agent, now)
    outage = Outage.objects.get()
    assert (outage.began_at, outage.ended_at) == (now - timedelta(minutes=4), now)
    assert machine.provider.notifications.count() == 0


def test_a_pause_of_ninety_seconds_is_none(agent, now):
    Agent.objects.filter(pk=agent.row.pk).update(last_heartbeat_at=now - 90 * SECOND)
    send(agent, now)
    assert not Outage.objects.exists()


def test_a_gap_while_the_marketplace_was_away_is_no_outage(agent, now):
    """The agents come back at some time within a minute and a half, before any sweep has looked."""
    pulse.PlatformPulse.objects.update(at=now - timedelta(minutes=5))
    Agent.objects.filter(pk=agent.row.pk).update(last_heartbeat_at=now - timedelta(minutes=5, seconds=25))
    send(agent, now)
    away = PlatformOutage.objects.get()
    assert (away.began_at, away.ended_at) == (now - timedelta(minutes=5), now)
    assert not Outage.objects.exists()


def test_a_cluster_is_online_when_all_of_its_nodes_are(cluster, now):
    first, second = (
        make_agent(cluster, node, last_heartbeat_at=None, status=AgentStatus.OFFLINE) for node in cluster.nodes.all()
    )
    send(first, now)
    cluster.refresh_from_db()
    assert cluster.provider_agent_status == AgentStatus.OFFLINE
    send(second, now + SECOND)
    cluster.refresh_from_db()
    assert cluster.provider_agent_status == AgentStatus.ONLINE


def test_a_clusters_health_says_the_mean_the_worst_and_each_node(cluster, now):
    first, second = (make_agent(cluster, node, last_heartbeat_at=None) for node in cluster.nodes.all())
    send(first, now, cpu_percent=10.0, temperature_c=40.0, network_rx_mbps=5.0, disk_percent=10.0)
    send(second, now, cpu_percent=30.0, temperature_c=70.0, network_rx_mbps=7.0, disk_percent=95.0)
    send(first, now + 30 * SECOND, cpu_percent=20.0, temperature_c=41.0, network_rx_mbps=6.0, disk_percent=10.0)
    cluster.refresh_from_db()
    health = cluster.health_indicators
    said = [health[key] for key in ("cpu_percent", "temperature_c", "network_rx_mbps", "disk_percent")]
    assert said == [25.0, 70.0, 13.0, 95.0]
    assert (health["nodes"]["a"]["cpu_percent"], health["nodes"]["b"]["cpu_percent"]) == (20.0, 30.0)


# Races ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("ago", [30, 300])
def test_of_two_heartbeats_at_once_one_counts(machine, now, ago):
    """The usual way and the unusual one: one sample, one outage at most."""
    pulse.note_alive(now=now - 10 * SECOND)
    agent = make_agent(machine, last_heartbeat_at=now - ago * SECOND)
    results = at_once([partial(send, agent, now)] * 4)
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 3
    assert all(isinstance(result, TooManyRequests) for result in refused), results
    assert HealthSample.objects.filter(agent=agent.row).count() == 1
    assert Outage.objects.count() == (1 if ago > 90 else 0)


@pytest.mark.django_db(transaction=True)
def test_a_new_token_used_twice_at_once_is_taken_once(machine, now):
    agent = make_agent(machine, last_heartbeat_at=now - 30 * SECOND, next_token_hash=digest("new"))
    results = at_once([partial(send, agent, now, token="new")] * 2)
    assert sum(isinstance(result, TooManyRequests) for result in results) == 1, results
    agent.row.refresh_from_db()
    assert (agent.row.token_hash, agent.row.next_token_hash) == (digest("new"), None)


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_does_not_wait_for_somebody_who_has_the_machine(agent, machine, now):
    """A booking that is taken, a wipe that is recorded: they hold the machine's row, heartbeats go on."""
    from django.db import transaction

    with transaction.atomic():
        Machine.objects.select_for_update().get(pk=machine.pk)
        (beat,) = at_once([partial(send, agent, now)])
    assert beat.agent_id == agent.row.pk


def test_health_is_json_that_everybody_reads(agent, machine, now):
    send(agent, now)
    machine.refresh_from_db()
    assert "NaN" not in json.dumps(machine.health_indicators, allow_nan=False)
