"""Extending a booking: what it costs, when it is refused, and its pages."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.tax import TaxKind, Treatment
from bookings.errors import BookingError, ExtensionTaken, NotYours, PriceChanged
from bookings.models import Booking, Charge
from bookings.services import maintenance
from bookings.services.cancel import cancel_booking
from bookings.services.extend import can_extend, quote_extension, request_extension
from machines import pricing
from machines.models import Listing
from tests.bookings.extending import MINUTE, SECOND, ask, fresh
from tests.people import (
    DAY,
    HOUR,
    enter_access,
    make_billing_details,
    make_listing,
    make_paid,
    make_running,
    mark_charge_paid,
    minute,
)

pytestmark = pytest.mark.django_db


# What it costs ----------------------------------------------------------------------------------------


HOURS = st.integers(1, 24 * 60)
RATES = st.builds(
    pricing.Rates,
    hour=st.decimals("0.01", "50", places=2),
    day=st.none() | st.decimals("0.01", "900", places=2),
    week=st.none() | st.decimals("0.01", "5000", places=2),
    currency=st.just("EUR"),
)


class Offer:
    """As much of a booking as a quote reads: ``net`` of a buyer who owes no VAT."""

    def __init__(self, rates: pricing.Rates, hours: int, *, net: bool) -> None:
        self.listing = type("L", (), {"rates": rates})()
        self.start = timezone.now()
        self.booked_duration = hours * HOUR
        self.end = self.start + self.booked_duration
        kind, rate = (TaxKind.REVERSE_CHARGE, Decimal(0)) if net else (TaxKind.STANDARD, Decimal("0.19"))
        self.treatment = Treatment(kind, rate, Decimal("0.19"))


@given(RATES, HOURS, st.integers(1, 60 * 24 * 28), st.integers(1, 60 * 24 * 28), st.booleans())
def test_an_extension_never_costs_less_than_nothing_nor_further_less_than_nearer(rates, hours, one, other, net):
    booking = Offer(rates, hours, net=net)
    near, far = (
        quote_extension(booking=booking, new_end=booking.end + length * MINUTE) for length in sorted((one, other))
    )
    assert 0 <= near.total <= far.total


@given(RATES, HOURS, st.integers(1, 60 * 24 * 28))
def test_booking_and_extending_costs_what_it_costs_to_book_it_all_at_once(rates, hours, minutes):
    booking = Offer(rates, hours, net=False)
    quote = quote_extension(booking=booking, new_end=booking.end + minutes * MINUTE)
    first = pricing.quote(rates, booking.start, booking.end).total
    assert first + quote.total == pricing.quote(rates, booking.start, booking.end + minutes * MINUTE).total
    assert sum(line.amount for line in quote.lines) == quote.total
    assert all(line.amount == line.quantity * line.rate for line in quote.lines)


def test_the_lines_say_what_comes_to_it_and_what_goes_off_it(listing, buyer, now):
    booking = make_running(listing, buyer, start=now - HOUR, hours=6 * 24)
    quote = quote_extension(booking=booking, new_end=booking.end + DAY)
    assert [(line.unit, line.quantity, line.amount) for line in quote.lines] == [
        ("week", 1, Decimal("250.00")),
        ("day", -6, Decimal("-240.00")),
    ]
    assert quote.total == Decimal("10.00")


def test_a_late_hand_over_makes_it_no_dearer(listing, buyer, now):
    booking = make_running(listing, buyer, start=minute(now) - HOUR, access=False)
    enter_access(booking, now=booking.start + 10 * MINUTE)
    booking = fresh(booking)
    assert booking.made_up == 10 * MINUTE
    assert quote_extension(booking=booking, new_end=booking.end + HOUR).total == Decimal("2.00")


def test_who_owes_no_vat_pays_none_for_the_extension_either(running, now):
    Booking.objects.filter(pk=running.pk).update(tax_kind="reverse_charge", tax_rate=0)
    charge = ask(fresh(running), 10 * HOUR, now=now)
    assert charge.amount == Decimal("16.81")  # 20.00 / 1.19
    assert sum(line["amount"] for line in charge.lines()) == Decimal("20.00")


def test_it_is_the_tax_of_the_request_that_counts(running, buyer, now):
    make_billing_details(buyer, vat_id="ATU12345675", country="AT")
    assert ask(running, 10 * HOUR, now=now).amount == Decimal("20.00")


# Refused ------------------------------------------------------------------------------------------------


def test_only_its_buyer_extends_it(running, provider, other_buyer, administrator, now):
    for somebody in (provider, other_buyer, administrator):
        with pytest.raises(NotYours):
            request_extension(booking_id=running.pk, by=somebody, new_end=running.end + HOUR, now=now)


@pytest.mark.parametrize("state", ["held", "over", "completed"])
def test_what_is_not_paid_or_is_over_is_not_extended(request, state, now):
    booking = request.getfixturevalue(state)
    assert not can_extend(booking, now=now)
    with pytest.raises(BookingError, match="paid and not over"):
        ask(booking, HOUR, now=now)


def test_what_is_canceled_or_in_dispute_is_not_extended(paid, running, now):
    cancel_booking(booking_id=paid.pk, by=paid.buyer, now=now)
    Booking.objects.filter(pk=running.pk).update(status="disputed")
    for booking in (fresh(paid), fresh(running)):
        with pytest.raises(BookingError, match="paid and not over"):
            ask(booking, HOUR, now=now)


@pytest.mark.parametrize(
    ("longer", "words"),
    [
        (timedelta(0), "after the present one"),
        (-HOUR, "after the present one"),
        (HOUR + SECOND, "whole minute"),
        (28 * DAY + MINUTE, "28 days at a time"),
        (27 * DAY + 21 * HOUR, "longest booking here is"),
    ],
)
def test_an_end_that_does_not_fit_is_refused(running, longer, words, now):
    with pytest.raises(BookingError, match=words):
        ask(running, longer, now=now)
    assert fresh(running).blocked_until == running.blocked_until


def test_the_smallest_payment_is_that_of_the_processor(machine, buyer, now):
    booking = make_running(make_listing(machine, price_hour=Decimal("0.20")), buyer, start=now - HOUR)
    with pytest.raises(BookingError, match=r"smallest payment is €0\.50"):
        ask(booking, HOUR, now=now)
    assert ask(booking, 3 * HOUR, now=now).amount == Decimal("0.60")


def test_a_suspended_server_keeps_who_is_in_and_a_paused_one_extends_nobody(running, now):
    listings = Listing.objects.filter(pk=running.listing_id)
    listings.update(suspended_at=now)
    assert can_extend(fresh(running), now=now)
    listings.update(status="paused")
    with pytest.raises(BookingError, match="not on offer"):
        ask(running, HOUR, now=now)


def test_a_server_that_is_let_in_another_currency_by_now_is_booked_anew(running, now):
    Listing.objects.filter(pk=running.listing_id).update(currency="USD")
    with pytest.raises(BookingError, match="let in USD"):
        ask(running, HOUR, now=now)


def test_another_price_than_was_shown_is_refused(running, now):
    with pytest.raises(PriceChanged, match=r"from €3\.00 to €4\.00"):
        ask(running, 2 * HOUR, now=now, expected_total=Decimal("3.00"))
    assert ask(running, 2 * HOUR, now=now, expected_total=Decimal("4.00"))


def test_one_at_a_time(running, now):
    ask(running, HOUR, now=now)
    with pytest.raises(BookingError, match="waits for its payment"):
        ask(running, 2 * HOUR, now=now)


def test_what_is_taken_is_refused_with_what_to_do_instead(running, other_buyer, now):
    following = make_paid(running.listing, other_buyer, start=running.blocked_until + HOUR, asked=now)
    with pytest.raises(ExtensionTaken) as refused:
        ask(running, 3 * HOUR, now=now)
    error = refused.value
    assert error.field == "end"
    assert error.taken == [(following.start, following.blocked_until)]
    assert error.latest == running.end + HOUR
    assert "Taken by someone else" in error.message
    assert "You can extend until" in error.message
    assert error.equal.startswith("/listings/?start=")
    assert fresh(running).blocked_until == running.blocked_until


def test_touching_the_next_booking_with_the_turnaround_between_is_no_clash(running, other_buyer, now):
    following = make_paid(running.listing, other_buyer, start=running.blocked_until + HOUR, asked=now)
    with pytest.raises(ExtensionTaken):
        ask(running, HOUR + MINUTE, now=now)
    mark_charge_paid(ask(running, HOUR, now=now), now=now)
    booking = fresh(running)
    assert booking.blocked_until == following.start
    assert booking.end == following.start - running.machine.turnaround


def test_announced_maintenance_is_not_extended_into(listing, buyer, provider, now):
    booking = make_paid(listing, buyer, start=now + 10 * DAY, asked=now)
    window = maintenance.announce(
        machine=listing.machine, by=provider, kind="power", start=booking.blocked_until + HOUR,
        end=booking.blocked_until + 2 * HOUR, note="", now=now,
    )  # fmt: skip
    with pytest.raises(ExtensionTaken, match="announced maintenance") as refused:
        ask(booking, HOUR + MINUTE, now=now)
    assert refused.value.upkeep == [(window.start, window.end)]
    assert ask(booking, HOUR, now=now)


# The pages ----------------------------------------------------------------------------------------------


@pytest.fixture
def page(client, running) -> str:
    client.force_login(running.buyer)
    return f"/bookings/{running.pk}/extend/"


def boxed(when) -> str:
    return f"{when:%Y-%m-%dT%H:%M}"


def test_the_page_shows_what_can_be_had_and_what_it_costs(client, page, running):
    html = client.get(page).content.decode()
    assert "+ 1 hour" in html
    assert "+ 1 week" in html
    assert 'name="expected_total" value="2.00"' in html
    assert f'value="{boxed(running.end + HOUR)}"' in html


def test_choices_that_are_not_free_are_not_offered(client, page, running, other_buyer, now):
    make_paid(running.listing, other_buyer, start=running.blocked_until + 3 * HOUR, asked=now)
    html = client.get(page).content.decode()
    assert "+ 1 hour" in html
    assert "+ 1 day" not in html


def test_the_price_follows_the_end(client, page, running):
    end = running.end + 2 * HOUR
    response = client.get(page, {"end": boxed(end), "tz": "UTC"}, headers={"HX-Request": "true"})
    html = response.content.decode()
    assert "<html" not in html
    assert 'name="expected_total" value="4.00"' in html


def test_times_are_typed_in_the_readers_own_zone(client, page, running):
    running.buyer.timezone = "Asia/Tokyo"
    running.buyer.save(update_fields=["timezone"])
    local = boxed(running.end + 11 * HOUR)  # nine hours ahead: two hours more
    html = client.get(page, {"end": local, "tz": "Asia/Tokyo"}, headers={"HX-Request": "true"}).content.decode()
    assert 'name="expected_total" value="4.00"' in html


def test_asking_leads_to_its_payment_and_the_booking_says_so(client, page, running):
    values = {"end": boxed(running.end + 2 * HOUR), "tz": "UTC", "expected_total": "4.00"}
    response = client.post(page, values)
    charge = Charge.objects.get(kind="extension")
    assert response["Location"] == f"/bookings/{running.pk}/charges/{charge.pk}/pay/"
    html = client.get(f"/bookings/{running.pk}/").content.decode()
    assert response["Location"] in html
    assert "Give it back" in html
    assert "data-countdown" in html
    assert 'hx-trigger="every 5s"' in html
    assert "Extend…" not in html
    html = client.get(page).content.decode()
    assert response["Location"] in html
    assert client.post(f"{page}give-back/").status_code == 302
    assert "Extend…" in client.get(f"/bookings/{running.pk}/").content.decode()


def test_what_costs_nothing_is_extended_without_a_payment(client, listing, buyer, now):
    booking = make_running(listing, buyer, start=now - HOUR, hours=3.5)
    client.force_login(buyer)
    values = {"end": boxed(booking.end + 30 * MINUTE), "tz": "UTC", "expected_total": "0.00"}
    response = client.post(f"/bookings/{booking.pk}/extend/", values)
    assert response["Location"] == f"/bookings/{booking.pk}/"
    assert fresh(booking).end == booking.end + 30 * MINUTE


def test_a_refusal_keeps_what_was_typed_and_shows_equal_machines(client, page, running, other_buyer, now):
    make_paid(running.listing, other_buyer, start=running.blocked_until + HOUR, asked=now)
    typed = boxed(running.end + 5 * HOUR)
    response = client.post(page, {"end": typed, "tz": "UTC", "expected_total": "10.00"})
    html = response.content.decode()
    assert response.status_code == 422
    assert f'value="{typed}"' in html
    assert "Taken by someone else" in html
    assert re.search(r'href="/listings/\?start=[^"]+">Equal machines', html)
    assert re.search(r'href="\?end=[^"]+"[^>]*>Extend until', html)
    assert "disabled" in html


@pytest.mark.parametrize("typed", ["", "yesterday", "2026-13-45T99:99", "9999-12-31T23:59"])
def test_nonsense_is_said_at_the_field(client, page, typed):
    response = client.post(page, {"end": typed, "tz": "UTC"})
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.content.decode()
    assert client.get(page, {"end": typed}).status_code == 200


def test_a_changed_price_is_shown_anew(client, page, running):
    values = {"end": boxed(running.end + 2 * HOUR), "tz": "UTC", "expected_total": "1.00"}
    response = client.post(page, values)
    assert response.status_code == 422
    assert 'name="expected_total" value="4.00"' in response.content.decode()


def test_who_asks_all_the_time_is_asked_to_wait(client, page, settings):
    settings.MARKETPLACE_BOOKING_RATE = "1/minute"
    values = {"end": "2020-01-01T00:00", "tz": "UTC"}
    codes = [client.post(page, {**values, "end": boxed(timezone.now())}).status_code for _ in range(3)]
    assert codes[-1] == 429


def test_the_receipt_names_each_extension(client, running, now):
    mark_charge_paid(ask(running, 2 * HOUR, now=now), now=now)
    client.force_login(running.buyer)
    html = client.get(f"/bookings/{running.pk}/").content.decode()
    assert re.search(r"Extended to [^<]+: 2 hours × €2\.00</td><td class=\"num\">€4\.00", html)
    assert "Part by part" in html
    assert "€12.00" in html
    assert re.search(r"Of which 19\s%\sVAT: €1\.92", html)  # 1.28 of the first payment, 0.64 of the second


def test_a_net_payer_sees_what_is_taken_off(client, listing, buyer, now):
    make_billing_details(buyer, vat_id="ATU12345675", country="AT")
    booking = make_paid(listing, buyer, start=now + 2 * DAY, asked=now)
    assert (booking.tax_kind, booking.price_total) == ("reverse_charge", Decimal("6.72"))
    client.force_login(buyer)
    html = client.get(f"/bookings/{booking.pk}/").content.decode()
    assert re.search(r"VAT, not charged</td><td class=\"num\">−€1\.28", html)
    assert "No VAT: reverse charge" in html
