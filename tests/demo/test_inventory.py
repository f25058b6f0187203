"""Machines, people, listings and benchmarks of the demonstration, held against the file they come from."""

from collections import Counter
from decimal import Decimal
from hashlib import sha256

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.utils import timezone

from accounts.models import BillingDetails, Organization, Role, User, Verification, VerificationDocument
from accounts.tax import TaxKind, treatment_of
from common import files
from machines.demo import gpu_specs
from machines.models import Benchmark, BenchmarkStatus, GPUModel, Listing, ListingStatus, Machine
from machines.services.benchmarks import check_plausible, physical_limits
from machines.services.listings import missing_for_activation
from marketplace.demo import institute, inventory, people
from marketplace.embedded.serve import DEMO_PASSWORD, DEMO_SIGN_INS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo")]


@pytest.fixture
def machines() -> dict[int, Machine]:
    """Those of the file, by number."""
    rows = Machine.objects.exclude(name__in=inventory.MADE_UP).select_related("gpu", "provider", "verified_benchmark")
    return {int(machine.name.rsplit("-", 1)[1]): machine for machine in rows}


def test_all_machines_are_there_with_their_hosts(machines, hosted):
    assert len(machines) == len(hosted) == 432
    hosts = {one.host: machines[one.number].provider for one in hosted}
    assert len(set(hosts.values())) == len(hosts) == 154
    assert all(machines[one.number].provider == hosts[one.host] for one in hosted)
    assert User.objects.filter(roles__contains=[Role.PROVIDER]).count() == 154


def test_hosts_are_named_after_their_number_and_place(hosted):
    assert User.objects.get(email="host-041@hosts.example").public_name == "Host 041, Texas"
    names = set(User.objects.filter(roles__contains=[Role.PROVIDER]).values_list("organization_name", flat=True))
    assert len(names) == 154


def test_hardware_is_the_files(machines, hosted):
    for one in hosted:
        machine, day = machines[one.number], one.newest
        assert (machine.gpu.slug, machine.gpu_count, machine.gpu_model) == (
            day.gpu_id,
            day.gpu_count,
            machine.gpu.name,
        )
        assert (machine.ram_gb, machine.disk_size_gb, machine.reliability) == (
            day.ram_gb,
            day.disk_size_gb,
            day.reliability,
        )
        assert machine.cpu_model == (day.cpu_model or "not stated")
        assert machine.country.code == day.country
        assert machine.created_at < machine.updated_at or len(one.days) == 1
    assert machines[4].os.startswith("Linux, NVIDIA driver ")


def test_prices_are_the_files_and_longer_is_cheaper(machines, hosted):
    for one in hosted:
        (listing,) = machines[one.number].listings.all()
        assert (listing.price_hour, listing.currency) == (one.newest.price_hour, "USD")
        if listing.price_day:
            assert Decimal("20.5") < listing.price_day / listing.price_hour < 23
        if listing.price_week:
            assert Decimal("5.9") < listing.price_week / listing.price_day < Decimal("6.6")
    listings = Listing.objects.all()
    assert set(listings.values_list("cancellation_terms", flat=True)) == {"flexible", "moderate", "strict"}
    assert listings.filter(price_day=None).exists()
    assert listings.filter(price_day__isnull=False, price_week=None).exists()


def test_rates_are_the_same_each_time(machines, hosted):
    for one in hosted[:50]:
        again = inventory._listing(one, machines[one.number])
        (listing,) = machines[one.number].listings.all()
        fields = ("price_hour", "price_day", "price_week", "min_hours", "max_hours", "cancellation_terms")
        assert all(getattr(again, name) == getattr(listing, name) for name in fields)


def test_a_listing_is_active_exactly_when_the_rules_allow(hosted):
    for listing in Listing.objects.select_related("machine__provider"):
        assert (listing.status == ListingStatus.ACTIVE) == (not missing_for_activation(listing)), listing
    active = Listing.objects.active().exclude(machine__name__in=inventory.MADE_UP)
    assert active.count() == sum(one.is_verified for one in hosted)


