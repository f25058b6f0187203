"""A provider enters a benchmark run; an administrator believes it, or not."""

import zoneinfo
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from machines.models import Benchmark, BenchmarkStatus, GPUModel
from machines.services.benchmarks import reject_benchmark
from tests.people import make_machine


@pytest.fixture
def measured(provider):
    sheet = GPUModel.objects.create(
        slug="h100", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=989.4
    )
    return make_machine(provider, gpu=sheet)


def run(moment, **values):
    local = timezone.localtime(moment, zoneinfo.ZoneInfo("UTC"))
    return {"collected_at": f"{local:%Y-%m-%dT%H:%M}", "tool": "PyTorch 2.9"} | values


def enter(client, machine, data):
    client.force_login(machine.provider)
    return client.post(reverse("benchmark_create", args=[machine.pk]), data)


def test_a_run_waits_for_an_administrator(client, measured, now):
    response = enter(client, measured, run(now, gpu_throughput_fp16="5930", cpu_score=""))
    assert response.status_code == 302
    benchmark = measured.benchmarks.get()
    assert benchmark.status == BenchmarkStatus.PENDING
    assert benchmark.gpu_throughput_fp16 == 5930
    assert benchmark.cpu_score is None  # not measured is not nought
    assert benchmark.source == "entered by the provider: PyTorch 2.9"
    measured.refresh_from_db()
    assert measured.verified_benchmark is None
    assert "waiting" in client.get(reverse("machine_detail", args=[measured.pk])).text


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"gpu_throughput_fp16": "8400"}, "gpu_throughput_fp16", "more than 8 × H100 SXM can reach"),
        ({"gpu_throughput_fp32": "600"}, "gpu_throughput_fp32", "more than 8 × H100 SXM can reach"),
        ({"disk_read_mb_s": "-1"}, "disk_read_mb_s", "greater than or equal to 0"),
        ({"disk_read_mb_s": "nan"}, "disk_read_mb_s", "Enter a number"),
        ({"disk_read_mb_s": "1", "tool": ""}, "tool", "required"),
        ({"disk_read_mb_s": "1", "collected_at": "soon"}, "collected_at", "valid date"),
        ({}, "__all__", "at least one value"),
    ],
)
def test_what_cannot_be_is_refused_at_the_field(client, measured, now, values, field, words):
    response = enter(client, measured, run(now) | values)
    assert response.status_code == 422
    assert words in response.context["form"].errors[field][0]
    assert not Benchmark.objects.exists()
    if "tool" not in values:
        assert "PyTorch 2.9" in response.text


def test_a_run_of_tomorrow_is_refused(client, measured, now):
    response = enter(client, measured, run(now + timedelta(days=1), cpu_score="1"))
    assert "has not come yet" in response.text


def test_times_are_the_persons_own(client, measured):
    measured.provider.timezone = "Asia/Tokyo"
    measured.provider.save(update_fields=["timezone"])
    enter(client, measured, {"collected_at": "2026-01-02T09:30", "tool": "fio", "disk_read_mb_s": "1"})
    assert measured.benchmarks.get().collected_at.isoformat() == "2026-01-02T00:30:00+00:00"


def test_a_server_without_gpus_is_not_asked_for_them(client, provider, now):
    machine = make_machine(provider, gpu_model="", gpu_count=0, gpu_memory_gb=0)
    enter(client, machine, run(now, gpu_throughput_fp16="99", cpu_score="5"))
    assert machine.benchmarks.get().gpu_throughput_fp16 is None


def test_a_rejection_is_read_on_the_machines_page(client, measured, administrator, now):
    enter(client, measured, run(now, cpu_score="5"))
    reject_benchmark(benchmark=measured.benchmarks.get(), by=administrator, reason="Too slow to be true.", now=now)
    assert "Too slow to be true." in client.get(reverse("machine_detail", args=[measured.pk])).text
