"""What a rule guards elsewhere is guarded in the administration too, and bent requests break nothing."""

from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import OutgoingMail, Role, User
from accounts.outbox import queue_mail
from accounts.services.roles import NotAnAdministrator, require_administrator
from machines.models import Listing, Machine, Node
from tests.people import make_listing, make_machine, make_user


@pytest.fixture
def admin_page(client, administrator):
    client.force_login(administrator)
    return client


def form_of(client, row):
    return client.get(address(row)).context["adminform"].form


def address(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def save(client, row, **changes):
    """Send the page's form as it is, but for the changes."""
    form = form_of(client, row)
    data = {name: form[name].value() for name in form.fields}
    inlines = {f"nodes-{count}_FORMS": "0" for count in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    data = {name: value for name, value in data.items() if value is not None}
    return client.post(address(row), inlines | data | changes)


# Machines ---------------------------------------------------------------------------------------------


def test_what_was_measured_stays_as_it_is(admin_page, machine, other_provider):
    assert not {"gpu", "gpu_model", "gpu_count", "gpu_memory_gb"} & set(form_of(admin_page, machine).fields)
    assert save(admin_page, machine, gpu_count="16", gpu_model="B200", region="Kiel").status_code == 302
    machine.refresh_from_db()
    assert (machine.gpu_count, machine.gpu_model, machine.region) == (8, "H100 SXM", "Kiel")


def test_gpus_can_be_corrected_before(admin_page, provider):
    machine = make_machine(provider)
    assert save(admin_page, machine, gpu_count="4").status_code == 302
    machine.refresh_from_db()
    assert machine.gpu_count == 4


def test_a_booked_machine_stays_its_providers(admin_page, machine, paid, other_provider):
    assert "provider" not in form_of(admin_page, machine).fields
    assert save(admin_page, machine, provider=str(other_provider.pk)).status_code == 302
    machine.refresh_from_db()
    assert machine.provider == paid.machine.provider


def test_a_machine_on_offer_stays_its_providers(admin_page, listing):
    assert "provider" not in form_of(admin_page, listing.machine).fields


def test_a_machine_that_nobody_relies_on_can_be_given_away(admin_page, provider, other_provider):
    machine = make_machine(provider)
    assert save(admin_page, machine, provider=str(other_provider.pk)).status_code == 302
    machine.refresh_from_db()
    assert machine.provider == other_provider


def test_a_clusters_sums_are_its_nodes(admin_page, provider):
    cluster = make_machine(provider, kind="cluster")
    Node.objects.create(machine=cluster, name="n", cpu_cores=96, ram_gb=1536, disk_size_gb=7680, gpu_count=8)
    assert not {"gpu_count", "cpu_cores", "ram_gb", "disk_size_gb"} & set(form_of(admin_page, cluster).fields)


@pytest.mark.parametrize("minutes", ["29", "1441", "soon"])
def test_the_turnaround_has_its_bounds(admin_page, machine, minutes):
    response = save(admin_page, machine, turnaround=minutes)
    assert "turnaround" in response.context["adminform"].form.errors
    assert save(admin_page, machine, turnaround="45").status_code == 302
    assert Machine.objects.get(pk=machine.pk).turnaround.total_seconds() == 45 * 60


# Listings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "JPY", "price_hour": "10.50"}, "price_hour"),
        ({"price_hour": "100001"}, "price_hour"),
        ({"price_week": "9999999999.99"}, "price_week"),
        ({"min_hours": "500", "max_hours": "400"}, "max_hours"),
    ],
)
def test_a_listing_obeys_its_providers_form(admin_page, listing, changes, field):
    response = save(admin_page, listing, **changes)
    assert field in response.context["adminform"].form.errors
    assert Listing.objects.get(pk=listing.pk).price_hour == Decimal("2.00")


def test_a_listing_is_corrected(admin_page, listing):
    assert save(admin_page, listing, price_hour="2.50").status_code == 302
    assert Listing.objects.get(pk=listing.pk).price_hour == Decimal("2.50")


def test_an_archived_listing_stays_as_it_is(admin_page, machine):
    listing = make_listing(machine, status="archived")
    assert not form_of(admin_page, listing).fields


# Mail and bookings --------------------------------------------------------------------------------------


def test_the_body_of_a_mail_is_never_shown(admin_page, buyer):
    queue_mail(
        address=buyer.email, user=None, subject="Reset your password", text="https://x/key-1/", html="<p>key-2</p>"
    )
    mail = OutgoingMail.objects.get()
    for page in (admin_page.get(address(mail)), admin_page.get(reverse("admin:accounts_outgoingmail_changelist"))):
        assert "Reset your password" in page.text
        assert buyer.email in page.text
        assert "Waiting" in page.text
        assert "key-1" not in page.text
        assert "key-2" not in page.text


