"""What one provider, who is root on the machine and holds its key, can use up of what belongs to all; and where it ends."""

import json
import threading
from typing import Any

import pytest
from django.utils import timezone

from common.rates import TooManyRequests
from machines.models import Agent, Refusal, Report, Work, WorkKind, WorkState
from machines.services import measuring
from machines.services.agents import ask_for_inventory
from machines.services.errors import Implausible
from machines.services.work import ask_for, next_work
from machines.views import agent_api
from tests.agents import SigningAgent, make_agent
from tests.machines.inventories import inventory
from tests.people import make_machine
from tests.racing import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(machine):
    return make_agent(machine)


def send(client, agent: SigningAgent, path: str, body: Any, **more: Any):
    return client.post(
        f"/agent/v1/{path}", json.dumps(body), content_type="application/json", headers=agent.headers, **more
    )


def asked(agent: SigningAgent) -> Work:
    now = timezone.now()
    ask_for(agent=agent.row, kind=WorkKind.INVENTORY, key=f"inventory:{agent.row.pk}", payload={}, now=now)
    work = next_work(agent=agent.row, have=(), now=now)
    assert work is not None
    return work


CHECK = {"id": "x", "title": "X", "status": "pass"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("rotate", {"kind": "rotate", "ballast": "x" * 5000}),
        ("unenroll", {"kind": "unenroll", "ballast": "x" * 5000}),
        ("self-test", {"kind": "self_test", "checks": [CHECK], "ballast": "x" * 200_000}),
    ],
)
def test_what_is_kept_for_good_is_not_large(client, agent, path, message):
    answer = send(client, agent, path, agent.signed(message))

    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert not Report.objects.exists()
    assert Agent.objects.get(pk=agent.row.pk).revoked_at is None


def test_an_inventory_is_not_large(client, agent):
    work = asked(agent)
    large = agent.report(work, {"inventory": inventory(), "ballast": "x" * 300_000})

    answer = send(client, agent, f"work/{work.pk}/report", large)

    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("path", "message"), [("rotate", {"kind": "rotate"}), ("self-test", {"kind": "self_test", "checks": [CHECK]})]
)
def test_what_nobody_asked_for_is_not_kept_without_end(client, agent, path, message):
    answers = [send(client, agent, path, agent.signed(message)).status_code for _ in range(32)]

    assert answers == [200] * 30 + [429] * 2
    assert Report.objects.count() == 30


def test_what_is_said_again_is_answered_and_not_kept_again(client, agent):
    work = asked(agent)
    for already in (False, True, True):
        answer = send(client, agent, f"work/{work.pk}/report", agent.report(work, {"inventory": inventory()}))
        assert answer.json() == {"accepted": True, "already": already}

    assert Report.objects.count() == 1
    # What was answered counts as heard all the same: it cannot be replayed.
    assert Agent.objects.get(pk=agent.row.pk).sequence > Report.objects.get().sequence


def test_a_hardware_inventory_is_asked_for_only_so_often(agent, provider):
    for _ in range(30):
        ask_for_inventory(machine=agent.row.machine, by=provider, now=timezone.now())
        Work.objects.open().update(state=WorkState.DONE, lease_until=None)
    with pytest.raises(TooManyRequests):
        ask_for_inventory(machine=agent.row.machine, by=provider, now=timezone.now())


def test_signs_that_the_database_cannot_keep_are_left_out(client, agent):
    work = asked(agent)
    said = agent.report(work, {"inventory": inventory(), "more\0": ["a\0b"]})
    assert send(client, agent, f"work/{work.pk}/report", said).status_code == 200
    assert Work.objects.get(pk=work.pk).result == {"more": ["ab"]}

    checks = agent.signed({"kind": "self_test", "checks": [CHECK | {"actual": "a\0b"}]})
    assert send(client, agent, "self-test", checks).status_code == 200
    assert Agent.objects.get(pk=agent.row.pk).self_test[0]["actual"] == "ab"


