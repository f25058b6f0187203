"""The page on which a person says whom invoices name."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.models import BillingDetails, BillingKind
from accounts.services.billing_details import save_billing_details
from tests.people import make_billing_details
from tests.racing import at_once

PERSON = {
    "kind": "individual",
    "name": "Bea Buyer",
    "street": "Ringstraße 1",
    "postal_code": "1010",
    "city": "Wien",
    "country": "AT",
}
BUSINESS = PERSON | {
    "kind": "business",
    "name": "Fjord GmbH",
    "vat_id": " atu 135 85 627 ",
    "invoice_email": "invoices@fjord.example",
    "purchase_order": "PO-4711",
    "cost_centre": "Physics 7",
}


@pytest.fixture
def signed_in(client, buyer):
    client.force_login(buyer)
    return client


def send(client, data):
    return client.post(reverse("billing_details"), data)


def test_billing_details_are_saved(signed_in, buyer):
    response = signed_in.post(reverse("billing_details"), BUSINESS, follow=True)
    assert "Your billing details are saved." in response.text
    details = BillingDetails.objects.get(user=buyer)
    assert {name: getattr(details, name) for name in BUSINESS} == BUSINESS | {"vat_id": "ATU13585627"}
    assert details.email == "invoices@fjord.example"
    assert "ATU13585627" in response.text
    assert "Reverse charge: you pay without VAT" in response.text


def test_billing_details_are_changed(signed_in, buyer):
    before = make_billing_details(buyer, vat_id="DE136695976", purchase_order="PO-1")
    send(signed_in, PERSON)
    after = BillingDetails.objects.get(user=buyer)
    assert after.pk == before.pk
    assert (after.kind, after.vat_id, after.purchase_order) == (BillingKind.INDIVIDUAL, "", "")
    assert after.updated_at > before.updated_at
    assert after.email == buyer.email


def test_a_profile_suggests_what_to_begin_with(signed_in, buyer):
    buyer.organization_name, buyer.country = "Fjord AS", "NO"
    buyer.save()
    page = signed_in.get(reverse("billing_details"))
    assert page.context["form"].initial["name"] == "Fjord AS"
    assert page.context["form"].initial["kind"] == BillingKind.BUSINESS
    assert page.context["form"].initial["country"] == "NO"
    assert "Without VAT: businesses outside the EU" in page.text
    assert not BillingDetails.objects.exists()


def test_who_has_named_no_country_is_in_the_one_of_their_bill(signed_in, buyer):
    send(signed_in, PERSON)
    buyer.refresh_from_db()
    assert buyer.country.code == "AT"
    send(signed_in, PERSON | {"country": "DE"})
    buyer.refresh_from_db()
    assert buyer.country.code == "AT"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"vat_id": "ATU13585628"}, "vat_id", "This is not a valid VAT id of Austria: a digit is wrong."),
        ({"vat_id": "DE136695976"}, "vat_id", "A VAT id of Austria begins with AT."),
        ({"vat_id": "X" * 41}, "vat_id", "Ensure this value has at most 40 characters (it has 41)."),
        ({"country": "CH", "vat_id": "X" * 21}, "vat_id", "Ensure this value has at most 20 characters (it has 21)."),
        (
            {"kind": "individual"},
            "vat_id",
            "A private person has no VAT id. Say that you are a business, or leave it empty.",
        ),
        ({"kind": "robot"}, "kind", "Select a valid choice. robot is not one of the available choices."),
        ({"country": "XX"}, "country", "Select a valid choice. XX is not one of the available choices."),
        ({"country": ""}, "country", "This field is required."),
        ({"name": " "}, "name", "This field is required."),
        ({"street": "Ring\u0007straße"}, "street", "This has characters in it that cannot be printed. Type it anew."),
        ({"postal_code": ""}, "postal_code", "An address in Austria has a postal code."),
        ({"invoice_email": "fjord"}, "invoice_email", "Enter a valid email address."),
        ({"cost_centre": "7" * 61}, "cost_centre", "Ensure this value has at most 60 characters (it has 61)."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(signed_in, changes, field, words):
    response = send(signed_in, BUSINESS | {"city": "Typed Town"} | changes)
    assert response.status_code == 422
    assert response.context["form"].errors[field] == [words]
    assert "Typed Town" in response.text
    assert not BillingDetails.objects.exists()


@pytest.mark.parametrize("country", ["IE", "HK"])
def test_where_addresses_need_no_postal_code_none_is_asked_for(signed_in, country):
    assert send(signed_in, PERSON | {"country": country, "postal_code": ""}).status_code == 302


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"kind": "individual", "country": "US"}, "Includes 19\N{NO-BREAK SPACE}% VAT (Germany)."),
        ({"kind": "business", "country": "AT", "vat_id": "ATU13585627"}, "Reverse charge: you pay without VAT"),
        ({"kind": "business", "country": "US"}, "Without VAT: businesses outside the EU"),
        ({"kind": "business", "country": "AT", "vat_id": "ATU13585628"}, "a digit is wrong"),
        ({}, "Includes 19\N{NO-BREAK SPACE}% VAT (Germany)."),
    ],
)
def test_what_follows_is_said_while_it_is_typed(signed_in, buyer, typed, words):
    make_billing_details(buyer, vat_id="DE136695976")
    fragment = signed_in.get(reverse("billing_details"), typed, headers={"HX-Request": "true"})
    assert fragment.status_code == 200
    assert words in fragment.text
    assert "<html" not in fragment.text
    assert "HX-Request" in fragment["Vary"]


def test_a_refused_id_does_not_promise_what_the_stored_one_does(signed_in, buyer):
    make_billing_details(buyer, vat_id="ATU13585627", country="AT")
    assert "Reverse charge: you" in signed_in.get(reverse("billing_details")).text
    refused = send(signed_in, BUSINESS | {"vat_id": "ATU13585628"})
    assert "Reverse charge: you" not in refused.text
    assert "Includes 19" in refused.text


def test_providers_see_how_they_are_paid_and_nobody_else(client, buyer, provider):
    make_billing_details(provider, vat_id="DE136695976")
    client.force_login(provider)
    assert "is added to your earnings" in client.get(reverse("billing_details")).text
    client.force_login(buyer)
    assert "your earnings" not in client.get(reverse("billing_details")).text


def test_nobody_sees_another_persons_details(client, buyer, other_buyer):
    make_billing_details(buyer, street="Secret Lane 1")
    client.force_login(other_buyer)
    assert "Secret Lane 1" not in client.get(reverse("billing_details")).text


def test_two_tabs_leave_one_row_behind(transactional_db, buyer):
    def save(name: str) -> None:
        save_billing_details(user=buyer, details=BillingDetails(**PERSON | {"name": name}))

    outcomes = at_once([lambda: save("One"), lambda: save("Two")])
    assert outcomes == [None, None]
    assert BillingDetails.objects.get().name in {"One", "Two"}


def test_the_database_knows_no_third_kind_and_no_id_of_a_private_person(buyer):
    for changes in ({"kind": "robot"}, {"kind": "individual", "vat_id": "DE136695976"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_billing_details(buyer, **changes)


def test_details_that_are_not_typed_into_the_page_are_held_to_the_same(buyer):
    details = make_billing_details(buyer, vat_id="DE136695976")
    details.vat_id, details.postal_code = "DE136695975", ""
    with pytest.raises(ValidationError) as error:
        details.full_clean()
    assert set(error.value.message_dict) == {"vat_id", "postal_code"}
