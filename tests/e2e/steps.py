"""What people do on the pages, step by step. Everything waits for what it expects, nothing sleeps."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE

expect.set_options(timeout=PATIENCE)

BERLIN = ZoneInfo("Europe/Berlin")
BOOKING = re.compile(r"/bookings/([0-9a-f-]{36})/$")
PAY = re.compile(r"/bookings/([0-9a-f-]{36})/pay/$")


def hours_from_now(hours: int) -> datetime:
    """A full hour on a Berlin clock."""
    return datetime.now(BERLIN).replace(minute=0, second=0, microsecond=0) + timedelta(hours=hours)


def local(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def listening(page: Page) -> None:
    """Wait until htmx listens to what the page shows: it does a moment after it has swapped something in."""
    page.wait_for_load_state()
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added")).to_have_count(0)


def choose_window(page: Page, start: datetime, end: datetime) -> None:
    """Fill in both ends on a listing's page, and wait for the quote of each."""
    for name, moment in (("start", start), ("end", end)):
        listening(page)
        box = page.locator(f"#quote [name={name}]")
        if box.input_value() != local(moment):
            with page.expect_response(lambda response: "/quote/" in response.url):
                box.fill(local(moment))
                box.dispatch_event("change")
    listening(page)


def hold(page: Page, listing: str, *, start: int = 48, hours: int = 4) -> str:
    """Ask for a window so many hours from now. Returns the booking's id; the page is the payment's."""
    begins = hours_from_now(start)
    page.goto(f"{listing}?start={local(begins)}&end={local(begins + timedelta(hours=hours))}")
    page.get_by_role("button", name="Hold it for").click()
    page.wait_for_url(PAY)
    return PAY.search(page.url)[1]


def fill_card(page: Page, number: str) -> None:
    for place, text in enumerate((number, "12", "34", "123", "12345")):
        page.locator("#card-element input").nth(place).fill(text)


def pay(page: Page, number: str = "4242424242424242") -> None:
    fill_card(page, number)
    page.locator("#pay-form").get_by_role("button", name="Pay").click()


def wait_for_booking(page: Page) -> str:
    page.wait_for_url(BOOKING)
    return BOOKING.search(page.url)[1]
