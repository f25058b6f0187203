"""A person's own pages: the profile. Verification has tests of its own."""

import pytest
from django.urls import reverse

from accounts.models import Role, User
from tests.people import make_machine

PAGES = ["profile", "verification_request", "billing_details", "ssh_key_list"]


def fill(user: User, **changes):
    return {
        "name": user.name,
        "organization_name": user.organization_name,
        "country": user.country.code,
        "timezone": user.timezone,
        "purposes": [role for role in user.roles if role in (Role.BUYER, Role.PROVIDER)],
    } | changes


@pytest.mark.parametrize("page", PAGES)
def test_account_pages_ask_to_sign_in(client, db, page):
    response = client.get(reverse(page))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


@pytest.mark.parametrize("page", PAGES)
def test_account_pages_open_for_everyone_who_is_signed_in(client, stranger, page):
    client.force_login(stranger)
    assert client.get(reverse(page)).status_code == 200


def test_the_profile_is_saved(client, buyer):
    client.force_login(buyer)
    data = fill(buyer, name="Bea B.", country="NO", timezone="Europe/Oslo", organization_name="Fjord AS")
    response = client.post(reverse("profile"), data, follow=True)
    assert "Your profile is saved." in response.text
    buyer.refresh_from_db()
    assert (buyer.name, buyer.country.code, buyer.timezone) == ("Bea B.", "NO", "Europe/Oslo")
    assert "Europe/Oslo" in response.text  # and the page is written in it at once


def test_a_profile_keeps_what_was_typed_when_it_is_refused(client, buyer):
    client.force_login(buyer)
    response = client.post(reverse("profile"), fill(buyer, name="Typed Name", timezone="Mars/Olympus"))
    assert response.status_code == 422
    assert "Typed Name" in response.text
    buyer.refresh_from_db()
    assert buyer.name == "Bea Buyer"


@pytest.mark.parametrize("name", ["name", "organization_name"])
def test_names_that_others_see_are_no_advertisements(client, buyer, name):
    client.force_login(buyer)
    answer = client.post(reverse("profile"), fill(buyer, **{name: "Cheap at WWW.x.example"}))
    assert answer.status_code == 422
    assert answer.context["form"].errors == {name: ["A name holds no web address."]}
    assert client.post(reverse("profile"), fill(buyer, **{name: "Dr. Bea www & Co."})).status_code == 302


def test_people_choose_what_they_come_for(client, buyer):
    client.force_login(buyer)
    client.post(reverse("profile"), fill(buyer, purposes=["buyer", "provider"]))
    buyer.refresh_from_db()
    assert buyer.roles == [Role.BUYER, Role.PROVIDER]


def test_people_come_for_something(client, buyer):
    client.force_login(buyer)
    response = client.post(reverse("profile"), fill(buyer, purposes=[]))
    assert response.status_code == 422
    assert "Choose at least one." in response.text


@pytest.mark.parametrize("role", [Role.PLATFORM_ADMINISTRATOR, Role.ORGANIZATIONAL_ADMINISTRATOR])
def test_nobody_makes_themselves_an_administrator(client, buyer, role):
    client.force_login(buyer)
    response = client.post(reverse("profile"), fill(buyer, purposes=["buyer", role], roles=[role]))
    assert response.status_code == 422
    buyer.refresh_from_db()
    assert buyer.roles == [Role.BUYER]


def test_other_roles_stay_as_they_are(client, organization_administrator):
    client.force_login(organization_administrator)
    client.post(reverse("profile"), fill(organization_administrator, purposes=["provider"]))
    organization_administrator.refresh_from_db()
    assert set(organization_administrator.roles) == {Role.PROVIDER, Role.ORGANIZATIONAL_ADMINISTRATOR}


def test_who_provides_machines_stays_a_provider(client, provider):
    make_machine(provider)
    client.force_login(provider)
    response = client.post(reverse("profile"), fill(provider, purposes=["buyer"]))
    assert response.status_code == 422
    provider.refresh_from_db()
    assert provider.is_provider


def test_who_is_verified_sees_the_mark_with_its_date(client, provider):
    client.force_login(provider)
    page = client.get(reverse("profile")).text
    assert "Company or institution, checked" in page
    assert "Good until" in page
