"""Paying by card: refused, confirmed with the bank or not, too late, and given back."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opens, Site
from tests.e2e.steps import hold, pay, wait_for_booking
from tests.stripe_standin import DECLINED_WHEN_CHARGED, GOOD, NEEDS_AUTHENTICATION


def expire(site: Site, booking: str) -> None:
    """The fifteen minutes are over; the next sweep gives the window back."""
    site.sql("UPDATE bookings SET hold_expires_at = now() - interval '1 s' WHERE booking_id = %s", booking)
    site.wait("the hold to lapse", lambda: site.booking(booking)["booking_status"] == "canceled")


def bank(page: Page, answer: str) -> None:
    page.get_by_role("button", name=answer).click()


def test_a_declined_card_keeps_the_hold_and_another_one_pays(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    pay(page, DECLINED_WHEN_CHARGED)
    expect(page.locator(".note.bad")).to_contain_text("The window is still held for you")
    assert site.booking(booking)["booking_status"] == "pending"
    assert site.booking(booking)["paid_at"] is None

    pay(page, GOOD)
    assert wait_for_booking(page) == booking
    expect(page.locator("main")).to_contain_text("Paid and confirmed")
    expect(page.locator("aside")).to_contain_text("Failed")  # the first attempt stands beside the second
    assert site.booking(booking)["paid_at"]


def test_the_bank_confirms(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    pay(page, NEEDS_AUTHENTICATION)
    bank(page, "Complete authentication")
    expect(page.get_by_role("heading", name="Your bank wants to see you")).to_be_visible()
    bank(page, "Complete authentication")
    assert wait_for_booking(page) == booking
    expect(page.locator("main")).to_contain_text("Paid and confirmed")


def test_the_bank_does_not_confirm(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    pay(page, NEEDS_AUTHENTICATION)
    bank(page, "Complete authentication")
    expect(page.get_by_role("heading", name="Your bank wants to see you")).to_be_visible()
    bank(page, "Fail authentication")
    expect(page.locator(".note.bad")).to_contain_text("The window is still held for you")
    assert site.booking(booking)["paid_at"] is None

    pay(page, GOOD)
    assert wait_for_booking(page) == booking
    expect(page.locator("main")).to_contain_text("Paid and confirmed")


def test_a_hold_that_lapses_says_so(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    expire(site, booking)
    # The page was open all the time: the card goes nowhere, and the buyer reads why.
    pay(page, GOOD)
    expect(page.locator("#card-error")).to_contain_text("can no longer be paid. Nothing has been charged.")
    page.reload()
    expect(page).to_have_url(re.compile(f"/bookings/{booking}/$"))
    expect(page.locator("main")).to_contain_text("Canceled: not paid in time")
    expect(page.get_by_role("link", name="Pay")).to_have_count(0)


def test_a_payment_that_arrives_after_the_hold_lapsed_goes_back_by_itself(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    pay(page, NEEDS_AUTHENTICATION)
    bank(page, "Complete authentication")
    expect(page.get_by_role("heading", name="Your bank wants to see you")).to_be_visible()
    expect(page.get_by_role("button", name="Complete authentication")).to_be_visible()
    expire(site, booking)
    bank(page, "Complete authentication")
    assert wait_for_booking(page) == booking
    expect(page.locator("#messages")).to_contain_text("All of it goes back by itself.")
    expect(page.locator("main")).to_contain_text("Payment arrived too late")
    refunded(site, page, booking, "€8.00")


def refunded(site: Site, page: Page, booking: str, amount: str) -> None:
    """The worker makes the refund, and the page shows it."""
    query = "SELECT 1 FROM refunds r JOIN payments USING (payment_id) WHERE booking_id = %s AND r.status = 'made'"
    site.wait("the refund", lambda: site.sql(query, booking))
    page.reload()
    expect(page.locator("aside").last).to_contain_text(f"{amount} back")
    expect(page.locator("main")).to_contain_text(f"{amount} refunded")


def test_canceling_shows_what_comes_back_and_it_comes_back(site: Site, browse: Opens):
    name = site.next_buyer()
    page = browse(name)
    booking = hold(page, site.next_listing(), start=12)
    pay(page)
    wait_for_booking(page)
    page.get_by_role("link", name="Cancel…").click()
    receipt = page.locator(".receipt")
    for line, amount in (("Paid", "€8.00"), ("Kept by the terms", "€4.00"), ("Comes back", "€4.00")):
        expect(receipt.get_by_role("row", name=line)).to_contain_text(amount)
    expect(page.locator("main")).to_contain_text("half back until the start")
    page.get_by_label("A word to the other side").fill("The data set is not ready.")
    page.get_by_role("button", name="Cancel the booking").click()
    assert wait_for_booking(page) == booking
    expect(page.locator("#messages")).to_contain_text("The refund is on its way.")
    refunded(site, page, booking, "€4.00")
    assert "€4.00 of €8.00 comes back" in site.mail(f"{name}@example.com", "Canceled").text
    assert site.mail(f"{name}@example.com", "Refunded: €4.00")
