"""Numbers are written as in the country of whoever reads them, and nobody gets a page that was written for another."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import reverse

from accounts.middleware import PersonPlace
from accounts.models import OutgoingMail, User
from accounts.outbox import write_mail, written_for
from common.formats import money, region
from machines.models import Listing

#: What 1,236 EUR an hour looks like in the list of servers, by the country of whoever looks.
WRITTEN = {"DE": "1.236,00\N{NO-BREAK SPACE}€", "US": "€1,236.00", "CH": "€\N{NO-BREAK SPACE}1’236.00"}


@pytest.fixture
def dear(listing) -> Listing:
    listing.price_hour = Decimal("1236")
    listing.price_day = listing.price_week = None
    listing.save()
    return listing


@pytest.fixture(autouse=True)
def _nothing_cached():
    cache.clear()


def living_in(user: User, country: str) -> User:
    user.country = country
    user.save(update_fields=["country"])
    return user


@pytest.mark.parametrize("page", ["listing_list", "listing_detail"])
def test_pages_that_are_looked_at_by_turns_keep_their_readers_numbers(client, buyer, dear, page):
    address = reverse(page, args=[dear.pk] if page == "listing_detail" else [])
    client.force_login(buyer)
    for country in [*WRITTEN, *reversed(WRITTEN)]:  # what was remembered for one is there when the next one looks
        living_in(buyer, country)
        text = client.get(address).text
        assert WRITTEN[country] in text
        assert not any(other in text for code, other in WRITTEN.items() if code != country)


def test_two_people_in_one_process_read_their_own(client, buyer, other_buyer, dear):
    pages = {}
    for user, country in ((buyer, "DE"), (other_buyer, "US")):
        client.force_login(living_in(user, country))
        pages[country] = client.get(reverse("listing_list")).text
    assert WRITTEN["DE"] in pages["DE"]
    assert WRITTEN["US"] not in pages["DE"]
    assert WRITTEN["US"] in pages["US"]
    assert WRITTEN["DE"] not in pages["US"]


def test_a_region_does_not_outlive_its_request(client, buyer, dear):
    client.force_login(living_in(buyer, "DE"))
    client.get(reverse("listing_list"))
    assert region() == ""
    client.get("/no-such-page/")
    assert region() == ""


@pytest.mark.parametrize(
    ("header", "written"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", WRITTEN["DE"]),
        ("en-CH", WRITTEN["CH"]),
        ("de-CH", "EUR\N{NO-BREAK SPACE}1’236.00"),
        ("en-US,en;q=0.9", WRITTEN["US"]),
        ("en", WRITTEN["US"]),
        ("", WRITTEN["US"]),
    ],
)
def test_before_signing_in_the_browsers_language_says_where_one_is(client, dear, header, written):
    response = client.get(reverse("listing_list"), headers={"Accept-Language": header})
    assert written in response.text
    assert "Accept-Language" in response["Vary"]


def test_a_profile_says_more_than_a_browser(client, buyer, dear):
    buyer.language = "en"
    buyer.save(update_fields=["language"])
    client.force_login(living_in(buyer, "DE"))
    response = client.get(reverse("listing_list"), headers={"Accept-Language": "en-US"})
    assert WRITTEN["DE"] in response.text
    assert "Accept-Language" not in response["Vary"]
    assert "Cookie" in response["Vary"]


def test_the_home_page_is_not_kept_for_another_region(client, dear):
    swiss = client.get("/", headers={"Accept-Language": "de-CH"})
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in swiss["Vary"].split(",")}


def test_what_is_no_page_does_not_depend_on_the_reader(client, db):
    assert "Accept-Language" not in client.get(reverse("healthz")).get("Vary", "")


def test_a_mail_is_written_for_its_receiver(buyer, other_buyer):
    for user, country in ((buyer, "DE"), (other_buyer, "")):
        with written_for(living_in(user, country)):
            write_mail(user=user, key="price", subject="Price", paragraphs=[money(Decimal(1236), "EUR")])
    assert WRITTEN["DE"] in OutgoingMail.objects.get(user=buyer).text
    assert WRITTEN["US"] in OutgoingMail.objects.get(user=other_buyer).text
    assert region() == ""


def test_requests_at_the_same_time_do_not_share_a_region(rf):
    def ask(country: str) -> str:
        request = rf.get("/")
        request.user = User(country=country)
        answer = PersonPlace(lambda _request: HttpResponse(money(Decimal(1236), "EUR")))(request)
        return answer.content.decode()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, ["DE", "US", "CH"] * 100))
    assert answers == [WRITTEN["DE"], WRITTEN["US"], WRITTEN["CH"]] * 100
