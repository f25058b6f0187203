"""A few pages in German: longer words find room, and whoever listens to them hears German."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Complaints, Opens, Site
from tests.e2e.test_pages import PAGES, RULES, opened, violations

#: With what is widest: tables of eight columns, tabs, forms, a timeline.
WIDEST = ("home", "booking running", "pay", "machine", "statement", "organization", "what one is told")


@pytest.mark.parametrize("name", WIDEST)
def test_a_page_in_german(site: Site, browse: Opens, complaints: Complaints, name: str):
    page = opened(site, lambda who: browse(who, locale="de-DE"), name)
    expect(page.locator("html")).to_have_attribute("lang", "de")
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    complaints.no_more()  # axe writes inline styles
    page.set_viewport_size({"width": 390, "height": 844})
    assert violations(page, RULES) == []


def test_the_switch_at_the_foot_of_a_page(site: Site, browse: Opens):
    page = browse(java_script_enabled=False)
    page.goto(PAGES["how it works"][1])
    page.get_by_role("button", name="Deutsch").click()
    expect(page.get_by_role("link", name="Server finden").first).to_be_visible()
    assert page.url.endswith("/how-it-works/")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Find a server").first).to_be_visible()
