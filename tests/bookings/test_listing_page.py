"""One listing's page: the quote follows the window, what is wrong is said at the field, and booking holds it."""

import re
import time
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings

from bookings.errors import WindowTaken
from bookings.models import Booking
from machines.models import Listing, ListingStatus
from tests.bookings.test_browse_page import NONSENSE, encoded
from tests.people import DAY, HOUR, PASSWORD, make_hold, make_listing, make_machine, make_over, make_paid
from tests.signing_in import mailed_code

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HTMX = {"HX-Request": "true"}


def window(start, length=DAY) -> dict[str, str]:
    return {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + length:%Y-%m-%dT%H:%M}"}


def instants(start, length=DAY) -> dict[str, str]:
    return {"start": start.isoformat(), "end": (start + length).isoformat()}


@pytest.fixture
def start(now):
    """The full hour, in two days."""
    return now.replace(minute=0, second=0) + 2 * DAY


@pytest.fixture
def url(listing) -> str:
    return f"/listings/{listing.pk}/"


def quote(client, url, asked, **headers):
    return client.get(f"{url}quote/", asked, headers=HTMX | headers)


# The quote --------------------------------------------------------------------------------------------------


def test_the_page_begins_with_a_day_from_the_next_full_hour_on(client, url, listing, now):
    response = client.get(url)
    assert response.status_code == 200
    assert response.context["quote"].total == listing.price_day
    assert response.context["start"] - now <= HOUR
    html = response.content.decode()
    assert "Hold it for 15 minutes" in html
    assert 'name="expected_total" value="40.00"' in html


@pytest.mark.parametrize(
    ("hours", "total"), [(1, "2.00"), (3, "6.00"), (20, "40.00"), (24, "40.00"), (25, "42.00"), (7 * 24, "250.00")]
)
def test_the_quote_follows_the_window(client, url, start, hours, total):
    response = quote(client, url, window(start, hours * HOUR))
    html = response.content.decode()
    assert response.context["quote"].total == Decimal(total)
    assert f'name="expected_total" value="{total}"' in html
    assert "<html" not in html
    assert html.count('id="quote"') == 1
    assert re.search(r'id="availability"[^>]*hx-swap-oob="true"', html)
    assert "disabled" not in html


def test_without_a_script_the_quote_is_a_page(client, url, start):
    html = client.get(f"{url}quote/", window(start, 3 * HOUR)).content.decode()
    assert "<html" in html
    assert 'name="expected_total" value="6.00"' in html
    assert "hx-swap-oob" not in html


def test_a_begun_hour_is_counted_whole(client, url, start):
    assert quote(client, url, window(start, HOUR + MINUTE)).context["quote"].total == Decimal("4.00")


@pytest.mark.parametrize(
    ("after", "length", "field", "says"),
    [
        (-3 * DAY, DAY, "start", "This start has passed"),
        (100 * DAY, DAY, "start", "up to 90 days ahead"),
        (0 * DAY, -DAY, "end", "The end must be after the start"),
        (0 * DAY, 0 * DAY, "end", "The end must be after the start"),
        (0 * DAY, HOUR, "end", "The shortest booking here is 2 hours"),
        (0 * DAY, 29 * DAY, "end", "The longest booking here is 28 days"),
        (2 * HOUR, HOUR, "end", "The shortest booking here is 2 hours"),
        (4 * HOUR, 3 * HOUR, "start", "Taken by someone else"),
    ],
)
def test_what_is_wrong_with_a_window_is_said_at_the_field(
    client, url, listing, buyer, now, start, after, length, field, says
):
    Listing.objects.filter(pk=listing.pk).update(min_hours=2)
    make_paid(listing, buyer, start=start + 4 * HOUR, asked=now)
    for response in (
        quote(client, url, window(start + after, length)),
        client.get(url, window(start + after, length)),
    ):
        assert response.status_code == 200
        errors = response.context["form"].errors
        assert list(errors) == [field]
        assert says in errors[field][0]
        html = unescape(response.content.decode())
        assert errors[field][0] in html
        assert re.search(r"<button[^>]* disabled[^>]*>Hold it", html)
        assert response.context["form"]["start"].value() == window(start + after, length)["start"]  # kept as typed


