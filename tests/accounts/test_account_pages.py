"""A person's own pages: profile and verification."""

import pytest
from django.urls import reverse

from accounts.models import Role, User, Verification
from accounts.services.verifications import decide_verification, request_verification
from tests.people import make_machine

PAGES = ["profile", "verification_request", "billing_details", "ssh_key_list"]
ASK = {"kind": "institution", "legal_name": "Institute of Things", "country": "DE", "statement": "HRB 1, Hamburg"}


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


# Verification -----------------------------------------------------------------------------------------


def test_asking_to_be_verified(client, buyer):
    client.force_login(buyer)
    response = client.post(reverse("verification_request"), ASK, follow=True)
    assert "waiting for review" in response.text
    assert buyer.verifications.get().legal_name == "Institute of Things"
    assert "waiting for review" in client.get(reverse("profile")).text


def test_asking_twice_is_refused_in_words(client, buyer, now):
    request_verification(user=buyer, now=now, **ASK)
    client.force_login(buyer)
    response = client.post(reverse("verification_request"), ASK)
    assert response.status_code == 422
    assert "waiting for review already" in response.text
    assert buyer.verifications.count() == 1


def test_a_verification_form_keeps_what_was_typed(client, buyer):
    client.force_login(buyer)
    response = client.post(reverse("verification_request"), ASK | {"country": ""})
    assert response.status_code == 422
    assert "Institute of Things" in response.text
    assert "HRB 1, Hamburg" in response.text
    assert not Verification.objects.exists()


def test_a_rejection_shows_its_reason_and_can_be_corrected(client, buyer, administrator, now):
    asked = request_verification(user=buyer, now=now, **ASK)
    decide_verification(verification=asked, approve=False, by=administrator, reason="No such register.", now=now)
    client.force_login(buyer)
    page = client.get(reverse("verification_request")).text
    assert "No such register." in page
    assert "Institute of Things" in page  # the form starts with what was sent
    assert "No such register." in client.get(reverse("profile")).text
    client.post(reverse("verification_request"), ASK | {"statement": "HRB 2, Hamburg"})
    assert buyer.verifications.pending().get().statement == "HRB 2, Hamburg"


def test_who_is_verified_sees_the_mark_and_no_form(client, provider):
    client.force_login(provider)
    page = client.get(reverse("verification_request")).text
    assert "You are verified" in page
    assert 'name="legal_name"' not in page
    assert client.post(reverse("verification_request"), ASK).status_code == 422
