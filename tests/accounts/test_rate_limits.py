"""Asking too often is answered with a page that says so: at sign-in and at booking."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse

from bookings.models import Booking

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()
    yield
    cache.clear()


def test_guessing_a_password_is_slowed_down(client, buyer):
    address = reverse("account_login")
    answers = [client.post(address, {"login": buyer.email, "password": f"guess-{n}"}) for n in range(6)]
    assert "too many" in answers[-1].content.decode().lower()
    assert "too many" not in answers[0].content.decode().lower()


def test_booking_too_often_is_refused_and_books_nothing(client, buyer, listing, now, settings):
    settings.MARKETPLACE_BOOKING_RATE = "3/minute"
    client.force_login(buyer)
    start = now.replace(second=0) + timedelta(days=2)
    window = {"start": f"{start:%Y-%m-%dT%H:%M}", "end": f"{start:%Y-%m-%dT%H:%M}"}  # refused each time: no length
    address = reverse("listing_book", args=[listing.pk])
    assert [client.post(address, window).status_code for _ in range(4)] == [422, 422, 422, 429]
    assert not Booking.objects.exists()


def test_one_person_does_not_use_up_anothers_rate(client, buyer, other_buyer, listing, settings):
    settings.MARKETPLACE_BOOKING_RATE = "1/minute"
    address = reverse("listing_book", args=[listing.pk])
    client.force_login(buyer)
    client.post(address, {})
    assert client.post(address, {}).status_code == 429
    client.force_login(other_buyer)
    assert client.post(address, {}).status_code == 422
