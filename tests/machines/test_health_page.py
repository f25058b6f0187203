"""How a machine is doing, as its provider sees it."""

import re
from datetime import timedelta

import pytest
from django.db import connection

from machines import health, partitions
from machines.models import AgentStatus, HealthHour, HealthSample, Machine, MaintenanceWindow, Outage, PlatformOutage
from tests.agents import make_agent
from tests.people import make_machine

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SAID = {"cpu_percent": 12.5, "gpu_percent": 99.0, "memory_percent": 96.0, "temperature_c": 81.0, "network_rx_mbps": 3.4}


@pytest.fixture
def watched(machine, now):
    Machine.objects.filter(pk=machine.pk).update(
        access_kind="agent", provider_agent_status=AgentStatus.ONLINE, health_indicators=SAID
    )
    machine.refresh_from_db()
    return machine


@pytest.fixture
def agent(watched, now):
    return make_agent(watched, last_heartbeat_at=now, health=SAID, enrolled_at=now - 60 * DAY).row


def page(client, machine, user=None, **query):
    client.force_login(user or machine.provider)
    return client.get(f"/machines/{machine.pk}/health/", query)


def samples(agent, *, start, end, every=MINUTE, **figures):
    at = start
    while at < end:
        HealthSample.objects.create(agent=agent, at=at, **figures)
        at += every


def paths(html):
    return re.findall(r'<path class="series-\d" d="([^"]*)"', html)


def test_it_says_how_the_machine_is_now(client, watched, agent):
    html = page(client, watched).content.decode()
    for words in ("Online", "12.5\xa0%", "99\xa0%", "81\xa0°C", "3.4\xa0Mbit/s"):
        assert words in html
    assert 'class="stat bad"' in html  # 96 % of the memory


def test_only_its_provider_and_platform_administrators_see_it(
    client, watched, agent, administrator, other_provider, buyer
):
    assert page(client, watched, administrator).status_code == 200
    assert page(client, watched, other_provider).status_code == 404
    assert page(client, watched, buyer).status_code == 404


def test_without_an_agent_it_says_how_to_get_one(client, machine):
    html = page(client, machine).content.decode()
    assert "No agent yet" in html
    assert f"/machines/{machine.pk}/agent/" in html


def test_it_asks_again_by_itself_for_what_changes_alone(client, watched, agent):
    client.force_login(watched.provider)
    address = f"/machines/{watched.pk}/health/?span=month"
    html = client.get(address).content.decode()
    assert f'hx-get="{address}" hx-trigger="every 30s"' in html
    fragment = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="health"')
    assert "<html" not in fragment


def test_a_silence_is_a_gap_in_the_line(agent, watched, now):
    span = health.SPANS["day"]
    start, end = span.window(now)
    samples(agent, start=start, end=start + HOUR, every=5 * MINUTE, cpu_percent=10)
    samples(agent, start=start + 2 * HOUR, end=start + 3 * HOUR, every=5 * MINUTE, cpu_percent=20)
    read = health.figures([agent.pk], span, start, end)["cpu_percent"]
    assert len(read) == 288
    assert read[:12] == [10.0] * 12
    assert read[12:24] == [None] * 12
    assert read[24:36] == [20.0] * 12
    (cpu, *_) = health.charts(watched, span, node="", bands=[], now=now)
    assert cpu.lines[0].path.count("M") == 2


def test_a_bucket_is_the_mean_and_of_the_temperature_the_highest(agent, now):
    span = health.SPANS["day"]
    start, end = span.window(now)
    for seconds, cpu, heat in ((0, 10, 40), (60, 30, 80), (299, 20, 60)):
        HealthSample.objects.create(
            agent=agent, at=start + timedelta(seconds=seconds), cpu_percent=cpu, temperature_c=heat
        )
    read = health.figures([agent.pk], span, start, end)
    assert (read["cpu_percent"][0], read["temperature_c"][0], read["disk_percent"][0]) == (20.0, 80.0, None)


def test_a_month_is_read_from_the_hours(client, watched, agent, now):
    for ago in range(1, 60):
        HealthHour.objects.create(
            agent=agent,
            hour=now.replace(minute=0, second=0) - ago * HOUR,
            samples=120,
            means={"cpu_percent": 50.0},
            peaks={"cpu_percent": 90.0, "temperature_c": 70.0},
        )
    start, end = health.SPANS["month"].window(now)
    read = health.figures([agent.pk], health.SPANS["month"], start, end)
    assert len(read["cpu_percent"]) == 360
    assert [value for value in read["cpu_percent"] if value is not None] == [50.0] * 30
    assert read["temperature_c"][-3] == 70.0
    html = page(client, watched, span="month").content.decode()
    assert len(paths(html)) == 8
    assert "Means over 2 hours" in html


def test_what_was_rolled_up_is_what_was_sampled(agent, now):
    hour = now.replace(minute=0, second=0)
    samples(agent, start=hour - 3 * HOUR, end=hour, every=10 * MINUTE, gpu_percent=33)
    partitions.roll_up(now=now)
    start, end = health.SPANS["month"].window(now)
    assert health.figures([agent.pk], health.SPANS["month"], start, end)["gpu_percent"][-2] == 33.0


