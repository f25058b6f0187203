"""A provider enters a benchmark run; an administrator believes it, or not."""

import zoneinfo
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from machines.models import Benchmark, BenchmarkStatus, GPUModel
from machines.models.benchmark import FIRST_DAY, VALUES
from machines.services.benchmarks import OLDEST, record_benchmark, reject_benchmark
from machines.services.errors import MachineError
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
        ({"disk_read_mb_s": "-1"}, "disk_read_mb_s", "lies between 0.01 and 1,000,000,000"),
        ({"gpu_throughput_fp32": "0"}, "gpu_throughput_fp32", "Leave empty what was not measured"),
        ({"gpu_throughput_fp32": "1e-320"}, "gpu_throughput_fp32", "lies between"),
        ({"cpu_score": "1000000001"}, "cpu_score", "lies between"),
        ({"cpu_score": "inf"}, "cpu_score", "Enter a number"),
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


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima", "UTC"])
@pytest.mark.parametrize("typed", ["0001-01-01T00:00", "0001-01-02T12:00", "1970-01-01T00:00", "1999-12-31T23:59"])
def test_a_run_of_long_ago_is_refused_and_breaks_no_page(client, measured, zone, typed):
    measured.provider.timezone = zone
    measured.provider.save(update_fields=["timezone"])
    response = enter(client, measured, {"collected_at": typed, "tool": "fio", "disk_read_mb_s": "1"})
    assert response.status_code == 422
    assert response.context["form"].errors["collected_at"]
    assert not Benchmark.objects.exists()
    assert client.get(reverse("machine_detail", args=[measured.pk])).status_code == 200


def test_runs_count_for_two_years(client, measured, now):
    response = enter(client, measured, run(now - OLDEST - timedelta(hours=1), cpu_score="1"))
    assert "more than two years ago" in response.context["form"].errors["collected_at"][0]
    assert enter(client, measured, run(now - OLDEST + timedelta(hours=1), cpu_score="1")).status_code == 302


@pytest.mark.parametrize(
    ("distance", "values", "field"),
    [
        (-OLDEST - timedelta(seconds=1), {"cpu_score": 1.0}, "collected_at"),
        (timedelta(seconds=1), {"cpu_score": 1.0}, "collected_at"),
        (timedelta(), {"cpu_score": 1.0, "gpu_throughput_fp32": 0.0}, "gpu_throughput_fp32"),
        (timedelta(), {"network_bandwidth_gbps": 0.0099}, "network_bandwidth_gbps"),
        (timedelta(), {"disk_write_mb_s": float("nan")}, "disk_write_mb_s"),
        (timedelta(), {"disk_write_mb_s": float("inf")}, "disk_write_mb_s"),
    ],
)
def test_the_service_refuses_it_too(measured, now, distance, values, field):
    with pytest.raises(MachineError) as refused:
        record_benchmark(machine=measured, source="agent", collected_at=now + distance, values=values, now=now)
    assert refused.value.field == field
    assert not Benchmark.objects.exists()


@pytest.mark.parametrize("value", [0.0, 1e-320, -1.0, 1.1e9, float("nan"), float("inf")])
@pytest.mark.parametrize("field", VALUES)
def test_the_database_keeps_no_value_that_is_none(measured, field, value):
    with pytest.raises(IntegrityError, match=f"benchmarks_{field}_positive"), transaction.atomic():
        Benchmark.objects.create(machine=measured, **{field: value})
    Benchmark.objects.create(machine=measured, **{field: 0.01})
    Benchmark.objects.create(machine=measured)


def test_the_database_keeps_no_run_of_another_age(measured):
    with pytest.raises(IntegrityError, match="benchmarks_collected_in_our_time"), transaction.atomic():
        Benchmark.objects.create(machine=measured, cpu_score=1, collected_at=FIRST_DAY - timedelta(seconds=1))
    Benchmark.objects.create(machine=measured, cpu_score=1, collected_at=FIRST_DAY)


def test_times_are_the_persons_own(client, measured, now):
    measured.provider.timezone = "Asia/Tokyo"
    measured.provider.save(update_fields=["timezone"])
    day = (now - timedelta(days=300)).date()
    enter(client, measured, {"collected_at": f"{day}T09:30", "tool": "fio", "disk_read_mb_s": "1"})
    assert measured.benchmarks.get().collected_at.isoformat() == f"{day}T00:30:00+00:00"


def test_a_server_without_gpus_is_not_asked_for_them(client, provider, now):
    machine = make_machine(provider, gpu_model="", gpu_count=0, gpu_memory_gb=0)
    enter(client, machine, run(now, gpu_throughput_fp16="99", cpu_score="5"))
    assert machine.benchmarks.get().gpu_throughput_fp16 is None


def test_a_rejection_is_read_on_the_machines_page(client, measured, administrator, now):
    enter(client, measured, run(now, cpu_score="5"))
    reject_benchmark(benchmark=measured.benchmarks.get(), by=administrator, reason="Too slow to be true.", now=now)
    assert "Too slow to be true." in client.get(reverse("machine_detail", args=[measured.pk])).text
