"""Claims beside what the agent read: what differs, what that keeps from happening, and putting it right."""

import pytest
from django.core.management import call_command

from machines.models import AccessKind, BenchmarkStatus, GPUModel, ListingStatus, Machine
from machines.services.benchmarks import approve_benchmark
from machines.services.claims import adopt_inventory, claim_differences
from machines.services.errors import MachineError
from machines.services.listings import activate_listing, missing_for_activation
from machines.services.passports import take_inventory
from tests.machines.agents import make_agent, make_unread
from tests.machines.inventories import H100, VIRTUAL, disks, gpus, inventory
from tests.people import make_benchmark, make_listing, make_machine


@pytest.fixture
def sheets(db):
    call_command("load_gpu_models", verbosity=0)


def read(machine: Machine, now, base=H100, **changes) -> Machine:
    agent = machine.agents.enrolled().first() or make_agent(machine, now=now)
    take_inventory(agent=agent, inventory=inventory(base, **changes), now=now)
    return Machine.objects.get(pk=machine.pk)


def what(machine: Machine) -> list[str]:
    return [change["what"] for change in claim_differences(machine)]


# What differs -----------------------------------------------------------------------------------------


def test_an_honest_claim_does_not_differ(sheets, provider, now):
    assert what(read(make_machine(provider), now)) == []
    with_sheet = make_machine(provider, "two", gpu=GPUModel.objects.get(slug="h100-sxm"))
    assert what(read(with_sheet, now)) == []


def test_without_data_sheets_names_that_mean_the_same_do_not_differ(provider, now):
    assert what(read(make_machine(provider), now)) == []


def test_without_a_passport_nothing_differs(provider):
    assert what(make_machine(provider)) == []


@pytest.mark.parametrize(
    ("claim", "differing"),
    [
        ({"cpu_cores": 192}, []),  # threads, as many count them
        ({"cpu_cores": 128}, ["CPU cores"]),
        ({"ram_gb": 1450}, []),
        ({"ram_gb": 1511}, []),
        ({"ram_gb": 2048}, ["RAM"]),
        ({"disk_size_gb": 8000}, []),
        ({"disk_size_gb": 15360}, ["Disk"]),
        ({"gpu_count": 4}, ["GPUs"]),
        ({"gpu_count": 0, "gpu_model": "", "gpu_memory_gb": 0}, ["GPUs"]),
        ({"gpu_memory_gb": 94}, ["Memory of each GPU"]),
        ({"gpu_model": "H100 PCIe"}, ["GPU model"]),
        ({"gpu_model": "H200", "gpu_memory_gb": 141}, ["GPU model", "Memory of each GPU"]),
        ({"gpu_model": "NVIDIA H100 80GB HBM3"}, []),
        ({"gpu_model": "made up"}, ["GPU model"]),
    ],
)
def test_what_is_claimed_and_not_found(sheets, provider, now, claim, differing):
    assert what(read(make_machine(provider, **claim), now)) == differing


def test_a_claim_by_data_sheet_is_held_against_the_driver(sheets, provider, now):
    pcie = make_machine(provider, gpu=GPUModel.objects.get(slug="h100-pcie"), gpu_model="H100 PCIe 80GB")
    (change,) = claim_differences(read(pcie, now))
    assert change == {"what": "GPU model", "before": "H100 PCIe 80GB", "after": "8 × NVIDIA H100 80GB HBM3"}


def test_a_weaker_card_among_the_others_is_seen(sheets, provider, now):
    mixed = [*gpus(7), {**gpus(8)[7], "model": "NVIDIA A100-SXM4-40GB", "memory_mb": 40960}]
    assert what(read(make_machine(provider), now, gpus=mixed)) == ["GPU model", "Memory of each GPU"]


def test_a_rebuilt_card_with_more_memory_is_what_it_is_claimed_to_be(sheets, provider, now):
    """Some RTX 4090 are sold with twice the memory of the data sheet."""
    sheet = GPUModel.objects.get(slug="rtx-4090")
    machine = make_machine(provider, gpu=sheet, gpu_model=sheet.name, gpu_memory_gb=48)
    assert what(read(machine, now, gpus=gpus(8, "NVIDIA GeForce RTX 4090", 49140))) == []


def test_a_card_of_two_dies_is_one_card(sheets, provider, now):
    sheet = GPUModel.objects.get(slug="mi250x")
    machine = make_machine(provider, gpu=sheet, gpu_model=sheet.name, gpu_count=4, gpu_memory_gb=128)
    assert what(read(machine, now, gpus=gpus(8, "AMD Instinct MI250X", 65520))) == []


def test_disks_that_cannot_be_seen_are_not_held_against_the_claim(provider, now):
    assert what(read(make_machine(provider), now, disks=[])) == []


