"""The files of data/ become plain objects, and nothing is added to them. Counted from the files themselves."""

import csv
from collections import defaultdict
from decimal import Decimal

import pytest

from machines.demo import gpu_specs, hosted_machines
from machines.demo.hosted_machines import HOSTED_MACHINES, disk_type, memory_as_sold


@pytest.fixture(scope="module")
def rows():
    with HOSTED_MACHINES.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_machine_and_host_of_the_file_is_there(rows, hosted):
    assert [machine.number for machine in hosted] == sorted({int(row["machine_no"]) for row in rows})
    assert {machine.host for machine in hosted} == {int(row["host_no"]) for row in rows}
    assert (len(hosted), len({machine.host for machine in hosted})) == (432, 154)


def test_a_machine_has_every_day_it_was_seen(rows, hosted):
    days = defaultdict(set)
    for row in rows:
        days[int(row["machine_no"])].add(row["collected_utc"])
    for machine in hosted:
        assert [day.collected_at.strftime("%Y-%m-%dT%H:%M:%SZ") for day in machine.days] == sorted(days[machine.number])


def test_a_part_of_a_machine_is_scaled_up_to_the_whole(hosted):
    """Machine 1 was offered in parts only: two of its eight GPUs at $0.18669, 193,119 MB, 30.5 GB, 31.19 TFLOPS."""
    day = hosted[0].days[0]
    assert (day.gpu_count, day.price_hour, day.ram_gb, day.disk_size_gb) == (8, Decimal("0.75"), 754, 122)
    assert day.fp32_tflops == pytest.approx(124.76)
    assert (day.cpu_cores, day.disk_read_mb_s, day.download_mbps) == (48, 2739, 6592.8)


def test_what_the_file_does_not_say_stays_unsaid(hosted):
    assert sum(not machine.newest.cpu_model for machine in hosted) == 7
    assert {machine.number for machine in hosted if machine.newest.cpu_cores is None} == {344, 375}
    assert {machine.number for machine in hosted if machine.newest.download_mbps is None} == {12, 121}
    assert all(day.disk_read_mb_s != 0 for machine in hosted for day in machine.days)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Dell Ent NVMe CM6 MU 6.4TB", "NVMe"),
        ("nvme", "NVMe"),
        ("Samsung SSD 990 PRO 2TB", "SSD"),
        ("QEMU HARDDISK", "not stated"),
        ("Toshiba TOSHIBA", "not stated"),
        (None, "not stated"),
    ],
)
def test_a_disk_is_what_its_name_says(name, kind):
    assert disk_type(name) == kind


def test_a_gpus_memory_is_the_data_sheets_unless_it_was_rebuilt():
    assert memory_as_sold(143771 / 1024, 141) == 141
    assert memory_as_sold(46068 / 1024, 48) == 48
    assert memory_as_sold(49140 / 1024, 24) == 48


def test_every_hosted_gpu_has_a_data_sheet(hosted):
    specs = {spec.slug: spec for spec in gpu_specs.read()}
    assert len(specs) == 122
    assert {day.gpu_id for machine in hosted for day in machine.days} <= set(specs)


def test_fp16_is_that_of_the_tensor_cores_where_there_are_some():
    specs = {spec.slug: spec for spec in gpu_specs.read()}
    assert specs["h100-sxm"].fp16_tflops == 989.4
    assert specs["gtx-1660-super"].fp16_tflops == 10.05


def test_reading_twice_is_the_same(hosted):
    assert hosted_machines.read() == hosted
