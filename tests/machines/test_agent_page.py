"""Adding a machine with the agent, the command, and the page that shows how it comes to life."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from machines.models import (
    OPEN,
    AccessKind,
    Agent,
    AgentStatus,
    Benchmark,
    EnrollmentCode,
    Machine,
    MachineKind,
    Work,
    WorkKind,
    WorkState,
)
from machines.services.agents import ask_for_inventory, revoke_agent
from machines.services.enrollment import digest, make_code
from machines.services.errors import MachineError
from machines.services.passports import take_inventory
from machines.services.work import ask_for
from tests.machines.agents import make_agent, make_unread
from tests.machines.inventories import H100, gpus, inventory
from tests.people import make_listing, make_machine

FACTS = {
    "name": "aurora-01",
    "country": "DE",
    "region": "Hamburg",
    "network_bandwidth": "10 Gbps",
    "network_mbps": "",
    "access_kind": "agent",
    "container_image": "",
    "ssh_host": "",
    "ssh_port": "22",
}
CHECK = {
    "id": "ssh.port",
    "title": "sshd answers on its port",
    "actual": "22: closed",
    "required": "open",
    "status": "fail",
    "why": "Buyers come in over it.",
    "remedy": "systemctl enable --now ssh",
}
HTMX = {"HTTP_HX_REQUEST": "true"}


def page_of(machine: Machine) -> str:
    return reverse("machine_agent", args=[machine.pk])


@pytest.fixture
def unread(provider) -> Machine:
    return make_unread(provider)


@pytest.fixture
def at_home(client, provider):
    client.force_login(provider)
    return client


# Adding -----------------------------------------------------------------------------------------------


def test_a_machine_is_added_without_typing_its_hardware(at_home):
    response = at_home.post(reverse("machine_add"), FACTS)
    machine = Machine.objects.get()
    assert response["Location"] == page_of(machine)
    assert machine.awaits_inventory
    assert (machine.name, machine.access_kind, machine.kind) == ("aurora-01", AccessKind.AGENT, MachineKind.SINGLE)
    assert "One command" in at_home.get(response["Location"]).text


def test_a_cluster_is_added_by_the_names_of_its_nodes_or_by_their_number(at_home):
    url = f"{reverse('machine_add')}?kind=cluster"
    at_home.post(url, FACTS | {"nodes": "alpha, beta  gamma"})
    at_home.post(url, FACTS | {"nodes": "3", "name": "second"})
    first, second = Machine.objects.order_by("created_at")
    assert [node.name for node in first.nodes.all()] == ["alpha", "beta", "gamma"]
    assert [node.name for node in second.nodes.all()] == ["node-01", "node-02", "node-03"]


@pytest.mark.parametrize("nodes", ["", "0", "65", "twice twice", "9" * 5000, "x" * 81, ",,,"])
def test_nodes_that_cannot_be_are_refused_and_what_was_typed_stays(at_home, nodes):
    response = at_home.post(f"{reverse('machine_add')}?kind=cluster", FACTS | {"nodes": nodes})
    assert response.status_code == 422
    assert "aurora-01" in response.text
    assert not Machine.objects.exists()


def test_a_container_gets_an_image(at_home):
    at_home.post(reverse("machine_add"), FACTS | {"access_kind": "container"})
    machine = Machine.objects.get()
    assert (machine.access_kind, machine.container_image) == ("container", "docker.io/library/ubuntu:24.04")


@pytest.mark.parametrize(
    "wrong", [{"access_kind": "manual"}, {"container_image": "a b; rm"}, {"ssh_host": "a b"}, {"name": ""}]
)
def test_what_does_not_fit_comes_back(at_home, wrong):
    assert at_home.post(reverse("machine_add"), FACTS | wrong).status_code == 422
    assert not Machine.objects.exists()


def test_who_is_no_provider_is_shown_how_to_become_one(client, buyer):
    client.force_login(buyer)
    assert client.get(reverse("machine_add"))["Location"] == reverse("machine_list")


def test_by_hand_is_still_there_and_points_to_the_agent(at_home):
    assert reverse("machine_create") in at_home.get(reverse("machine_add")).text
    assert reverse("machine_add") in at_home.get(reverse("machine_create")).text


# The command ------------------------------------------------------------------------------------------


def show(client, machine: Machine, **data) -> str:
    return client.post(reverse("machine_agent_code", args=[machine.pk]), data, follow=True).text


def codes_in(page: str) -> list[str]:
    return re.findall(r"--code (\S{4}-\S{4}-\S{4})</code>", page)


def test_the_command_is_shown_once_it_is_asked_for(at_home, unread, settings):
    settings.SITE_URL = "https://servers.example.org"
    assert not codes_in(at_home.get(page_of(unread)).text)
    (code,) = codes_in(page := show(at_home, unread))
    assert EnrollmentCode.objects.get().code_hash == digest(code)
    assert "curl -fsSLO https://servers.example.org/agent/rsm-agent.pyz" in page
    assert "sha256sum -c" in page
    assert "sudo python3 rsm-agent.pyz enroll --install --server https://servers.example.org" in page
    assert codes_in(at_home.get(page_of(unread)).text) == [code]


def test_the_sum_in_the_command_is_that_of_the_program(at_home, unread):
    (told,) = set(re.findall(r"([0-9a-f]{64})  rsm-agent\.pyz", show(at_home, unread)))
    assert at_home.get(reverse("agent_program_sha256")).text.startswith(told)


def test_a_new_command_makes_the_old_one_useless(at_home, unread):
    (old,) = codes_in(show(at_home, unread))
    (new,) = codes_in(show(at_home, unread))
    assert old != new
    left = EnrollmentCode.objects.filter(used_at=None, expires_at__gt=unread.created_at + timedelta(minutes=10))
    assert [code.code_hash for code in left] == [digest(new)]


def test_the_code_itself_is_kept_nowhere_but_in_the_session_of_who_asked(at_home, unread, provider, client):
    (code,) = codes_in(show(at_home, unread))
    assert code not in str(EnrollmentCode.objects.values())
    client.logout()
    client.force_login(provider)
    page = client.get(page_of(unread)).text
    assert code not in page
    assert "shown only to the person who asked for it" in page


def test_a_cluster_gets_a_command_for_each_node_that_has_no_agent(at_home, provider, now):
    machine = make_unread(provider, "node-1", "node-2", "node-3")
    make_agent(machine, now=now, node=machine.nodes.first())
    page = show(at_home, machine)
    assert len(codes_in(page)) == 2
    assert "1 of 3 nodes" in page
    assert {code.node.name for code in EnrollmentCode.objects.all()} == {"node-2", "node-3"}


def test_a_used_or_expired_code_is_no_longer_shown(at_home, unread, now):
    (code,) = codes_in(show(at_home, unread))
    EnrollmentCode.objects.update(expires_at=now - timedelta(seconds=1))
    page = at_home.get(page_of(unread)).text
    assert code not in page
    assert "Show the command" in page


def test_asking_for_a_code_does_not_touch_another_machines(at_home, unread, provider):
    other = make_machine(provider, "other")
    show(at_home, other)
    show(at_home, unread)
    assert len(codes_in(at_home.get(page_of(other)).text)) == 1


# Step by step -----------------------------------------------------------------------------------------


def states(client, machine: Machine) -> list[str]:
    return [step["state"] for step in client.get(page_of(machine)).context["state"].steps]


def test_the_page_shows_each_step_as_it_is_reached(at_home, unread, now, provider, administrator):
    assert states(at_home, unread) == ["now", "next", "next", "next", "next", "next"]
    agent = make_agent(unread, now=now)
    assert states(at_home, unread) == ["done", "now", "next", "next", "next", "next"]
    take_inventory(agent=agent, inventory=H100, now=now)
    assert states(at_home, unread) == ["done", "done", "now", "next", "next", "next"]
    agent.self_test, agent.self_test_at = [CHECK | {"status": "pass"}], now
    agent.save(update_fields=["self_test", "self_test_at"])
    assert states(at_home, unread) == ["done", "done", "done", "now", "next", "next"]
    agent.status, agent.last_heartbeat_at = AgentStatus.ONLINE, now
    agent.save(update_fields=["status", "last_heartbeat_at"])
    assert states(at_home, unread) == ["done", "done", "done", "done", "now", "next"]
    run = Benchmark.objects.create(machine=unread, cpu_score=1000.0, collected_at=now)
    assert "An administrator looks at the figures" in at_home.get(page_of(unread)).text
    run.status, run.decided_at, run.decided_by = "approved", now, administrator
    run.save(update_fields=["status", "decided_at", "decided_by"])
    Machine.objects.filter(pk=unread.pk).update(verified_benchmark=run)
    assert states(at_home, unread) == ["done", "done", "done", "done", "done", "now"]
    make_listing(unread)
    assert states(at_home, unread) == ["done"] * 6


def test_a_check_that_failed_says_why_and_what_helps(at_home, unread, now):
    make_agent(
        unread, now=now, self_test=[CHECK | {"id": "a", "status": "pass", "title": "First"}, CHECK], self_test_at=now
    )
    page = at_home.get(page_of(unread)).text
    for words in (
        *(CHECK[key] for key in ("id", "title", "actual", "required", "why", "remedy")),
        "1 passed, 1 failed",
    ):
        assert words in page
    assert page.index(CHECK["actual"]) < page.index("First")


def test_what_a_machine_says_of_itself_is_no_markup(at_home, unread, now):
    make_agent(
        unread, now=now, hostname="<b>bold</b>", self_test=[CHECK | {"title": "<script>x</script>"}], self_test_at=now
    )
    page = at_home.get(page_of(unread)).text
    assert "<script>x" not in page
    assert "<b>bold" not in page


def test_while_something_is_expected_the_page_asks_again_and_is_told_only_what_is_new(at_home, unread, now):
    page = show(at_home, unread)
    (seen,) = re.findall(r'hx-get="[^"]*\?seen=(\w+)"', page)
    url = f"{page_of(unread)}?seen={seen}"
    assert at_home.get(url, **HTMX).status_code == 204
    agent = make_agent(unread, now=now)
    fragment = at_home.get(url, **HTMX)
    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert "Enrolled" in fragment.text
    take_inventory(agent=agent, inventory=H100, now=now)
    (seen,) = re.findall(r"\?seen=(\w+)", fragment.text)
    assert at_home.get(f"{page_of(unread)}?seen={seen}", **HTMX).status_code == 200


def test_a_page_on_which_nothing_is_expected_does_not_ask_again(at_home, unread, now):
    assert "hx-trigger" not in at_home.get(page_of(unread)).text
    make_agent(unread, now=now - timedelta(days=1), last_heartbeat_at=now - timedelta(hours=1))
    page = at_home.get(page_of(unread)).text
    assert "hx-trigger" not in page
    assert "1 hour ago" in page


def test_the_page_costs_the_same_however_many_nodes(at_home, provider, now, django_assert_max_num_queries):
    machine = make_unread(provider, *(f"node-{number}" for number in range(8)))
    for node in machine.nodes.all():
        agent = make_agent(machine, now=now, node=node, self_test=[CHECK], self_test_at=now)
        take_inventory(agent=agent, inventory=H100, now=now)
    with django_assert_max_num_queries(16):
        assert at_home.get(page_of(machine)).status_code == 200


# A machine that was described by hand -------------------------------------------------------------------


def test_a_machine_by_hand_leads_to_the_same_page(at_home, provider):
    machine = make_machine(provider)
    page = at_home.get(reverse("machine_detail", args=[machine.pk])).text
    assert "Let an agent do it" in page
    assert page_of(machine) in page
    assert len(codes_in(show(at_home, machine))) == 1


def test_what_differs_is_shown_on_the_machines_page_with_a_way_out(at_home, provider, now):
    machine = make_machine(provider, ram_gb=2048)
    take_inventory(agent=make_agent(machine, now=now), inventory=H100, now=now)
    page = at_home.get(reverse("machine_detail", args=[machine.pk])).text
    assert "The hardware is not what is claimed" in page
    adopt = reverse("machine_adopt", args=[machine.pk])
    assert adopt in page
    page = at_home.post(adopt, follow=True).text
    assert "described as the agent found it" in page
    assert "The hardware is not what is claimed" not in page


def test_gpus_under_a_verified_benchmark_are_not_taken_over_and_it_says_why(at_home, machine, now):
    take_inventory(agent=make_agent(machine, now=now), inventory=inventory(gpus=gpus(4)), now=now)
    page = at_home.post(reverse("machine_adopt", args=[machine.pk]), follow=True).text
    assert "verified benchmark was measured on these GPUs" in page


def test_how_buyers_come_in_is_edited_only_where_an_agent_lets_them_in(at_home, provider, unread, now):
    by_hand = make_machine(provider, "by-hand")
    assert "container_image" not in at_home.get(reverse("machine_edit", args=[by_hand.pk])).text
    take_inventory(agent=make_agent(unread, now=now), inventory=H100, now=now)
    assert "container_image" in at_home.get(reverse("machine_edit", args=[unread.pk])).text


def test_editing_a_machine_that_was_not_read_yet_does_not_ask_for_its_hardware(at_home, provider, unread):
    url = reverse("machine_edit", args=[unread.pk])
    page = at_home.get(url).text
    assert "cpu_cores" not in page
    assert at_home.post(url, FACTS | {"name": "renamed", "ssh_host": "gpu.example.org"}).status_code == 302
    unread.refresh_from_db()
    assert (unread.name, unread.ssh_host, unread.awaits_inventory) == ("renamed", "gpu.example.org", True)


def test_a_node_that_was_not_read_yet_can_be_renamed_and_one_with_an_agent_cannot(at_home, provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    url = reverse("machine_edit", args=[machine.pk])
    assert 'value="node-1 node-2"' in at_home.get(url).text
    at_home.post(url, FACTS | {"nodes": "alpha node-2"})
    assert [node.name for node in machine.nodes.all()] == ["alpha", "node-2"]
    make_agent(machine, now=now, node=machine.nodes.get(name="alpha"))
    response = at_home.post(url, FACTS | {"nodes": "beta node-2"})
    assert response.status_code == 422
    assert "alpha has an agent" in response.text
    assert [node.name for node in machine.nodes.all()] == ["alpha", "node-2"]


# The passport's pages -----------------------------------------------------------------------------------


def test_the_passports_page_shows_every_version_and_what_had_changed(at_home, provider, now):
    machine = make_machine(provider)
    empty = at_home.get(reverse("machine_passport", args=[machine.pk])).text
    assert "Nothing has been read yet" in empty
    agent = make_agent(machine, now=now)
    take_inventory(agent=agent, inventory=H100, now=now)
    take_inventory(agent=agent, inventory=inventory(gpus=gpus(7)), now=now)
    page = at_home.get(reverse("machine_passport", args=[machine.pk])).text
    for words in ("Version 1", "Version 2", "GPU 7", "missing", "sha256"):
        assert words in page
    assert "GPU-0000" not in page


def test_everybody_sees_a_summary_on_the_listing(client, listing, now):
    url = reverse("listing_detail", args=[listing.pk])
    assert "Hardware passport" not in client.get(url).text
    take_inventory(agent=make_agent(listing.machine, now=now), inventory=H100, now=now)
    page = client.get(url).text
    assert "Hardware passport, version 1" in page
    assert "8 × NVIDIA H100 80GB HBM3" in page
    for secret in ("GPU-0000", "0" * 30, "nvme0n1", "SAMSUNG"):
        assert secret not in page


# Looking again, and revoking ----------------------------------------------------------------------------


def test_asking_for_the_hardware_twice_asks_once(at_home, unread, now):
    url = reverse("machine_inventory", args=[unread.pk])
    assert "no agent yet" in at_home.post(url, follow=True).text
    agent = make_agent(unread, now=now)
    for _ in range(2):
        at_home.post(url)
    (work,) = Work.objects.filter(agent=agent, kind=WorkKind.INVENTORY)
    assert work.state in OPEN


def test_it_is_asked_again_once_it_is_done(unread, provider, now):
    make_agent(unread, now=now)
    (first,) = ask_for_inventory(machine=unread, by=provider, now=now)
    Work.objects.filter(pk=first.pk).update(state=WorkState.DONE)
    (second,) = ask_for_inventory(machine=unread, by=provider, now=now + timedelta(seconds=1))
    assert first != second


def test_a_revoked_agent_is_offline_and_asked_for_nothing_more(at_home, unread, now, provider):
    agent = make_agent(unread, now=now, status=AgentStatus.ONLINE)
    Machine.objects.filter(pk=unread.pk).update(provider_agent_status=AgentStatus.ONLINE)
    work = ask_for(agent=agent, kind=WorkKind.INVENTORY, key="inventory:x", payload={}, now=now)
    url = reverse("agent_revoke", args=[unread.pk, agent.pk])
    for _ in range(2):
        page = at_home.post(url, {"reason": "sold"}, follow=True).text
    assert "sold" in page
    agent.refresh_from_db()
    assert (agent.revoked_because, agent.revoked_by, agent.status) == ("sold", provider, AgentStatus.OFFLINE)
    work.refresh_from_db()
    unread.refresh_from_db()
    assert (work.state, unread.provider_agent_status) == (WorkState.CANCELED, AgentStatus.OFFLINE)


@pytest.mark.parametrize("state", ["running", "over"])
def test_an_agent_is_not_revoked_under_a_booking(at_home, machine, now, administrator, state, request):
    request.getfixturevalue(state)
    agent = make_agent(machine, now=now)
    page = at_home.post(reverse("agent_revoke", args=[machine.pk, agent.pk]), follow=True).text
    assert "it stays until then" in page
    with pytest.raises(MachineError):
        revoke_agent(agent=agent, by=machine.provider, now=now, reason="")
    revoke_agent(agent=agent, by=administrator, now=now, reason="A forged report")
    agent.refresh_from_db()
    assert agent.revoked_at == now


def test_another_machines_agent_is_not_revoked_through_ones_own(at_home, machine, other_listing, now):
    theirs = make_agent(other_listing.machine, now=now)
    mine = make_agent(machine, now=now)
    for machine_pk, agent_pk in (
        (machine.pk, theirs.pk),
        (other_listing.machine_id, theirs.pk),
        (theirs.machine_id, mine.pk),
    ):
        assert at_home.post(reverse("agent_revoke", args=[machine_pk, agent_pk])).status_code == 404
    assert Agent.objects.enrolled().count() == 2


def test_codes_of_another_machine_are_not_made(at_home, other_listing, now):
    assert at_home.post(reverse("machine_agent_code", args=[other_listing.machine_id])).status_code == 404
    assert not EnrollmentCode.objects.exists()
    assert make_code(machine=other_listing.machine, node=None, by=other_listing.machine.provider, now=now)
