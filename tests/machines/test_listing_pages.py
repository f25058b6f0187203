"""Making a listing, editing it, putting it on offer and taking it off."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from common.money import Currency
from machines.models import Listing, ListingStatus
from machines.models.listing import RATES, most_rate
from machines.pricing import BestBundle
from tests.people import make_benchmark, make_listing, make_machine, make_user, verify

OFFER = {
    "currency": "EUR",
    "price_hour": "2.50",
    "price_day": "",
    "price_week": "",
    "min_hours": "1",
    "max_hours": "168",
    "max_ahead_days": "90",
    "cancellation_terms": "moderate",
    "description": "Quiet rack.",
}


def test_a_listing_starts_paused(client, machine):
    client.force_login(machine.provider)
    client.post(reverse("listing_create", args=[machine.pk]), OFFER)
    listing = machine.listings.get()
    assert (listing.status, listing.price_hour, listing.price_day) == (ListingStatus.PAUSED, Decimal("2.50"), None)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"currency": "JPY"}, "price_hour", "whole amounts only"),
        ({"currency": "JPY", "price_hour": "300", "price_day": "10.5"}, "price_day", "whole amounts only"),
        ({"price_hour": "2.505"}, "price_hour", "no more than 2 decimal places"),
        ({"price_hour": "0"}, "price_hour", "greater than or equal to 0.01"),
        ({"price_week": "-1"}, "price_week", "greater than or equal to 0.01"),
        ({"price_hour": ""}, "price_hour", "required"),
        ({"price_hour": "100000.01"}, "price_hour", "The most is €100,000.00"),
        ({"price_day": "1000001"}, "price_day", "The most is €1,000,000.00"),
        ({"price_week": "9999999999.99"}, "price_week", "The most is €5,000,000.00"),
        ({"currency": "JPY", "price_hour": "1000001"}, "price_hour", "The most is ¥1,000,000."),
        ({"price_hour": "NaN"}, "price_hour", "Enter a number"),
        ({"currency": "BTC"}, "currency", "valid choice"),
        ({"min_hours": "200"}, "max_hours", "cannot be shorter"),
        ({"max_hours": "99999"}, "max_hours", "less than or equal to"),
        ({"max_ahead_days": "0"}, "max_ahead_days", "greater than or equal to 1"),
    ],
)
def test_offers_that_do_not_fit_are_refused_and_kept(client, machine, changes, field, words):
    client.force_login(machine.provider)
    response = client.post(reverse("listing_create", args=[machine.pk]), OFFER | changes)
    assert response.status_code == 422
    assert words in response.context["form"].errors[field][0]
    assert "Quiet rack." in response.text
    assert not Listing.objects.exists()


def test_yen_are_whole(client, machine):
    client.force_login(machine.provider)
    client.post(reverse("listing_create", args=[machine.pk]), OFFER | {"currency": "JPY", "price_hour": "300"})
    listing = machine.listings.get()
    page = client.get(reverse("listing_edit", args=[listing.pk])).text
    assert "¥300" in page
    assert client.post(reverse("listing_edit", args=[listing.pk]), OFFER | {"currency": "JPY", "price_hour": "300.00"})


def test_yen_are_worth_less(client, machine):
    client.force_login(machine.provider)
    dear = OFFER | {"currency": "JPY", "price_hour": "1000000", "price_day": "10000000", "price_week": "50000000"}
    assert client.post(reverse("listing_create", args=[machine.pk]), dear).status_code == 302


@pytest.mark.parametrize("currency", Currency.values)
def test_the_dearest_listing_can_be_quoted_and_kept(machine, currency):
    rates = {rate: most_rate(rate, currency) for rate in RATES}
    listing = make_listing(machine, currency=currency, **rates)
    hourly = make_listing(machine, currency=currency, price_hour=rates["price_hour"], price_day=None, price_week=None)
    for offer in (listing, hourly):
        assert BestBundle().quote(offer.rates, 90 * 24).total < Decimal(10) ** 10  # numeric(12, 2)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("currency", Currency.values)
def test_the_database_keeps_no_rate_above_the_most(machine, currency, rate):
    with pytest.raises(IntegrityError, match=f"listings_{rate}_bounded"), transaction.atomic():
        make_listing(machine, currency=currency, **{rate: most_rate(rate, currency) + 1})


@pytest.mark.parametrize("rate", RATES)
def test_the_database_keeps_no_part_of_a_yen(machine, rate):
    with pytest.raises(IntegrityError, match="listings_yen_are_whole"), transaction.atomic():
        make_listing(machine, currency="JPY", **{rate: Decimal("10.50")})
    make_listing(machine, currency="JPY", price_day=None, price_week=None)


def test_editing_changes_no_booking(client, listing, paid):
    client.force_login(listing.machine.provider)
    before = type(paid).objects.filter(pk=paid.pk).values().get()
    client.post(reverse("listing_edit", args=[listing.pk]), OFFER | {"cancellation_terms": "strict"})
    listing.refresh_from_db()
    assert (listing.price_hour, listing.cancellation_terms) == (Decimal("2.50"), "strict")
    assert listing.status == ListingStatus.ACTIVE
    for action in ("listing_pause", "listing_archive"):
        client.post(reverse(action, args=[listing.pk]))
    assert type(paid).objects.filter(pk=paid.pk).values().get() == before


def test_an_archived_listing_is_not_edited(client, listing):
    client.force_login(listing.machine.provider)
    client.post(reverse("listing_archive", args=[listing.pk]))
    response = client.post(reverse("listing_edit", args=[listing.pk]), OFFER, follow=True)
    assert "stays as it is" in response.text
    listing.refresh_from_db()
    assert listing.price_hour == Decimal("2.00")
    response = client.post(reverse("listing_activate", args=[listing.pk]), follow=True)
    assert "An archived listing stays archived" in response.text


# On offer ---------------------------------------------------------------------------------------------


def activate(client, listing):
    client.force_login(listing.machine.provider)
    response = client.post(reverse("listing_activate", args=[listing.pk]), follow=True)
    listing.refresh_from_db()
    return response.text


def test_going_on_offer_is_refused_with_what_is_missing(client, db):
    newcomer = make_user("new@example.com", "provider")
    listing = make_listing(make_machine(newcomer), status=ListingStatus.PAUSED)
    page = activate(client, listing)
    assert "not a verified provider yet" in page
    assert "no approved benchmark yet" in page
    assert listing.status == ListingStatus.PAUSED
    shown = client.get(reverse("listing_edit", args=[listing.pk])).text
    assert "What is missing to put it on offer" in shown
    assert "no approved benchmark yet" in shown


@pytest.mark.parametrize("given", ["verification", "benchmark"])
def test_half_of_it_is_not_enough(client, administrator, now, given):
    newcomer = make_user("new@example.com", "provider")
    machine = make_machine(newcomer)
    listing = make_listing(machine, status=ListingStatus.PAUSED)
    if given == "verification":
        verify(newcomer, by=administrator, now=now)
    else:
        make_benchmark(machine, by=administrator, now=now)
    activate(client, listing)
    assert listing.status == ListingStatus.PAUSED


def test_with_everything_it_goes_on_offer_and_off_again(client, machine):
    listing = make_listing(machine, status=ListingStatus.PAUSED)
    assert "It is on offer." in activate(client, listing)
    assert listing.status == ListingStatus.ACTIVE
    assert "The way to buyers" not in client.get(reverse("machine_detail", args=[machine.pk])).text
    client.post(reverse("listing_pause", args=[listing.pk]))
    listing.refresh_from_db()
    assert listing.status == ListingStatus.PAUSED


ACTIONS = ["listing_activate", "listing_pause", "listing_archive"]


@pytest.mark.parametrize("page", ["listing_edit", *ACTIONS])
def test_a_listings_pages_are_its_providers(client, listing, other_provider, buyer, administrator, page):
    url = reverse(page, args=[listing.pk])
    assert client.post(url)["Location"].startswith(reverse("account_login"))
    for outsider in (other_provider, buyer, administrator):
        client.force_login(outsider)
        assert client.post(url, OFFER).status_code == 404
    listing.refresh_from_db()
    assert (listing.status, listing.price_hour) == (ListingStatus.ACTIVE, Decimal("2.00"))


@pytest.mark.parametrize("page", ACTIONS)
def test_a_link_changes_nothing(client, listing, page):
    client.force_login(listing.machine.provider)
    assert client.get(reverse(page, args=[listing.pk])).status_code == 405
