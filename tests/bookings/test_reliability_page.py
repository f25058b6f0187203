"""The page that shows how reliable a machine is: every term of the sum, for anybody; and what a cancellation costs."""

import re
from datetime import timedelta
from html import unescape

import pytest

from bookings.services.cancel import cancel_booking
from machines.models import ListingStatus, ReliabilityDebit
from machines.services.reliability import charge, recompute
from tests.machines.measured import closed, give_agent, listed, silent
from tests.people import DAY, HOUR, make_hold

pytestmark = pytest.mark.django_db

SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture
def agent(machine, now):
    listed(machine, now - 60 * DAY)
    return give_agent(machine, since=now - 60 * DAY)


def page(client, listing) -> str:
    response = client.get(f"/listings/{listing.pk}/reliability/")
    assert response.status_code == 200
    return response.content.decode()


def receipt(text: str) -> list[tuple[str, str]]:
    rows = re.findall(r"<tr><t[dh][^>]*>(.*?)</t[dh]><td class=\"num\">(.*?)</td></tr>", text)
    return [
        (unescape(words), unescape(minutes)) for words, minutes in rows if "÷" in minutes or "data-label" not in words
    ]


def test_the_sum_is_shown_line_by_line(client, listing, agent, now):
    machine = listing.machine
    closed(machine, now - 5 * DAY, 240)
    silent(agent, now - 10 * DAY, 100)
    silent(agent, now - 3 * DAY, 32.5)
    charge(machine=machine, reason="cancellation", key="cancellation:1", minutes=720, now=now - 2 * DAY)
    rows = receipt(page(client, listing))
    words, numbers = zip(*rows, strict=True)
    assert numbers == ("43,200", "− 240", "− 132", "− 720", "+ 10", "42,118", "÷ 42,960", f"98.04{SPACE}%")
    assert words[0] == "Minutes on offer"
    assert words[1] == "Minutes of announced maintenance"
    assert words[2] == "Minutes down"
    assert words[3].startswith("Minutes: the provider canceled a booking, ")
    assert 43_200 - 240 - 132 - 720 + 10 == 42_118


def test_outages_stand_in_a_table_and_in_a_strip_of_days(client, listing, agent, now):
    silent(agent, now - 10 * DAY, 100)
    silent(agent, now - timedelta(minutes=20), None)
    text = page(client, listing)
    assert 'aria-label="2 outages, listed below"' in text
    assert text.count('data-label="Minutes"') == 2
    assert "going on" in text
    days = re.findall(r'<g class="(\w+)"><title>([^<]*)</title>', text)
    assert len(days) in (30, 31)  # the first and the last are parts of one, unless it is midnight
    assert sum(words.endswith("no outage") for _, words in days) >= 28
    assert any("down for 1 hour 40 minutes" in words or tone == "bad" for tone, words in days)


def test_a_machine_that_is_too_unreliable_takes_no_bookings_and_the_page_says_so(client, listing, agent, now):
    silent(agent, now - 3 * DAY, 2000)
    assert "takes no new bookings" in page(client, listing)


def test_without_an_agent_nothing_is_claimed(client, listing):
    assert "Nothing has been measured yet" in page(client, listing)


def test_the_percentage_leads_to_it(client, listing, agent, now):
    recompute(listing.machine, now=now)
    link = f'href="/listings/{listing.pk}/reliability/"'
    assert link in client.get(f"/listings/{listing.pk}/").content.decode()
    client.force_login(listing.machine.provider)
    assert link in client.get(f"/machines/{listing.machine_id}/").content.decode()
    assert f'href="/machines/{listing.machine_id}/"' in page(client, listing)


def test_an_archived_listing_has_no_such_page(client, listing):
    listing.status = ListingStatus.ARCHIVED
    listing.save(update_fields=["status"])
    assert client.get(f"/listings/{listing.pk}/reliability/").status_code == 404


# What a cancellation costs ------------------------------------------------------------------------------------


def test_a_provider_who_cancels_a_paid_booking_is_charged_twelve_hours(client, paid, provider, now):
    client.force_login(provider)
    assert f"12{SPACE}hours" in client.get(f"/bookings/{paid.pk}/cancel/").content.decode().replace(
        " hours", f"{SPACE}hours"
    )
    for _ in range(2):
        cancel_booking(booking_id=paid.pk, by=provider, now=now)
    (debit,) = ReliabilityDebit.objects.all()
    assert (debit.machine, debit.minutes, debit.at, debit.key) == (paid.machine, 720, now, f"cancellation:{paid.pk}")


def test_a_buyer_who_cancels_costs_the_machine_nothing(client, paid, buyer, now):
    client.force_login(buyer)
    assert "down time" not in client.get(f"/bookings/{paid.pk}/cancel/").content.decode()
    cancel_booking(booking_id=paid.pk, by=buyer, now=now)
    assert not ReliabilityDebit.objects.exists()


def test_turning_down_what_was_not_paid_costs_nothing(listing, buyer, provider, now):
    held = make_hold(listing, buyer, start=now + DAY, asked=now)
    cancel_booking(booking_id=held.pk, by=provider, now=now + HOUR / 60)
    assert not ReliabilityDebit.objects.exists()