def test_verdicts_are_the_files(machines, hosted):
    expected = {"verified": "approved", "unverified": "pending", "deverified": "rejected"}
    for one in hosted:
        newest = machines[one.number].benchmarks.order_by("-collected_at").first()
        assert newest.collected_at == one.newest.collected_at
        assert newest.status == expected[one.newest.verification]
        assert machines[one.number].verified_benchmark == (newest if one.is_verified else None)


def test_benchmarks_hold_the_files_figures_and_nothing_else(machines, hosted):
    runs = Benchmark.objects.exclude(machine__name__in=inventory.MADE_UP)
    days = {(one.number, day.collected_at): day for one in hosted for day in one.days}
    numbers = {machine.pk: number for number, machine in machines.items()}
    left_out = set()
    for run in runs.select_related("decided_by"):
        number = numbers[run.machine_id]
        day = days[number, run.collected_at]
        assert (run.gpu_throughput_fp16, run.cpu_score, run.disk_write_mb_s) == (None, None, None)
        assert run.disk_read_mb_s == day.disk_read_mb_s
        assert run.network_bandwidth_gbps == (day.download_mbps and pytest.approx(day.download_mbps / 1000, abs=1e-4))
        assert run.source == f"hosted_machines.csv (CCIR), {day.collected_at:%Y-%m-%d}"
        if run.gpu_throughput_fp32 is None:
            left_out.add(number)
        else:
            assert run.gpu_throughput_fp32 == day.fp32_tflops
            check_plausible(machines[number], {"gpu_throughput_fp32": run.gpu_throughput_fp32})
        if run.status != BenchmarkStatus.PENDING:
            assert run.decided_by.email == people.ADMIN
            assert run.decided_at >= run.collected_at
    assert left_out == {275, 375, 411}
    for number in left_out:
        fp32 = next(one for one in hosted if one.number == number).newest.fp32_tflops
        assert fp32 > physical_limits(machines[number])["gpu_throughput_fp32"] * 1.05


def test_a_machine_has_at_most_three_benchmarks_and_each_is_of_another_day(machines):
    counts = Counter(Benchmark.objects.values_list("machine", flat=True))
    assert set(counts.values()) == {1, 2, 3}
    assert len(counts) == Machine.objects.count()


def test_verified_machines_make_verified_hosts(hosted):
    verified = {one.host for one in hosted if one.is_verified}
    waiting = {one.host for one in hosted if one.newest.verification == "unverified"} - verified
    of_hosts = Verification.objects.filter(user__roles__contains=[Role.PROVIDER])
    assert of_hosts.approved().count() == len(verified) == 103
    assert of_hosts.pending().count() == len(waiting)
    assert of_hosts.count() == len(verified | waiting)


def test_one_who_waits_to_be_verified_has_sent_a_document():
    (document,) = VerificationDocument.objects.all()
    assert document.verification.is_pending
    assert sha256(files.read(document.file)).hexdigest() == document.sha256


def test_the_demo_provider_has_one_cluster_of_two_nodes():
    cluster = Machine.objects.get(name=inventory.CLUSTER)
    assert cluster.provider.email == people.PROVIDER
    assert [node.name for node in cluster.nodes.all()] == ["node-1", "node-2"]
    for name in ("gpu_count", "cpu_cores", "ram_gb", "disk_size_gb"):
        assert sum(getattr(node, name) for node in cluster.nodes.all()) == getattr(cluster, name)
    assert cluster.listings.get().status == ListingStatus.ACTIVE


def test_what_is_let_in_another_currency_says_that_it_is_made_up():
    for copy in inventory.COPIES:
        listing = Listing.objects.get(machine__name=copy.name)
        assert listing.machine.provider.email == copy.provider
        assert (listing.status, listing.currency, listing.price_hour) == ("active", copy.currency, copy.price_hour)
        assert listing.description.startswith("Made up for the demonstration")
        assert listing.machine.verified_benchmark.source.startswith("Demonstration: ")
    others = Listing.objects.exclude(machine__name__in=[copy.name for copy in inventory.COPIES])
    assert set(others.values_list("currency", flat=True)) == {"USD"}


