"""Having machines measured: what is asked, what is believed of the answer, and measuring all of a provider's at once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import OutgoingMail
from common.benchmark_check import expected
from machines.models import (
    Benchmark,
    BenchmarkStatus,
    Challenge,
    GPUModel,
    Machine,
    Refusal,
    Work,
    WorkKind,
    WorkState,
)
from machines.services.benchmarks import approve_benchmark
from machines.services.errors import MachineError
from machines.services.measuring import ask_for_benchmark, challenge_provider
from machines.services.work import next_work
from tests.agents import SigningAgent, make_agent, moment
from tests.people import HOUR, make_machine, make_paid
from tests.racing import at_once

pytestmark = pytest.mark.django_db

VALUES = {
    "gpu_throughput_fp16": 6300.0,
    "gpu_throughput_fp32": 480.0,
    "cpu_score": 210_000.0,
    "disk_read_mb_s": 6400.0,
    "disk_write_mb_s": 4100.0,
    "network_bandwidth_gbps": 9.1,
}


@pytest.fixture
def machine(provider):
    gpu = GPUModel.objects.create(
        slug="h100-sxm", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=989.4
    )
    return make_machine(provider, gpu=gpu)


@pytest.fixture
def agent(machine):
    return make_agent(machine)


def handed(agent: SigningAgent) -> Work:
    work = next_work(agent=agent.row, have=(), now=timezone.now())
    assert work is not None
    assert work.kind == WorkKind.BENCHMARK
    return work


def result(work: Work, **changes: Any) -> dict[str, Any]:
    seed = work.payload["seed"]
    return {
        "values": VALUES,
        "reasons": {},
        "details": {"gpu": {"check": [expected(seed, index) for index in range(work.payload["gpu_count"])]}},
        "raw": {"cpu": "events per second: 210000"},
        "seed": seed,
        "collected_at": moment(timezone.now()),
        "tools": {"sysbench": "1.0.20"},
    } | changes


def report(client, agent: SigningAgent, work: Work, said: dict[str, Any], **more: Any):
    body = json.dumps(agent.report(work, said, **more))
    return client.post(f"/agent/v1/work/{work.pk}/report", body, content_type="application/json", headers=agent.headers)


def test_a_run_waits_for_the_administrator_with_everything_that_it_rests_on(client, machine, agent, provider, now):
    ask_for_benchmark(machine=machine, by=provider, now=now)
    work = handed(agent)

    assert report(client, agent, work, result(work)).status_code == 200

    run = machine.benchmarks.get()
    assert run.status == BenchmarkStatus.PENDING
    assert {name: getattr(run, name) for name in VALUES} == VALUES
    assert (run.agent_version, run.source, run.requested_by) == ("1.0.0", "rsm-agent 1.0.0", provider)
    (kept,) = run.reports.all()
    assert "events per second" in kept.message
    assert not machine.verified_benchmark_id


def test_an_approved_run_is_the_machines_verified_one(client, machine, agent, administrator, now):
    ask_for_benchmark(machine=machine, by=None, now=now)
    work = handed(agent)
    report(client, agent, work, result(work))

    approve_benchmark(benchmark=machine.benchmarks.get(), by=administrator, now=now)

    machine.refresh_from_db()
    assert machine.verified_benchmark == machine.benchmarks.get()


def test_a_value_that_is_missing_says_why(client, machine, agent, now):
    ask_for_benchmark(machine=machine, by=None, now=now)
    work = handed(agent)
    said = result(
        work,
        values=VALUES | {"cpu_score": None, "disk_read_mb_s": None},
        reasons={"cpu_score": "sysbench is not installed."},
    )
    assert report(client, agent, work, said).status_code == 200

    run = machine.benchmarks.get()
    assert run.cpu_score is None
    assert run.reasons == {"cpu_score": "sysbench is not installed.", "disk_read_mb_s": "The agent gave no reason."}


def test_above_the_physical_limit_is_rejected_at_once(client, machine, agent, now):
    ask_for_benchmark(machine=machine, by=None, now=now)
    work = handed(agent)
    assert report(client, agent, work, result(work, values=VALUES | {"gpu_throughput_fp16": 9000.0})).status_code == 200

    run = machine.benchmarks.get()
    assert (run.status, run.decided_by) == (BenchmarkStatus.REJECTED, None)
    assert "9000" in run.reason
    assert OutgoingMail.objects.filter(user=machine.provider, subject__contains="rejected").exists()


LIES = {
    "another seed": lambda work: {"seed": "0" * 64},
    "one GPU answers for all": lambda work: {"details": {"gpu": {"check": [expected(work.payload["seed"], 0)] * 8}}},
    "fewer GPUs than claimed": lambda work: {"details": {"gpu": {"check": [expected(work.payload["seed"], 0)]}}},
    "no product": lambda work: {"details": {}},
    "details that are a list": lambda work: {"details": []},
    "a negative value": lambda work: {"values": VALUES | {"cpu_score": -1}},
    "a value that is no number": lambda work: {"values": VALUES | {"cpu_score": "fast"}},
    "a value that is true": lambda work: {"values": VALUES | {"cpu_score": True}},
    "no values": lambda work: {"values": None},
    "measured last week": lambda work: {"collected_at": moment(timezone.now() - timedelta(days=7))},
    "measured tomorrow": lambda work: {"collected_at": moment(timezone.now() + timedelta(days=1))},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_is_refused_and_shown_to_the_administrator(client, machine, agent, now, lie):
    ask_for_benchmark(machine=machine, by=None, now=now)
    work = handed(agent)

    answer = report(client, agent, work, result(work, **LIES[lie](work)))

    assert (answer.status_code, answer.json()["error"]) == (403, "implausible")
    assert not Benchmark.objects.exists()
    assert Refusal.objects.get().code == "implausible"
    assert Work.objects.get(pk=work.pk).state == WorkState.FAILED


def test_without_gpu_values_no_product_is_asked_for(client, machine, agent, now):
    """PyTorch is not installed: the figures are missing, and that is said."""
    ask_for_benchmark(machine=machine, by=None, now=now)
    work = handed(agent)
    gone = {"gpu_throughput_fp16": None, "gpu_throughput_fp32": None}
    assert report(client, agent, work, result(work, values=VALUES | gone, details={})).status_code == 200


def test_asking_while_one_runs_changes_nothing(machine, agent, now):
    first = ask_for_benchmark(machine=machine, by=None, now=now)

    assert ask_for_benchmark(machine=machine, by=None, now=now) == first
    assert Work.objects.count() == 1


def test_nothing_is_measured_under_a_buyer_or_just_before_one(listing, agent, buyer, over, now):
    with pytest.raises(MachineError):
        ask_for_benchmark(machine=over.machine, by=None, now=now)


def test_nothing_is_measured_when_a_booking_is_about_to_start(machine, agent, buyer, now):
    from tests.people import make_listing

    make_paid(make_listing(machine), buyer, start=now + timedelta(minutes=10), hours=1, asked=now)
    with pytest.raises(MachineError):
        ask_for_benchmark(machine=machine, by=None, now=now)
    ask_for_benchmark(machine=machine, by=None, now=now - HOUR)


def cluster(provider) -> tuple[Machine, list[SigningAgent]]:
    machine = make_machine(provider, "cluster-1", kind="cluster", gpu_model="", gpu_count=0, gpu_memory_gb=0)
    nodes = [machine.nodes.create(name=name, cpu_cores=8, ram_gb=64, disk_size_gb=100) for name in ("a", "b")]
    return machine, [make_agent(machine, node) for node in nodes]


CPU_ONLY = VALUES | {"gpu_throughput_fp16": None, "gpu_throughput_fp32": None}


def test_a_cluster_is_as_strong_as_its_nodes_together_and_as_its_worst_disk(client, provider, now):
    machine, agents = cluster(provider)
    ask_for_benchmark(machine=machine, by=None, now=now)
    for agent, disk in zip(agents, (5000.0, 700.0), strict=True):
        assert not machine.benchmarks.exists()
        work = handed(agent)
        report(client, agent, work, result(work, values=CPU_ONLY | {"disk_read_mb_s": disk}, details={}))

    run = machine.benchmarks.get()
    assert (run.cpu_score, run.disk_read_mb_s) == (2 * CPU_ONLY["cpu_score"], 700.0)
    assert run.reports.count() == 2
    assert set(run.details) == {"a", "b"}


@pytest.mark.django_db(transaction=True)
def test_nodes_that_answer_at_the_same_moment_make_one_run(client, provider, now):
    machine, agents = cluster(provider)
    ask_for_benchmark(machine=machine, by=None, now=now)
    works = [handed(agent) for agent in agents]

    at_once(
        [
            lambda agent=agent, work=work: (
                report(client, agent, work, result(work, values=CPU_ONLY, details={})).status_code
            )
            for agent, work in zip(agents, works, strict=True)
        ]
    )

    assert machine.benchmarks.count() == 1


def test_a_challenge_reaches_every_machine_of_the_provider_at_once(provider, administrator, machine, agent, now):
    other = make_machine(provider, "gpu-9")
    make_agent(other)
    without = make_machine(provider, "by-hand")

    challenge, left_out = challenge_provider(provider=provider, by=administrator, now=now, reason="Too good.")

    asked = Work.objects.filter(payload__challenge=str(challenge.pk))
    assert {work.agent.machine_id for work in asked} == {machine.pk, other.pk}
    assert {work.not_before for work in asked} == {now}
    assert len({work.payload["seed"] for work in asked}) == 2
    assert left_out == []
    assert without.agents.count() == 0


def test_a_challenge_leaves_out_machines_with_a_buyer_and_says_so(provider, administrator, over, agent, machine, now):
    make_agent(over.machine) if over.machine_id != machine.pk else None
    spare = make_machine(provider, "gpu-9")
    make_agent(spare)

    _, left_out = challenge_provider(provider=provider, by=administrator, now=now)

    assert left_out == [over.machine]


def test_a_challenge_of_nobody_is_refused(provider, administrator, now):
    with pytest.raises(MachineError):
        challenge_provider(provider=provider, by=administrator, now=now)
    assert not Challenge.objects.exists()


def test_only_administrators_challenge(provider, stranger, agent, now):
    with pytest.raises(Exception, match="platform administrator"):
        challenge_provider(provider=provider, by=stranger, now=now)


def test_the_provider_asks_for_a_measurement_on_the_machines_page(client, provider, machine, agent):
    client.force_login(provider)

    answer = client.post(f"/machines/{machine.pk}/measure/", follow=True)

    assert "measures it now" in answer.content.decode()
    assert Work.objects.get().created_by == provider


def test_a_run_cannot_be_typed_for_a_machine_that_has_an_agent(client, provider, machine, agent):
    machine.access_kind = "agent"
    machine.save(update_fields=["access_kind"])
    client.force_login(provider)

    answer = client.post(f"/machines/{machine.pk}/benchmarks/new/", {"cpu_score": "5"})

    assert answer.status_code == 302
    assert not Benchmark.objects.exists()
