"""How far somebody books whom nobody has checked: up to a limit, all their open bookings together."""

from decimal import Decimal
from functools import partial

import pytest
from django.conf import settings as default_settings

from accounts.models import Organization
from bookings.errors import BookingError
from bookings.models import Booking
from bookings.services import unverified
from bookings.services.extend import request_extension
from bookings.services.request import request_booking
from bookings.services.unverified import check_unverified_limit, open_total
from tests.people import DAY, HOUR, make_hold, make_listing, make_machine, make_paid, make_running, minute, verify
from tests.racing import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limit(settings):
    """Two days and four hours of the listing are 88 EUR."""
    settings.MARKETPLACE_UNVERIFIED_LIMIT = {"EUR": Decimal(100)}


def book(listing, buyer, *, days: int, after: int, now) -> Booking:
    start = minute(now) + after * DAY
    return request_booking(listing=listing, buyer=buyer, start=start, end=start + days * DAY, now=now)


def test_up_to_the_limit_and_no_further(listing, buyer, now):
    book(listing, buyer, days=2, after=1, now=now)
    with pytest.raises(BookingError) as refused:
        book(listing, buyer, days=1, after=5, now=now)
    assert "come to €100.00 at most, and yours would come to €120.00" in refused.value.message
    assert Booking.objects.count() == 1


def test_who_is_verified_books_what_they_like(listing, buyer, administrator, now):
    verify(buyer, by=administrator, now=now)
    assert book(listing, buyer, days=6, after=1, now=now).pk


def test_who_was_verified_once_does_not(listing, buyer, administrator, now):
    verify(buyer, by=administrator, now=now)
    buyer.verifications.update(valid_until=now)
    with pytest.raises(BookingError):
        book(listing, buyer, days=6, after=1, now=now)


def test_the_page_says_it_with_a_link_to_the_page_that_helps(client, listing, buyer, now):
    client.force_login(buyer)
    start = minute(now) + DAY
    form = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start + 6 * DAY:%Y-%m-%dT%H:%M}"}
    response = client.post(f"/listings/{listing.pk}/book/", form)
    assert response.status_code == 422
    assert '<a href="/accounts/verification/">get verified</a>' in response.text


def test_holds_that_lapsed_and_bookings_that_are_over_do_not_count(listing, buyer, now):
    make_hold(listing, buyer, start=now + 2 * DAY, hours=40, asked=now - HOUR)
    paid = make_paid(listing, buyer, start=now + 10 * DAY, hours=24, asked=now)
    Booking.objects.filter(pk=paid.pk).update(status="canceled", canceled_at=now)
    assert open_total(buyer=buyer, organization=None, currency="EUR", now=now) == 0
    assert book(listing, buyer, days=2, after=4, now=now).pk


def test_each_currency_has_a_limit_and_one_without_takes_no_booking(buyer, provider, now):
    listing = make_listing(make_machine(provider, "dollars"), currency="USD")
    with pytest.raises(BookingError):
        book(listing, buyer, days=1, after=1, now=now)


def test_extending_counts_too(listing, buyer, now):
    running = make_running(listing, buyer, start=now - HOUR, hours=48)
    with pytest.raises(BookingError, match="Without a verification"):
        request_extension(booking_id=running.pk, by=buyer, new_end=running.end + DAY, now=now)
    short = request_extension(booking_id=running.pk, by=buyer, new_end=running.end + 5 * HOUR, now=now)
    assert short.amount == 10
    assert open_total(buyer=buyer, organization=None, currency="EUR", now=now) == 90


def test_an_organization_is_as_verified_as_its_owner(buyer, organization_administrator, administrator, now):
    organization = Organization.objects.create(
        name="Institute", country="DE", owner=organization_administrator, created_by=organization_administrator
    )
    ask = {"buyer": buyer, "organization": organization, "amount": Decimal(500), "currency": "EUR", "now": now}
    with pytest.raises(BookingError):
        check_unverified_limit(**ask)
    verify(organization_administrator, by=administrator, now=now)
    check_unverified_limit(**ask)


def test_the_default_limit_is_small_and_shown(client, settings):
    settings.MARKETPLACE_UNVERIFIED_LIMIT = {"EUR": Decimal(500), "JPY": Decimal(75_000)}
    page = client.get("/how-it-works/").text
    assert "€500.00, ¥75,000 at most" in page.replace("\N{NO-BREAK SPACE}", " ").replace("JP¥", "¥")
    assert set(default_settings.MARKETPLACE_UNVERIFIED_LIMIT) <= {"EUR", "USD", "GBP", "JPY"}


# Two at once ----------------------------------------------------------------------------------------------


def both(one, two, buyer, now) -> list[object]:
    return at_once([partial(book, place, buyer, days=2, after=1, now=now) for place in (one, two)])


@pytest.mark.django_db(transaction=True)
def test_without_looking_under_the_lock_two_bookings_pass_together(listing, other_listing, buyer, now, monkeypatch):
    """Each looks before the other has booked."""
    monkeypatch.setattr(unverified, "open_total", lambda **_: Decimal(0))
    results = both(listing, other_listing, buyer, now)
    assert sum(isinstance(result, Booking) for result in results) == 2, results


@pytest.mark.django_db(transaction=True)
def test_with_it_one_of_them_passes(listing, other_listing, buyer, now):
    results = both(listing, other_listing, buyer, now)
    assert sum(isinstance(result, Booking) for result in results) == 1, results
    (refused,) = [result for result in results if isinstance(result, BookingError)]
    assert "Without a verification" in refused.message