def test_a_clusters_nodes_are_compared_each_by_its_name(sheets, provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    first, second = (make_agent(machine, now=now, node=node) for node in machine.nodes.all())
    for agent in (first, second):
        take_inventory(agent=agent, inventory=H100, now=now)
    machine = Machine.objects.get(pk=machine.pk)
    assert (machine.gpu_count, machine.cpu_cores, machine.title) == (16, 192, "16 × H100 SXM5 80GB")
    assert what(machine) == []
    take_inventory(agent=second, inventory=inventory(gpus=gpus(6)), now=now)
    assert what(machine) == ["node-2: GPUs"]


# What that keeps from happening -----------------------------------------------------------------------


def test_a_run_of_a_machine_that_is_not_what_is_claimed_is_not_verified(provider, administrator, now):
    machine = read(make_machine(provider, ram_gb=2048), now)
    run = make_benchmark(machine, by=administrator, now=now)
    run.status, machine.verified_benchmark = BenchmarkStatus.PENDING, None
    run.save(update_fields=["status"])
    machine.save(update_fields=["verified_benchmark"])
    with pytest.raises(MachineError, match="RAM: 2,048"):
        approve_benchmark(benchmark=run, by=administrator, now=now)
    adopt_inventory(machine=machine, now=now)
    assert approve_benchmark(benchmark=run, by=administrator, now=now).is_approved


def test_it_does_not_go_on_offer(provider, administrator, now):
    machine = make_machine(provider, ram_gb=2048)
    make_benchmark(machine, by=administrator, now=now)
    listing = make_listing(machine, status=ListingStatus.PAUSED)
    machine.access_kind = AccessKind.MANUAL
    assert missing_for_activation(listing) == []
    read(machine, now)
    with pytest.raises(MachineError, match="RAM"):
        activate_listing(listing=listing, now=now)


def test_nor_does_one_that_has_not_been_read(provider, now):
    listing = make_listing(make_unread(provider), status=ListingStatus.PAUSED)
    assert any("not read" in sentence for sentence in missing_for_activation(listing))


# Putting it right -------------------------------------------------------------------------------------


def test_the_first_inventory_fills_a_machine_that_was_added_with_the_agent(sheets, provider, now):
    machine = make_unread(provider)
    assert machine.title == machine.name
    machine = read(machine, now)
    assert machine.title == "8 × H100 SXM5 80GB"
    assert (machine.gpu_memory_gb, machine.cpu_model) == (80, "AMD EPYC 9654 96-Core Processor")
    assert (machine.cpu_cores, machine.ram_gb, machine.disk_type, machine.disk_size_gb) == (96, 1511, "NVMe", 7680)
    assert machine.os == "Ubuntu 24.04.1 LTS"
    assert what(machine) == []


def test_a_server_without_gpus_is_filled_too(provider, now):
    machine = read(make_unread(provider), now, VIRTUAL)
    assert (machine.title, machine.gpu_count, machine.gpu) == ("AMD EPYC 7B13", 0, None)
    assert (machine.cpu_cores, machine.ram_gb, machine.disk_type, machine.disk_size_gb) == (4, 31, "SSD", 428)
    assert what(machine) == []


def test_a_gpu_without_a_data_sheet_keeps_its_drivers_name(sheets, provider, now):
    machine = read(make_unread(provider), now, gpus=gpus(2, "NVIDIA H20", 97871))
    assert (machine.title, machine.gpu, machine.gpu_memory_gb) == ("2 × NVIDIA H20", None, 96)
    assert what(machine) == []


def test_a_cluster_is_filled_when_all_of_its_nodes_have_been_read(sheets, provider, now):
    machine = make_unread(provider, "node-1", "node-2")
    first, second = (make_agent(machine, now=now, node=node) for node in machine.nodes.all())
    take_inventory(agent=first, inventory=H100, now=now)
    machine.refresh_from_db()
    assert machine.awaits_inventory
    take_inventory(agent=second, inventory=H100, now=now)
    machine.refresh_from_db()
    assert not machine.awaits_inventory
    assert [(node.gpu_count, node.cpu_cores, node.ram_gb) for node in machine.nodes.all()] == [(8, 96, 1511)] * 2


def test_what_the_provider_typed_is_not_overwritten_by_itself(provider, now):
    assert read(make_machine(provider, ram_gb=2048), now).ram_gb == 2048


def test_what_was_measured_is_taken_over(sheets, provider, now):
    machine = read(make_machine(provider, ram_gb=2048, gpu_model="H200", gpu_memory_gb=141), now)
    for _ in range(2):
        adopt_inventory(machine=machine, now=now)
    machine = Machine.objects.get(pk=machine.pk)
    assert (machine.ram_gb, machine.gpu_model, machine.gpu_memory_gb) == (1511, "H100 SXM5 80GB", 80)
    assert what(machine) == []


def test_gpus_on_which_a_verified_benchmark_rests_are_not_taken_over(sheets, machine, now):
    machine.gpu_count = 16
    machine.save(update_fields=["gpu_count"])
    read(machine, now)
    with pytest.raises(MachineError, match="verified benchmark"):
        adopt_inventory(machine=machine, now=now)
    assert Machine.objects.get(pk=machine.pk).gpu_count == 16


def test_the_rest_is_taken_over_beside_a_verified_benchmark(sheets, machine, now):
    machine.ram_gb = 2048
    machine.save(update_fields=["ram_gb"])
    read(machine, now)
    adopt_inventory(machine=machine, now=now)
    machine.refresh_from_db()
    assert (machine.ram_gb, machine.gpu_model, machine.gpu_count) == (1511, "H100 SXM", 8)


def test_absurd_numbers_fit_into_the_columns(provider, now):
    huge = [{**disk, "size_gb": 10**9} for disk in disks(200)]
    assert read(make_unread(provider), now, disks=huge).disk_size_gb == 2**31 - 1