@pytest.mark.parametrize("asked", [{"start": "", "end": ""}, {"start": "x", "end": "2026-02-30T00:00"}, {}])
def test_a_window_that_is_none_is_said_at_both_fields(client, url, asked):
    response = quote(client, url, asked)
    assert response.status_code == 200
    assert set(response.context["form"].errors) == {"start", "end"}
    assert response.context["quote"] is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=NONSENSE, end=NONSENSE)
@example(start="0001-01-01T00:00", end="9999-12-31T23:59")
@example(start="9999-12-31T23:59:59", end="9999-12-31T23:59:59.999")
@example(start="0001-01-01T00:00+14:00", end="0001-01-02T00:00+14:00")
@example(start="9999-12-31T00:00-12:00", end="9999-12-31T23:59-12:00")
@example(start="2026-11-22T00:00", end="9999-12-31T23:59")
def test_no_window_breaks_the_page(client, url, start, end):
    asked = encoded([("start", start), ("end", end)])
    for path in (url, f"{url}quote/"):
        began = time.monotonic()
        with transaction.atomic():
            assert client.get(f"{path}?{asked}", headers=HTMX).status_code == 200
        assert time.monotonic() - began < 4  # a quote for ten thousand years would take half a minute
    with transaction.atomic():
        form = "application/x-www-form-urlencoded"
        assert client.post(f"{url}book/", asked, content_type=form).status_code == 302


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_time_in_every_zone(client, url, buyer, zone, day):
    client.cookies["timezone"] = zone
    client.force_login(buyer)
    asked = {"start": f"{day}T00:00", "end": f"{day}T23:59"}
    assert client.get(url, asked).status_code == 200
    assert quote(client, url, asked).status_code == 200
    assert client.post(f"{url}book/", asked).status_code == 422


def test_times_are_the_readers_own(client, url, listing, buyer, start):
    """Nine o'clock typed in Berlin is nine o'clock in Berlin."""
    buyer.timezone = "Asia/Kolkata"
    buyer.save(update_fields=["timezone"])
    client.force_login(buyer)
    local = start + timedelta(hours=5, minutes=30)
    client.post(f"{url}book/", window(local, 4 * HOUR))
    booking = Booking.objects.get()
    assert (booking.start, booking.end) == (start, start + 4 * HOUR)


# Who may see and book it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "quote/", "availability/"])
def test_an_archived_listing_is_gone(client, url, listing, path):
    Listing.objects.filter(pk=listing.pk).update(status=ListingStatus.ARCHIVED)
    assert client.get(url + path).status_code == 404


def test_an_archived_listing_cannot_be_booked(client, url, listing, buyer, start):
    Listing.objects.filter(pk=listing.pk).update(status=ListingStatus.ARCHIVED)
    client.force_login(buyer)
    assert client.post(f"{url}book/", window(start)).status_code == 404
    assert not Booking.objects.exists()


def test_a_paused_listing_can_be_looked_at_and_not_booked(client, url, listing, buyer, start):
    Listing.objects.filter(pk=listing.pk).update(status=ListingStatus.PAUSED)
    client.force_login(buyer)
    html = client.get(url).content.decode()
    assert "not on offer at the moment" in html
    assert "This listing is paused" in html
    assert re.search(r"<button[^>]* disabled[^>]*>Hold it", html)
    for response in (client.post(f"{url}book/", window(start)), client.get(url, window(start))):
        assert list(response.context["form"].errors) == ["start"]
        assert "This listing is paused" in response.context["form"].errors["start"][0]
        assert "This listing is paused" in response.content.decode()
    assert client.post(f"{url}book/", window(start)).status_code == 422
    assert not Booking.objects.exists()


def test_a_provider_cannot_book_their_own_machine(client, url, provider, start):
    client.force_login(provider)
    assert "This is your own machine" in client.get(url).content.decode()
    response = client.post(f"{url}book/", window(start))
    assert response.status_code == 422
    assert not Booking.objects.exists()