def test_former_installations_on_the_same_server_are_part_of_its_history(watched, agent, now):
    old = make_agent(watched, revoked_at=now - DAY).row
    assert set(health.server_ids(watched)) == {agent.pk, old.pk}


def test_outages_maintenance_and_the_marketplaces_absences_are_told_with_their_length(client, watched, agent, now):
    Outage.objects.create(machine=watched, agent=agent, began_at=now - 5 * HOUR, ended_at=now - 4 * HOUR - 18 * MINUTE)
    Outage.objects.create(machine=watched, agent=agent, began_at=now - 7 * MINUTE)
    Outage.objects.create(machine=watched, agent=agent, began_at=now - 40 * DAY, ended_at=now - 39 * DAY)
    PlatformOutage.objects.create(began_at=now - 9 * HOUR, ended_at=now - 8 * HOUR)
    MaintenanceWindow.objects.create(
        machine=watched, kind="disk", start=now - 12 * HOUR, end=now - 10 * HOUR, announced_by=watched.provider
    )
    start, end = health.SPANS["day"].window(now)
    found = health.stretches(watched, start, end, now=now)
    assert [one.kind for one in found] == ["outage", "outage", "platform", "upkeep"]
    html = page(client, watched).content.decode()
    for words in ("42 minutes", "for 7 minutes", "Maintenance: disk", "The marketplace was away"):
        assert words in html
    assert html.count('<rect class="outage"') == 2 * (1 + 6)  # in the bar and behind each chart


def test_a_cluster_shows_each_node_and_one_at_a_time(client, provider, now):
    cluster = make_machine(provider, "cluster", kind="cluster", access_kind="agent")
    agents = []
    for number, name in enumerate(("a", "b")):
        node = cluster.nodes.create(name=name, gpu_count=4, cpu_cores=48, ram_gb=768, disk_size_gb=3840)
        status = AgentStatus.ONLINE if number else AgentStatus.OFFLINE
        agents.append(make_agent(cluster, node, status=status, health=SAID).row)
    Outage.objects.create(machine=cluster, agent=agents[0], began_at=now - 7 * MINUTE)
    html = page(client, cluster).content.decode()
    assert "1 of 2" in html
    assert "No sign of life on a" in html
    assert "No sign of life" not in page(client, cluster, node="b").content.decode()
    assert page(client, cluster, node="no such node").status_code == 200
    samples(agents[0], start=now - 10 * MINUTE, end=now, cpu_percent=10)
    samples(agents[1], start=now - 10 * MINUTE, end=now, cpu_percent=30)
    span = health.SPANS["day"]
    assert health.figures(health.server_ids(cluster), span, *span.window(now))["cpu_percent"][-2] == 20.0
    assert health.figures(health.server_ids(cluster, "b"), span, *span.window(now))["cpu_percent"][-2] == 30.0


def test_a_machine_without_gpus_shows_none(client, watched, agent):
    Machine.objects.filter(pk=watched.pk).update(gpu_count=0)
    html = page(client, watched).content.decode()
    assert "GPU, %" not in html
    assert "CPU, %" in html


@pytest.mark.parametrize("query", [{"span": "x"}, {"span": "year", "node": "\0"}, {"node": "<script>"}])
def test_what_makes_no_sense_in_the_address_is_left_out(client, watched, agent, query):
    response = page(client, watched, **query)
    assert response.status_code == 200
    assert b"<script>" not in response.content.split(b"<main")[1]


def test_the_machines_page_leads_there_and_the_public_one_says_online(client, watched, agent, listing):
    client.force_login(watched.provider)
    assert f"/machines/{watched.pk}/health/" in client.get(f"/machines/{watched.pk}/").content.decode()
    assert "online now" in client.get(f"/listings/{listing.pk}/").content.decode()
    assert "online now" in client.get("/listings/").content.decode()
    Machine.objects.filter(pk=watched.pk).update(provider_agent_status=AgentStatus.OFFLINE)
    assert "offline now" in client.get(f"/listings/{listing.pk}/").content.decode()
    assert "offline now" in client.get("/listings/").content.decode()


def test_a_manual_machine_has_no_such_mark(client, machine, listing):
    html = client.get(f"/listings/{listing.pk}/").content.decode()
    assert "online now" not in html
    assert "offline now" not in html


def test_a_month_of_one_machine_is_found_through_an_index(agent, now):
    start, end = health.SPANS["month"].window(now)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        values = {"agents": [agent.pk], "start": start, "end": end, "seconds": 3600.0}
        cursor.execute(f"EXPLAIN {health.HOURS}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Scan" in plan or "Bitmap Index" in plan


def test_the_time_before_the_first_agent_is_not_called_heard(client, watched, now):
    make_agent(watched, enrolled_at=now - 2 * HOUR)
    start, end = health.SPANS["day"].window(now)
    (before,) = health.stretches(watched, start, end, now=now)
    assert (before.kind, before.start, before.end) == ("before", start, now - 2 * HOUR)
    html = page(client, watched).content.decode()
    assert '<rect class="before"' in html
    assert "Without a gap" in html