def test_there_are_billing_details_of_each_kind_that_vat_knows():
    of_people = BillingDetails.objects.exclude(user=None)
    kinds = {details.user.email: treatment_of(details.user).kind for details in of_people}
    assert kinds == {
        people.BUYER: TaxKind.STANDARD,
        people.BUYER2: TaxKind.REVERSE_CHARGE,
        people.ORGADMIN: TaxKind.STANDARD,
        people.MEMBER: TaxKind.STANDARD,
        people.A_BUYER_IN_THE_USA: TaxKind.OUTSIDE_EU,
        people.PROVIDER: TaxKind.OUTSIDE_EU,
        people.PROVIDER2: TaxKind.REVERSE_CHARGE,
    }


def test_the_institute_has_a_member_a_project_and_a_policy():
    made = Organization.objects.get()
    assert institute.create(now=timezone.now()) == made, "it is there already"
    assert {row.user.email: row.role for row in made.memberships.current()} == {
        people.ORGADMIN: "administrator",
        people.MEMBER: "member",
    }
    assert made.owner.roles == [Role.ORGANIZATIONAL_ADMINISTRATOR, Role.BUYER]
    assert (made.projects.get().name, made.cost_centres.get().code) == (institute.PROJECT, institute.COST_CENTRE)
    assert made.needs_project
    assert made.billing_details.vat_id == people.INSTITUTE["vat_id"]


@pytest.mark.parametrize(
    ("email", "roles"),
    [
        ("buyer@example.com", {"buyer"}),
        ("buyer2@example.com", {"buyer"}),
        ("provider@example.com", {"provider"}),
        ("provider2@example.com", {"provider"}),
        ("orgadmin@example.com", {"organizational_administrator", "buyer"}),
        ("member@example.com", {"buyer"}),
        ("admin@example.com", {"platform_administrator"}),
    ],
)
def test_demo_sign_ins_work(rf, email, roles):
    user = authenticate(rf.post("/"), username=email, password="demo-password")
    assert user is not None
    assert set(user.roles) == roles
    assert (user.is_staff, user.is_superuser) == ((True, True) if email == people.ADMIN else (False, False))
    address = EmailAddress.objects.get(user=user)
    assert (address.email, address.verified, address.primary) == (email, True, True)


def test_nobody_else_has_a_password():
    with_password = [user.email for user in User.objects.all() if user.has_usable_password()]
    assert sorted(with_password) == sorted([*people.OTHER_SIGN_INS, *people.SIGN_INS_OF_HOSTS.values()])


def test_the_sign_ins_are_those_that_are_announced():
    announced = {f"{name}@example.com" for name in DEMO_SIGN_INS}
    assert announced == {*people.OTHER_SIGN_INS, *people.SIGN_INS_OF_HOSTS.values()}
    assert DEMO_PASSWORD == people.PASSWORD


def test_both_demo_providers_have_verified_machines_and_others():
    for email, active, paused in ((people.PROVIDER, 9 + 3, 1), (people.PROVIDER2, 5 + 2, 1)):
        statuses = Counter(Listing.objects.filter(machine__provider__email=email).values_list("status", flat=True))
        assert statuses == {"active": active, "paused": paused}


def test_loading_the_gpu_models_again_brings_them_up_to_date():
    GPUModel.objects.filter(slug="h100-sxm").update(memory_gb=1, market_price_estimate=2)
    GPUModel.objects.filter(slug="gtx-1070").delete()
    before = GPUModel.objects.get(slug="h100-sxm")
    assert gpu_specs.load(gpu_specs.read()) == GPUModel.objects.count() == 122
    after = GPUModel.objects.get(slug="h100-sxm")
    assert (after.pk, after.memory_gb, after.market_price_estimate) == (before.pk, 80, 2)
    assert after.updated_at > before.updated_at