def test_entering_the_administration_opens_no_booking(client, paid):
    clerk = make_user("clerk@example.com", is_staff=True)
    client.force_login(clerk)
    assert client.get(reverse("booking_detail", args=[paid.pk])).status_code == 404
    clerk.roles = ["platform_administrator"]
    clerk.save(update_fields=["roles"])
    assert client.get(reverse("booking_detail", args=[paid.pk])).status_code == 200


# Bent requests ------------------------------------------------------------------------------------------

WITH_ACTIONS = [
    "accounts_verification",
    "accounts_user",
    "machines_benchmark",
    "machines_listing",
    "billing_payment",
]


@pytest.mark.parametrize("page", WITH_ACTIONS)
@pytest.mark.parametrize("chosen", ["x", "\0", "1", "ffffffff-ffff-ffff-ffff-fffffffffffg"])
def test_an_id_that_is_none_is_said_so(admin_page, listing, paid, page, chosen):
    site = {f"{model._meta.app_label}_{model._meta.model_name}": row for model, row in admin.site._registry.items()}
    action = next(name for name in site[page].actions or ["delete_selected"])
    url = reverse(f"admin:{page}_changelist")
    response = admin_page.post(url, {"action": action, "_selected_action": [chosen]}, follow=True)
    assert response.status_code == 200
    if page != "accounts_user":  # of people nothing is deleted, so there is no action to take
        assert "one of the chosen rows does not exist" in response.text


@pytest.mark.parametrize(
    "query",
    [
        "autocomplete/?app_label=machines&model_name=machine&field_name=gpu&term=%00",
        "machines/benchmark/?status__exact=%00",
        "accounts/user/?role=%00",
        "accounts/user/?%00=1",
        "machines/listing/?q=%00",
    ],
)
def test_an_address_with_a_nul_is_refused(admin_page, query):
    assert admin_page.get(f"/admin/{query}").status_code == 400


def test_suggestions_are_still_made(admin_page, machine):
    response = admin_page.get(
        "/admin/autocomplete/", {"app_label": "machines", "model_name": "machine", "field_name": "gpu", "term": "h"}
    )
    assert response.json() == {"results": [], "pagination": {"more": False}}


def test_keys_are_called_what_they_are(admin_page):
    assert "SSH keys" in admin_page.get(reverse("admin:index")).text


def test_nobody_gets_into_anothers_account_through_the_administration(admin_page, buyer):
    """Neither by a password of their choice nor by an address of theirs, to which the link for a new one would go."""
    page = reverse("admin:accounts_user_change", args=[buyer.pk])
    new = {"password1": "plum tractor eleven moss", "password2": "plum tractor eleven moss"}
    assert admin_page.get(f"{page.removesuffix('change/')}password/").status_code == 403
    assert admin_page.post(f"{page.removesuffix('change/')}password/", new).status_code == 403
    before = (buyer.email, buyer.password)
    for email, status in (("mine@example.com", 200), (buyer.email, 302)):
        typed = {"email": email, "password": "x", "name": "Bea", "is_active": "on"}
        assert admin_page.post(page, typed).status_code == status
    buyer.refresh_from_db()
    assert (buyer.email, buyer.password, buyer.name) == (*before, "Bea")
    assert admin_page.get(reverse("admin:account_emailaddress_add")).status_code == 403


def test_nobody_alone_switches_an_administrators_account_off_or_on(admin_page, administrator, buyer):
    """Two have to be left, and whoever is one takes two: so it is with the accounts that they sign in to."""
    other = make_user("other-admin@example.com", Role.PLATFORM_ADMINISTRATOR)
    page = reverse("admin:accounts_user_change", args=[other.pk])
    answer = admin_page.post(page, {"email": other.email, "name": "Other"})
    assert "have the role taken from them first" in answer.text
    other.refresh_from_db()
    assert other.is_active
    assert admin_page.post(page, {"email": other.email, "name": "Other", "is_active": "on"}).status_code == 302
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert admin_page.post(page, {"email": other.email, "name": "Other", "is_active": "on"}).status_code == 200
    other.refresh_from_db()
    assert not other.is_active
    with pytest.raises(NotAnAdministrator):
        require_administrator(other)
    common = reverse("admin:accounts_user_change", args=[buyer.pk])
    assert admin_page.post(common, {"email": buyer.email, "name": "Bea"}).status_code == 302
    buyer.refresh_from_db()
    assert not buyer.is_active


def test_staff_who_edit_people_give_themselves_no_more(client, buyer):
    buyer.is_staff = True
    buyer.save(update_fields=["is_staff"])
    buyer.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(buyer)
    everything = {
        "email": buyer.email,
        "name": "Bea",
        "is_active": "on",
        "user_permissions": [Permission.objects.first().pk],
    }
    client.post(reverse("admin:accounts_user_change", args=[buyer.pk]), everything)
    buyer.refresh_from_db()
    assert (buyer.name, buyer.is_staff, buyer.user_permissions.count()) == ("Bea", True, 2)