def test_whoever_is_not_signed_in_comes_back_to_the_same_window(client, url, listing, start):
    response = client.post(f"{url}book/", window(start, 3 * HOUR))
    assert response.status_code == 302
    login = urlsplit(response["Location"])
    assert login.path == "/accounts/login/"
    back = urlsplit(parse_qs(login.query)["next"][0])
    assert back.path == url
    assert {key: value[0] for key, value in parse_qs(back.query).items()} == instants(start, 3 * HOUR)
    assert not Booking.objects.exists()
    assert client.get(back.geturl()).context["quote"].total == Decimal("6.00")


def test_signing_in_leads_back_to_the_window(client, url, start):
    response = client.post(f"{url}book/", window(start, 3 * HOUR))
    html = client.get(response["Location"]).content.decode()
    kept = unescape(re.search(r'name="next" value="([^"]*)"', html)[1])
    assert kept == parse_qs(urlsplit(response["Location"]).query)["next"][0]


# Holding it -------------------------------------------------------------------------------------------------


def test_booking_holds_the_window_and_goes_on_to_the_payment(client, url, listing, buyer, start):
    client.force_login(buyer)
    response = client.post(f"{url}book/", {**window(start, 3 * HOUR), "expected_total": "6.00"})
    booking = Booking.objects.get()
    assert response.status_code == 302
    assert response["Location"] == f"/bookings/{booking.pk}/pay/"
    assert booking.is_hold
    assert (booking.buyer, booking.price_total) == (buyer, Decimal("6.00"))


def test_a_price_that_was_not_shown_is_not_taken(client, url, listing, buyer, start):
    client.force_login(buyer)
    asked = {**window(start, 3 * HOUR), "expected_total": "6.00"}
    Listing.objects.filter(pk=listing.pk).update(price_hour=Decimal("2.50"))
    response = client.post(f"{url}book/", asked)
    assert response.status_code == 422
    html = response.content.decode()
    assert "The price has changed from €6.00 to €7.50" in html
    assert 'name="expected_total" value="7.50"' in html
    assert not Booking.objects.exists()
    # It is asked again, with the new price: the button must be there to press.
    assert not re.search(r"<button[^>]* disabled[^>]*>Hold it", html)
    assert client.post(f"{url}book/", {**asked, "expected_total": "7.50"}).status_code == 302


def test_a_window_that_was_taken_meanwhile_offers_others_of_which_one_click_takes_one(
    client, url, listing, buyer, other_buyer, now, start
):
    make_hold(listing, other_buyer, start=start + HOUR, hours=6, asked=now)
    client.force_login(buyer)
    asked = window(start, 4 * HOUR)
    response = client.post(f"{url}book/", {**asked, "expected_total": "8.00"}, follow=True)
    back = f"{url}?{urlencode(instants(start, 4 * HOUR))}"
    assert response.redirect_chain == [(back, 302)], "back to the page, with what was typed"
    html = response.content.decode()
    assert "Taken by someone else" in html
    assert "Free instead" in html
    offers = re.findall(r'<form id="(take-\d)" method="post" action="([^"]*)">(.*?)</form>', html, re.DOTALL)
    assert offers
    for name, action, inside in offers:
        assert action == f"{url}book/"
        assert f'form="{name}"' in html
        fields = dict(re.findall(r'name="(start|end)" value="([^"]*)"', inside))
        booked = client.post(action, fields)
        assert booked.status_code == 302, booked.content.decode()
        booking = Booking.objects.latest("created_at")
        assert booking.end - booking.start == 4 * HOUR
        Booking.objects.filter(pk=booking.pk).update(status="canceled", canceled_at=now)


def test_a_rival_who_took_it_and_gave_it_back_is_told_of(client, url, buyer, start, monkeypatch):
    """The page that follows finds the window free, and would say nothing of why it came."""

    def refuse(**asked):
        raise WindowTaken(asked["start"], taken=[], find_free=lambda: pytest.fail("nobody reads it"))

    monkeypatch.setattr("bookings.views.listing.request_booking", refuse)
    client.force_login(buyer)
    response = client.post(f"{url}book/", window(start, 3 * HOUR))
    assert response.status_code == 302
    html = client.get(response["Location"]).content.decode()
    assert "Somebody was quicker" in html
    assert not re.search(r"<button[^>]* disabled[^>]*>Hold it", html)


