"""From signing up to the record of the erasure, in a real browser, with everything behind it running."""

import re
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opens, Site
from tests.e2e.seed import KEY
from tests.e2e.steps import choose_window, hours_from_now, local, pay, wait_for_booking
from tests.people import FINGERPRINT

ADDRESS = "ada@example.com"
PASSWORD = "a long enough pass phrase"
LINK = re.compile(r"http://\S+")
CODE = re.compile(r"^[A-Z0-9]{3,5}-[A-Z0-9]{3,5}$", re.MULTILINE)


def sign_up(site: Site, page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Sign up").click()
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.locator("[name=email]").fill(ADDRESS)
    page.locator("[name=password1]").fill(PASSWORD)
    page.locator("[name=password2]").fill(PASSWORD)
    page.locator("main button[type=submit]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    page.get_by_label("Code").fill(CODE.search(site.mail(ADDRESS, "Confirm").text)[0])
    page.get_by_role("main").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()


def sign_in(page: Page, address: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(address)
    page.locator("[name=password]").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_from_signing_up_to_the_record_of_the_erasure(site: Site, browse: Opens, tmp_path: Path):
    buyer = browse()
    sign_up(site, buyer)
    sign_in(buyer, ADDRESS, PASSWORD)

    # A key, then a search for a window.
    buyer.goto("/accounts/keys/")
    buyer.get_by_label("Public key").fill(KEY)
    buyer.get_by_role("button", name="Add the key").click()
    expect(buyer.get_by_role("table")).to_contain_text("SHA256:")

    buyer.get_by_role("navigation", name="Main").get_by_role("link", name="Find a server").click()
    start = hours_from_now(30)
    buyer.get_by_label("Anything").fill("H100 path-1")
    buyer.get_by_label("Free from").fill(local(start))
    buyer.get_by_label("until", exact=False).first.fill(local(start + timedelta(hours=6)))
    buyer.get_by_role("button", name="Search").click()
    expect(buyer.get_by_role("heading", level=1)).to_have_text("1 server free for your 6 hours")
    expect(buyer).to_have_url(re.compile(r"[?&]q=H100(%20|\+)path-1"))
    expect(buyer.locator(".listing-row .price b")).to_have_text("€12.00")

    # The listing knows the window; another window has another price, at once.
    buyer.locator(".listing-row h3 a").click()
    expect(buyer.locator("#quote tfoot")).to_contain_text("€12.00")
    choose_window(buyer, start, start + timedelta(hours=30))
    expect(buyer.locator("#quote tfoot")).to_contain_text("€52.00")
    expect(buyer.locator("#availability svg").first).to_be_visible()

    # Held, paid, confirmed.
    buyer.get_by_role("button", name="Hold it for 15 minutes").click()
    expect(buyer.get_by_role("heading", level=1)).to_have_text("Pay and confirm")
    expect(buyer.locator("time[data-countdown]").first).to_contain_text("minutes")
    pay(buyer)
    booking = wait_for_booking(buyer)
    expect(buyer.locator("#messages")).to_contain_text("Paid. Your booking is confirmed.")
    expect(buyer.locator(".timeline")).to_contain_text("Paid and confirmed")
    expect(buyer.locator("[aria-current=step]")).to_contain_text("Confirmed, waiting for the start")

    # Its time comes: the worker starts it, and the provider lets the buyer in, who watches.
    site.bring_forward(booking, "start_timestamp")
    site.wait("the start", lambda: site.booking(booking)["booking_status"] == "active")
    buyer.reload()
    expect(buyer.locator("main")).to_contain_text("The provider is letting you in.")

    provider = browse()
    sign_in(provider, "provider@example.com", "a-long-enough-password")
    provider.goto(LINK.search(site.mail("provider@example.com", "Let the buyer in: path-1").text)[0])
    provider.get_by_label("Host", exact=True).fill("gpu.example.org")
    provider.get_by_label("Port").fill("2222")
    provider.get_by_label("Host key fingerprint").fill(FINGERPRINT)
    provider.get_by_role("button", name="Save").click()
    expect(provider.locator("#messages")).to_contain_text("Saved.")

    expect(buyer.locator("main")).to_contain_text("ssh -p 2222 rsm-")  # by itself: nobody has touched the page
    expect(buyer.locator("main")).to_contain_text("@gpu.example.org")
    expect(buyer.locator("main")).to_contain_text(FINGERPRINT)

    # It ends; the provider shows, step by step, that the machine is clean.
    site.bring_forward(booking, "end_timestamp")
    site.wait("the end", lambda: site.booking(booking)["wipe_opened_at"])
    provider.goto(LINK.search(site.mail("provider@example.com", "Erase now: path-1").text)[0])
    if not provider.url.endswith("/wipe/"):
        provider.get_by_role("link", name="Record the wipe").click()
    evidence = tmp_path / "wipe.log"
    steps = provider.locator("[name=methods]").count()
    assert steps == 5
    for step in range(steps):
        evidence.write_text(f"step {step}: done\n")
        provider.locator("[name=methods]").nth(step).check()
        provider.locator("[name=evidence]").set_input_files(evidence)
        with provider.expect_navigation():
            provider.get_by_role("button", name="Record").click()
    provider.wait_for_url(re.compile(f"/bookings/{booking}/$"))

    # The buyer sees the record, and keeps the evidence.
    site.wait("completion", lambda: site.booking(booking)["booking_status"] == "completed")
    expect(buyer.get_by_role("heading", name="How it was erased")).to_be_visible()
    expect(buyer.locator("main")).to_contain_text("Erased and completed")
    expect(buyer.get_by_role("link", name="Download")).to_have_count(5)
    with buyer.expect_download() as download:
        buyer.get_by_role("link", name="Download").first.click()
    assert Path(download.value.path()).read_text() == "step 0: done\n"

    for subject in ("Held for you", "Confirmed", "Your time has started", "Log in"):
        assert site.mail(ADDRESS, subject)
    assert site.mail("provider@example.com", "Booked: path-1")
    assert site.wait("the last mail", lambda: [m for m in site.mails(ADDRESS) if "eras" in m.subject.lower()])
