"""What a booking's pages hold for whom, where an answer alone does not say it (``tests/permissions`` asks for those)."""

import pytest

from machines.models import Listing
from tests.people import DAY, HOUR, enter_access, make_machine, make_over, make_paid, record_wipe

pytestmark = pytest.mark.django_db


def test_evidence_is_a_download_and_never_a_page(client, listing, buyer, now):
    over = make_over(listing, buyer, end=now - HOUR)
    (wipe, *_) = record_wipe(over, now=now)
    client.force_login(buyer)
    response = client.get(f"/bookings/{over.pk}/wipes/{wipe.pk}/evidence/")
    assert response["Content-Disposition"].startswith("attachment;")
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert b"".join(response.streaming_content) == b"userdel: done\n"


def test_the_same_person_can_be_buyer_of_one_booking_and_stranger_to_the_next(client, listing, cast, now):
    """Two bookings of one machine: each buyer sees their own, the provider both, and no one the other's payment."""
    one = make_paid(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    two = make_paid(listing, cast.other_buyer, start=now + 4 * DAY, asked=now)
    for user, sees in ((cast.buyer, [one]), (cast.other_buyer, [two]), (cast.provider, [one, two]), (cast.member, [])):
        client.force_login(user)
        for booking in (one, two):
            expected = 200 if booking in sees else 404
            assert client.get(f"/bookings/{booking.pk}/").status_code == expected
            assert client.get(f"/bookings/{booking.pk}/cancel/").status_code == expected


def test_another_providers_machine_is_not_changed_through_ones_own(client, listing, cast, now):
    """A listing of one's own machine in the address, a field that names another machine in the form: it stays."""
    theirs = make_machine(cast.other_provider, "theirs")
    client.force_login(cast.provider)
    form = {
        "machine": theirs.pk, "currency": "EUR", "price_hour": "3", "min_hours": 1, "max_hours": 24,
        "max_ahead_days": 30, "cancellation_terms": "strict", "status": "archived",
    }  # fmt: skip
    assert client.post(f"/machines/listings/{listing.pk}/edit/", form).status_code == 302
    before, listing = listing, Listing.objects.get(pk=listing.pk)
    assert (listing.machine_id, listing.status) == (before.machine_id, before.status)


def test_the_buyer_sees_how_to_get_in_only_while_the_booking_runs(client, listing, cast, now):
    booking = make_paid(listing, cast.buyer, start=now + 2 * DAY, asked=now)
    access = enter_access(booking, now=now)
    address = f"/bookings/{booking.pk}/"
    client.force_login(cast.buyer)
    assert access.command not in client.get(address).content.decode()
    client.force_login(cast.provider)
    assert access.command in client.get(address).content.decode()