def test_the_alternatives_can_be_taken_while_the_machine_is_being_erased(client, url, listing, buyer, other_buyer, now):
    """In quarantine, the next turnaround is not on offer."""
    make_over(listing, other_buyer, end=now - 40 * MINUTE)
    make_hold(listing, other_buyer, start=now + 8 * HOUR, asked=now)
    client.force_login(buyer)
    response = client.post(f"{url}book/", window(now.replace(second=0) + 7 * HOUR, 2 * HOUR), follow=True)
    assert response.context["instead"]
    for start, end in response.context["instead"]:
        assert start >= now + listing.machine.turnaround
        assert client.post(f"{url}book/", window(start, end - start)).status_code == 302
        Booking.objects.filter(buyer=buyer).update(status="canceled", canceled_at=now)


def test_a_buyer_with_three_unpaid_holds_is_told_so(client, url, listing, buyer, now, start):
    for day in range(3):
        make_hold(listing, buyer, start=start + day * DAY, hours=2, asked=now)
    client.force_login(buyer)
    response = client.post(f"{url}book/", window(start + 5 * DAY, 2 * HOUR))
    assert response.status_code == 422
    assert "You already hold 3 windows" in response.content.decode()


def test_too_many_requests_in_a_minute(client, url, buyer, settings, start):
    settings.MARKETPLACE_BOOKING_RATE = "2/minute"
    client.force_login(buyer)
    assert [client.post(f"{url}book/", {}).status_code for _ in range(2)] == [422, 422]
    response = client.post(f"{url}book/", {})
    assert response.status_code == 429
    assert response["Retry-After"] == "60"
    assert response.content.decode().count("ait a minute") == 1
    assert "Try again in" not in response.content.decode()


def test_booking_is_asked_for_with_post(client, url, buyer):
    client.force_login(buyer)
    assert client.get(f"{url}book/").status_code == 405


# What it shows ----------------------------------------------------------------------------------------------


def test_the_calendar_alone(client, url, listing, buyer, now, start):
    make_paid(listing, buyer, start=start, asked=now)
    html = client.get(f"{url}availability/").content.decode()
    assert "<html" not in html
    assert 'id="availability"' in html
    assert "taken" in html


def test_it_says_what_else_and_whose_it_is(client, url, listing, machine, administrator, now):
    html = client.get(url).content.decode()
    assert "benchmark verified" in html
    assert "provider verified" in html
    assert "Provider University" in html
    assert machine.provider.email not in html
    assert "full refund until 24 hours before the start" in html


def test_a_cpu_server_without_benchmark(client, other_provider):
    machine = make_machine(other_provider, "cpu", gpu_model="", gpu_count=0, gpu_memory_gb=0, country="", region="")
    html = client.get(f"/listings/{make_listing(machine).pk}/").content.decode()
    assert "benchmark not yet verified" in html
    assert "AMD EPYC 9654" in html


@pytest.mark.parametrize(
    "path",
    ["/listings/0/", "/listings/x/", "/listings/00000000-0000-0000-0000-000000000000/"],
)
def test_there_is_no_such_listing(client, db, path):
    assert client.get(path).status_code == 404


def test_a_browsers_cache_keeps_page_and_quote_apart(client, url, start):
    assert "HX-Request" in quote(client, url, window(start))["Vary"]


def test_somebody_who_signs_up_on_the_way_comes_back_to_their_window(client, url, start, buyer):
    """Signing up takes a mail, and the address to go on to is long gone from the query string by then."""
    answer = client.post(f"{url}book/", window(start, 4 * HOUR))
    assert answer.headers["Location"].startswith("/accounts/login/?next=")
    answer = client.post("/accounts/login/", {"login": buyer.email, "password": PASSWORD})
    answer = client.post(answer.headers["Location"], {"code": mailed_code(buyer.email)})
    assert answer.headers["Location"].startswith(f"{url}?")


def test_ones_own_booking_is_not_somebody_elses(client, url, listing, buyer, now, start):
    make_hold(listing, buyer, start=start, hours=4, asked=now)
    client.force_login(buyer)
    html = client.get(url, window(start, 4 * HOUR)).content.decode()
    assert "You have it yourself" in html
    assert "Taken by someone else" not in html