def nested(depth: int) -> Any:
    found: Any = "deep"
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("depth", [200, 700, 950])
def test_a_report_that_is_nested_deeply_breaks_nothing(client, agent, depth):
    work = asked(agent)
    body = agent.report(work, {"inventory": inventory(), "more": nested(depth)})
    assert send(client, agent, f"work/{work.pk}/report", body).status_code in (200, 400)


def test_strangers_do_not_fill_the_list_of_refusals(client, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for last in range(40):
        # One household: its provider gave it all of these addresses.
        client.post(
            "/agent/v1/work/next",
            "{}",
            content_type="application/json",
            headers={"Authorization": "Bearer x", "X-Forwarded-For": f"2001:db8:1:2::{last:x}"},
        )
    assert Refusal.objects.count() == 30


@pytest.mark.parametrize("address", ["nonsense", "fe80::1%eth0", "1.2.3.4, '; DROP TABLE agents", ""])
def test_a_forwarded_address_that_is_none_breaks_nothing(client, settings, address):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answer = client.post(
        "/agent/v1/work/next",
        "{}",
        content_type="application/json",
        headers={"Authorization": "Bearer x", "X-Forwarded-For": address},
    )
    assert answer.status_code == 401


@pytest.mark.django_db(transaction=True)
def test_one_agent_takes_one_place_to_wait_and_leaves_the_others_theirs(client, machine, other_provider):
    greedy, modest = make_agent(machine), make_agent(make_machine(other_provider, "gpu-2"))
    begun = threading.Event()

    def wait(agent: SigningAgent, seconds: float):
        begun.set()
        return send(client, agent, "work/next", {"wait": seconds}).json()

    def late():
        begun.wait()
        return wait(modest, 0.3)

    answers = at_once([lambda: wait(greedy, 1.5)] * 3 + [late])

    assert sorted(answer["retry_after"] for answer in answers[:3]) == [0, 5, 5]
    assert answers[3]["retry_after"] == 0
    assert not agent_api._waiting


def test_measurements_leave_threads_for_everybody_else(client, agent):
    def get():
        return client.get("/agent/v1/speed/?bytes=1000000", headers=agent.headers)

    slow = [get() for _ in range(agent_api.SPEED_PLACES)]
    refused = get()
    assert (refused.status_code, refused.json()["error"]) == (429, "too_often")
    assert int(refused["Retry-After"]) > 0
    assert send(client, agent, "speed/", {}).status_code == 429

    for answer in slow:
        assert len(b"".join(answer.streaming_content)) == 1_000_000
    abandoned = get()
    assert abandoned.status_code == 200
    for close in abandoned._resource_closers:  # the other side went away before anything was sent
        close()
    assert b"".join(get().streaming_content)


def test_a_thousand_gpus_are_not_all_computed_again(agent, monkeypatch):
    computed = []

    def expected(seed: str, index: int) -> str:
        computed.append(index)
        return f"{seed}:{index}"

    monkeypatch.setattr(measuring.benchmark_check, "expected", expected)
    work = Work(kind=WorkKind.BENCHMARK, payload={"seed": "5eed", "gpu_count": 1000})
    right = [f"5eed:{index}" for index in range(1000)]
    work.result = {"details": {"gpu": {"check": right}}}

    measuring._check_product(work, {"gpu_throughput_fp16": 1.0})

    assert len(set(computed)) == measuring.MOST_PRODUCTS
    work.result = {"details": {"gpu": {"check": ["wrong"] * 1000}}}
    with pytest.raises(Implausible):
        measuring._check_product(work, {"gpu_throughput_fp16": 1.0})


def test_leaving_takes_open_work_along(client, agent):
    work = asked(agent)

    assert send(client, agent, "unenroll", agent.signed({"kind": "unenroll"})).status_code == 200

    assert Work.objects.get(pk=work.pk).state == WorkState.CANCELED
