"""An organization from nothing to its first approved booking, with two browsers: its administrator's and a colleague's."""

import os
import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints, Opens, Site
from tests.e2e.steps import hours_from_now, local, pay, wait_for_booking
from tests.e2e.test_pages import CONTRAST, RULES, SCHEMES, SIZES, shoot, violations

LINK = re.compile(r"http://\S+")
#: What it has, and what another one has there that exists for longer. ``test_pages.py`` looks at the other pages visited.
PAGES = ("budgets", "approvals", "keys")
FILLED = ("webhooks", "tokens", "history/tokens")


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def said(page: Page, words: str) -> None:
    expect(page.locator("#messages")).to_contain_text(words)


def open_mail(site: Site, page: Page, name: str, subject: str) -> None:
    """Click on the link in the mail."""
    page.goto(LINK.search(site.mail(f"{name}@example.com", subject).text)[0])


def known(name: str) -> str:
    """As the seed calls a buyer: ``Buyer 3``."""
    return name.replace("buyer", "Buyer ")


def test_from_nothing_to_the_first_approved_booking(site: Site, browse: Opens, complaints: Complaints):
    boss, colleague = site.next_buyer(), site.next_buyer()
    office, bench = browse(boss), browse(colleague)

    # Made, with whom invoices name, a limit for approvals, a budget, and somebody who is invited.
    office.goto("/organizations/")
    office.get_by_role("link", name="Make an organization").click()
    office.get_by_label("Name").fill("Institute of Firsts")
    office.get_by_label("What is it?").select_option("university")
    office.get_by_label("Country").select_option("DE")
    press(office, "Make it")
    said(office, "Institute of Firsts is made. You act for it now.")
    home = office.url
    office.get_by_role("link", name="Say whom invoices name").click()
    for label, words in (("Street", "Invalidenstraße 44"), ("Postal code", "10115"), ("City", "Berlin")):
        office.get_by_label(label).fill(words)
    press(office, "Save")
    said(office, "The billing details are saved.")
    office.goto(f"{home}settings/")
    office.get_by_label("Approval above").fill("5")
    press(office, "Save the policy")
    office.goto(f"{home}budgets/")
    office.get_by_label("Amount").fill("100")
    press(office, "Set it")
    said(office, "The budget counts from now on.")
    office.goto(f"{home}members/")
    office.get_by_label("E-mail addresses").fill(f"{colleague}@example.com")
    press(office, "Send the invitations")
    said(office, "The invitation is on its way.")

    # Joined by the mail, and asked for: above the limit, so with a reason.
    open_mail(site, bench, colleague, f"{known(boss)} invites you to Institute of Firsts")
    press(bench, "Join")
    said(bench, "Welcome to Institute of Firsts.")
    begins = hours_from_now(48)
    bench.goto(f"{site.next_listing()}?start={local(begins)}&end={local(hours_from_now(52))}")
    expect(bench.locator("#quote")).to_contain_text("€100.00 left of €100.00")
    bench.get_by_label("Why you need it").fill("The deadline is on Monday.")
    press(bench, "Hold it and ask for approval")
    booking = wait_for_booking(bench)
    expect(bench.get_by_role("main")).to_contain_text("Waiting for an administrator of Institute of Firsts")
    waiting = bench.url

    # One click in the mail leads to the page that decides.
    open_mail(site, office, boss, f"{known(colleague)} asks for €")
    expect(office.get_by_role("main")).to_contain_text("The deadline is on Monday.")
    decision = office.url
    office.get_by_role("link", name="The booking").click()
    office.get_by_role("link", name="Look at it and decide").click()
    expect(office).to_have_url(decision)
    found = looked_at(complaints, {"asked for": (office, decision), "waiting": (bench, waiting)})
    press(office, "Approve")
    said(office, "The member has been told.")

    # Approved, paid, confirmed; and seen by the administrator, without the colleague's card.
    open_mail(site, bench, colleague, "Approved:")
    pay(bench)
    assert wait_for_booking(bench) == booking
    said(bench, "Paid. Your booking is confirmed.")
    office.goto(f"{home}bookings/")
    office.locator(f'a[href="/bookings/{booking}/"]').click()
    expect(office.get_by_role("main")).to_contain_text("Confirmed, waiting for the start")
    expect(office.get_by_role("main")).not_to_contain_text("4242")
    expect(office.get_by_role("heading", name="Invoices")).to_be_visible()

    pages = {"seen": (office, office.url), "decided": (office, decision)}
    pages |= {name: (office, f"{home}{name}/") for name in PAGES}
    other, there = browse("boss"), f"/organizations/{site.world['documents']['organization']}/"
    found += looked_at(complaints, pages | {f"{name} filled": (other, f"{there}{name}/") for name in FILLED})
    assert not found, "\n".join(found)


def looked_at(complaints: Complaints, pages: dict[str, tuple[Page, str]]) -> list[str]:
    """What axe finds on them on a phone and on a desk, in light and in dark; and what is wider than its window."""
    complaints.muted, found = True, []  # axe writes inline styles
    for name, (page, address) in pages.items():
        page.goto(address)
        if "SCREENSHOTS" in os.environ:
            shoot(page, f"organization-first-{re.sub('[ /]', '-', name)}")
        for size, viewport in SIZES.items():
            page.set_viewport_size(viewport)
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > viewport["width"]:
                found.append(f"{name}, {size}: {wide} px wide")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                options = RULES if scheme == "light" else CONTRAST
                found += [f"{name}, {size}, {scheme}: {words}" for words in violations(page, options)]
    complaints.muted = False
    return found
