"""A provider's machines: who may see them, adding and editing single servers and clusters."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Role
from machines.models import GPUModel, Machine
from machines.services.errors import MachineError
from machines.services.machines import update_machine
from tests.people import make_benchmark, make_hold, make_listing, make_machine

FACTS = {
    "name": "aurora-01",
    "gpu": "",
    "gpu_model": "",
    "gpu_count": "0",
    "gpu_memory_gb": "",
    "cpu_model": "AMD EPYC 9654",
    "cpu_cores": "96",
    "ram_gb": "768",
    "disk_type": "NVMe",
    "disk_size_gb": "3840",
    "network_bandwidth": "10 Gbps",
    "network_mbps": "",
    "os": "Ubuntu 24.04",
    "country": "DE",
    "region": "Hamburg",
    "turnaround": "30",
}
SUMMED = ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb")


@pytest.fixture
def sheet(db):
    return GPUModel.objects.create(
        slug="h100", name="H100 SXM", manufacturer="NVIDIA", memory_gb=80, fp32_tflops=66.9, fp16_tflops=989.4
    )


def with_nodes(facts, *rows, initial=0):
    """``rows``: name, quantity, GPUs, cores, RAM, disk; an empty one is a blank row."""
    data = {name: value for name, value in facts.items() if name not in SUMMED}
    data |= {"nodes-TOTAL_FORMS": str(len(rows)), "nodes-INITIAL_FORMS": str(initial)}
    for index, row in enumerate(rows):
        values = row or ("", "1", "0", "", "", "")
        for name, value in zip(("name", "quantity", *SUMMED), values, strict=False):
            data[f"nodes-{index}-{name}"] = str(value)
        if len(values) > 6:
            data[f"nodes-{index}-DELETE"] = "on"
    return data


def new_url(kind="single"):
    return f"{reverse('machine_create')}?kind={kind}"


# Who may see what -------------------------------------------------------------------------------------

OF_MACHINE = ["machine_detail", "machine_edit", "benchmark_create", "listing_create"]


@pytest.mark.parametrize("page", OF_MACHINE)
def test_a_machines_pages_are_its_providers(client, machine, other_provider, buyer, administrator, page):
    url = reverse(page, args=[machine.pk])
    assert client.get(url)["Location"].startswith(reverse("account_login"))
    for outsider in (other_provider, buyer, administrator):
        client.force_login(outsider)
        assert client.get(url).status_code == 404
        assert client.post(url).status_code == 404 if page != "machine_detail" else 405
    client.force_login(machine.provider)
    assert client.get(url).status_code == 200


@pytest.mark.parametrize("page", ["machine_list", "machine_create"])
def test_the_list_asks_to_sign_in(client, db, page):
    assert client.get(reverse(page))["Location"].startswith(reverse("account_login"))


def test_who_only_buys_learns_how_to_offer(client, buyer):
    client.force_login(buyer)
    page = client.get(reverse("machine_list")).text
    assert "Offer a server in three steps" in page
    assert reverse("become_provider") in page
    assert client.get(reverse("machine_create"))["Location"] == reverse("machine_list")


def test_becoming_a_provider(client, buyer):
    client.force_login(buyer)
    assert client.get(reverse("become_provider")).status_code == 405
    for _ in range(2):
        client.post(reverse("become_provider"))
    buyer.refresh_from_db()
    assert buyer.roles == [Role.BUYER, Role.PROVIDER]
    assert client.get(reverse("machine_create")).status_code == 200


def test_the_list_shows_ones_own_machines_and_how_they_stand(client, machine, listing, other_listing, over):
    client.force_login(machine.provider)
    page = client.get(reverse("machine_list")).text
    assert machine.name in page
    assert other_listing.machine.name not in page
    for words in ("in quarantine", "verified benchmark", "on offer"):
        assert words in page


def test_the_list_tells_until_when_a_machine_is_in_use(client, machine, running):
    client.force_login(machine.provider)
    page = client.get(reverse("machine_list"))
    assert "In use until" in page.text
    assert [shown.used_until for shown, _listing in page.context["rows"]] == [running.end]


def test_what_is_over_or_only_held_is_not_shown_as_use(client, machine, completed, held):
    client.force_login(machine.provider)
    page = client.get(reverse("machine_list")).text
    assert "No booking ahead" in page
    assert "in quarantine" not in page


def test_the_list_tells_the_next_booking(client, machine, paid):
    client.force_login(machine.provider)
    page = client.get(reverse("machine_list")).text
    assert "Next booking" in page
    assert "in quarantine" not in page


def test_the_list_costs_the_same_however_many_machines(client, provider, django_assert_max_num_queries):
    client.force_login(provider)
    for number in range(12):
        make_listing(make_machine(provider, f"gpu-{number}"))
    with django_assert_max_num_queries(10):
        assert client.get(reverse("machine_list")).status_code == 200


def test_a_machines_page_shows_all_of_it(client, machine, listing, over, paid, django_assert_max_num_queries):
    client.force_login(machine.provider)
    with django_assert_max_num_queries(14):
        page = client.get(reverse("machine_detail", args=[machine.pk])).text
    for words in ("In quarantine", over.reference, "Confirmed", "Bea Buyer", "on offer", "€2.00", "5,000"):
        assert words in page
    assert reverse("booking_wipe", args=[over.pk]) in page
    assert reverse("booking_access", args=[paid.pk]) in page
    assert reverse("machine_calendar", args=[machine.pk]) in page
    assert "buyer@example.com" not in page


# Adding -----------------------------------------------------------------------------------------------


def test_adding_a_single_server(client, provider, sheet):
    client.force_login(provider)
    data = FACTS | {"gpu": str(sheet.pk), "gpu_count": "8"}
    response = client.post(new_url(), data)
    machine = Machine.objects.get()
    assert response["Location"] == reverse("machine_detail", args=[machine.pk])
    assert machine.provider == provider
    assert (machine.gpu_model, machine.gpu_count, machine.gpu_memory_gb) == ("H100 SXM", 8, 80)
    assert machine.title == "8 × H100 SXM"
    assert machine.turnaround == timedelta(minutes=30)


@pytest.mark.parametrize("typed", ["h100 sxm", " H100 SXM ", "NVIDIA H100 80GB HBM3"])
def test_a_model_typed_by_a_known_name_gets_its_data_sheet(client, provider, sheet, typed):
    sheet.aliases = ["NVIDIA H100 80GB HBM3"]
    sheet.save(update_fields=["aliases"])
    client.force_login(provider)
    client.post(new_url(), FACTS | {"gpu_model": typed, "gpu_count": "8", "gpu_memory_gb": "80"})
    machine = Machine.objects.get()
    assert (machine.gpu, machine.gpu_model) == (sheet, "H100 SXM")


def test_adding_a_server_without_gpus(client, provider):
    client.force_login(provider)
    client.post(new_url(), FACTS)
    machine = Machine.objects.get()
    assert (machine.gpu, machine.gpu_model, machine.gpu_count) == (None, "", 0)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"gpu_model": "H100 SXM"}, "gpu_count", "how many"),
        ({"gpu_count": "4"}, "gpu", "which GPUs"),
        ({"gpu_count": "4", "gpu_model": "Odd One"}, "gpu_memory_gb", "how much memory"),
        ({"cpu_cores": "0"}, "cpu_cores", "greater than or equal to 1"),
        ({"ram_gb": "-1"}, "ram_gb", "greater than or equal to"),
        ({"name": ""}, "name", "required"),
        ({"turnaround": "29"}, "turnaround", "greater than or equal to 30"),
        ({"turnaround": "1441"}, "turnaround", "less than or equal to 1440"),
        ({"turnaround": "1" * 5000}, "turnaround", "whole number"),
        ({"turnaround": ""}, "turnaround", "required"),
        ({"disk_size_gb": "99999999999"}, "disk_size_gb", "less than or equal to"),
    ],
)
def test_facts_that_do_not_fit_are_said_at_the_field(client, provider, changes, field, words):
    client.force_login(provider)
    response = client.post(new_url(), FACTS | changes)
    assert response.status_code == 422
    assert words in response.context["form"].errors[field][0]
    assert "AMD EPYC 9654" in response.text
    assert not Machine.objects.exists()


def test_adding_a_cluster_sums_its_nodes(client, provider, sheet):
    client.force_login(provider)
    rows = [("gpu", 3, 8, 96, 1536, 7680), ("head", 1, 0, 32, 256, 960), ()]
    client.post(new_url("cluster"), with_nodes(FACTS | {"gpu": str(sheet.pk)}, *rows))
    machine = Machine.objects.get()
    assert [node.name for node in machine.nodes.all()] == ["gpu-01", "gpu-02", "gpu-03", "head"]
    sums = (machine.gpu_count, machine.cpu_cores, machine.ram_gb, machine.disk_size_gb)
    assert sums == (24, 320, 4864, 24000)
    assert machine.kind == "cluster"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(), ()], "at least one node"),
        ([("gpu", 60, 0, 1, 1, 1), ("cpu", 5, 0, 1, 1, 1)], "these are 65"),
        ([("gpu", 1, 0, 1, 1, 1), ("gpu", 1, 0, 1, 1, 1)], "Two nodes are called gpu"),
        ([("gpu", 65, 0, 1, 1, 1)], "less than or equal to 64"),
        ([("n" * 80, 2, 0, 1, 1, 1)], "may have 76 signs"),
        ([("gpu", 1, 0, 0, 1, 1)], "greater than or equal to 1"),
        ([("gpu", 1, 8, 1, 1, 1)], "which GPUs"),
    ],
)
def test_nodes_that_do_not_fit_are_refused(client, provider, rows, words):
    client.force_login(provider)
    response = client.post(new_url("cluster"), with_nodes(FACTS, *rows))
    assert response.status_code == 422
    assert words in response.text
    assert not Machine.objects.exists()


def test_a_cluster_of_sixty_four_nodes_is_the_largest(client, provider):
    client.force_login(provider)
    client.post(new_url("cluster"), with_nodes(FACTS, ("gpu", 64, 0, 1, 1, 1)))
    assert Machine.objects.get().nodes.count() == 64


def test_more_rows_keep_what_was_typed_and_judge_nothing(client, provider):
    client.force_login(provider)
    data = with_nodes(FACTS | {"name": "", "region": "Typed Town"}, ("gpu", 3, 8, "", "", ""), ()) | {
        "more_rows": "yes"
    }
    response = client.post(new_url("cluster"), data)
    assert response.status_code == 200
    assert "Typed Town" in response.text
    assert "need another look" not in response.text
    nodes = response.context["nodes"]
    assert nodes[0]["name"].value() == "gpu"
    assert nodes[0]["quantity"].value() == "3"
    assert nodes.total_form_count() == 5
    assert not Machine.objects.exists()


@pytest.mark.parametrize("total", ["", "x", "-1", "100000000", "9" * 5000])
def test_a_bent_number_of_rows_breaks_nothing(client, provider, total):
    client.force_login(provider)
    data = with_nodes(FACTS, ("gpu", 1, 0, 1, 1, 1)) | {"nodes-TOTAL_FORMS": total}
    assert client.post(new_url("cluster"), data | {"more_rows": "yes"}).status_code == 200
    assert client.post(new_url("cluster"), data).status_code in (302, 422)


# Editing ----------------------------------------------------------------------------------------------


def test_editing_never_touches_bookings(client, machine, paid):
    client.force_login(machine.provider)
    before = type(paid).objects.filter(pk=paid.pk).values().get()
    response = client.post(
        reverse("machine_edit", args=[machine.pk]), FACTS | {"name": "renamed", "ram_gb": "2048"}, follow=True
    )
    assert "The machine is saved." in response.text
    machine.refresh_from_db()
    assert (machine.name, machine.ram_gb) == ("renamed", 2048)
    assert type(paid).objects.filter(pk=paid.pk).values().get() == before


def test_a_longer_turnaround_counts_for_bookings_to_come(client, machine, listing, paid, other_buyer, now):
    client.force_login(machine.provider)
    page = client.get(reverse("machine_edit", args=[machine.pk]))
    assert page.context["form"]["turnaround"].value() == 30
    assert "never billed" in page.text
    before = paid.blocked_until
    response = client.post(reverse("machine_edit", args=[machine.pk]), FACTS | {"turnaround": "90"}, follow=True)
    assert "The machine is saved." in response.text
    machine.refresh_from_db()
    paid.refresh_from_db()
    assert machine.turnaround == timedelta(minutes=90)
    assert paid.blocked_until == before
    listing.machine.refresh_from_db()
    later = make_hold(listing, other_buyer, start=paid.end + timedelta(hours=3), asked=now)
    assert later.blocked_until == later.end + timedelta(minutes=90)


@pytest.mark.parametrize("minutes", [29, 1441])
def test_the_service_bounds_the_turnaround(machine, minutes):
    with pytest.raises(MachineError) as refused:
        update_machine(machine=machine, facts={"turnaround": timedelta(minutes=minutes), "gpu_count": 0})
    assert refused.value.field == "turnaround"


def test_gpus_are_locked_once_a_benchmark_is_approved(client, machine, sheet):
    client.force_login(machine.provider)
    url = reverse("machine_edit", args=[machine.pk])
    assert "so they stay as they are" in client.get(url).text
    client.post(url, FACTS | {"gpu": str(sheet.pk), "gpu_count": "16", "gpu_memory_gb": "141"})
    machine.refresh_from_db()
    assert (machine.gpu_model, machine.gpu_count, machine.gpu_memory_gb) == ("H100 SXM", 8, 80)
    assert machine.region == "Hamburg"  # the rest of the form was accepted


def test_gpus_can_be_corrected_before(client, provider, sheet):
    machine = make_machine(provider)
    client.force_login(provider)
    client.post(
        reverse("machine_edit", args=[machine.pk]),
        FACTS | {"gpu": str(sheet.pk), "gpu_count": "4", "gpu_memory_gb": ""},
    )
    machine.refresh_from_db()
    assert (machine.gpu, machine.gpu_count, machine.gpu_memory_gb) == (sheet, 4, 80)


@pytest.fixture
def cluster(client, provider, sheet):
    client.force_login(provider)
    client.post(new_url("cluster"), with_nodes(FACTS | {"gpu": str(sheet.pk)}, ("gpu", 3, 8, 96, 1536, 7680)))
    return Machine.objects.get()


def test_nodes_are_changed_removed_and_added(client, cluster, sheet):
    rows = [
        ("gpu-01", 1, 8, 96, 2048, 7680),
        ("gpu-02", 1, 8, 96, 1536, 7680, "remove"),
        ("gpu-03", 1, 8, 96, 1536, 7680),
        ("head", 1, 0, 32, 256, 960),
    ]
    kept = cluster.nodes.get(name="gpu-01").pk
    url = reverse("machine_edit", args=[cluster.pk])
    assert client.post(url, with_nodes(FACTS | {"gpu": str(sheet.pk)}, *rows, initial=3)).status_code == 302
    cluster.refresh_from_db()
    assert [node.name for node in cluster.nodes.all()] == ["gpu-01", "gpu-03", "head"]
    assert cluster.nodes.get(name="gpu-01").pk == kept
    assert (cluster.gpu_count, cluster.ram_gb) == (16, 2048 + 1536 + 256)


def test_a_measured_cluster_keeps_its_number_of_gpus(client, cluster, sheet, administrator, now):
    make_benchmark(cluster, by=administrator, now=now)
    rows = [("gpu-01", 1, 8, 96, 1536, 7680)]
    response = client.post(
        reverse("machine_edit", args=[cluster.pk]), with_nodes(FACTS | {"gpu": str(sheet.pk)}, *rows, initial=1)
    )
    assert response.status_code == 422
    assert "so they stay as they are" in response.context["nodes"].non_form_errors()[0]
    cluster.refresh_from_db()
    assert cluster.gpu_count == 24
    assert cluster.nodes.count() == 3


def test_a_data_sheet_with_a_new_name_locks_nobody_out(client, cluster, sheet, administrator, now):
    make_benchmark(cluster, by=administrator, now=now)
    sheet.name = "H100 80GB SXM"
    sheet.save(update_fields=["name"])
    rows = [(f"gpu-0{n}", 1, 8, 96, 1536, 7680) for n in (1, 2, 3)]
    response = client.post(reverse("machine_edit", args=[cluster.pk]), with_nodes(FACTS, *rows, initial=3))
    assert response.status_code == 302
