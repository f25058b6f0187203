"""Finding a server and holding it: when somebody is quicker, with the keyboard alone, without a script."""

import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opens, Site
from tests.e2e.steps import PAY, choose_window, hold, hours_from_now, local

#: On the element, or on the row around it that stands for it.
FOCUS_IS_VISIBLE = """element => {
    for (let at = element; at && at !== document.body; at = at.parentElement) {
        const style = getComputedStyle(at);
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) return true;
    }
    return false;
}"""


def test_somebody_is_quicker_and_one_click_takes_another_window(site: Site, browse: Opens):
    listing = site.next_listing()
    slow, quick = browse(site.next_buyer()), browse(site.next_buyer())
    start = hours_from_now(48)
    slow.goto(listing)
    choose_window(slow, start, start + timedelta(hours=4))
    expect(slow.locator("#quote tfoot")).to_contain_text("€8.00")
    hold(quick, listing)

    slow.get_by_role("button", name="Hold it for").click()
    expect(slow.locator("#quote")).to_contain_text("Taken by someone else")
    assert not PAY.search(slow.url)
    offer = slow.locator("#quote .note button").first
    expect(offer).to_be_visible()
    words = offer.inner_text()
    offer.click()
    slow.wait_for_url(PAY)
    expect(slow.locator("main")).to_contain_text("€8.00")
    expect(slow.locator("main")).to_contain_text(words.partition(" – ")[0])


def test_filters_change_the_results_in_place_and_the_way_back_works(site: Site, browse: Opens):
    page = browse()
    page.goto("/listings/")
    heading = page.get_by_role("heading", level=1)
    before = heading.inner_text()
    page.locator("[name=cpu]").fill("Xeon")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="Nothing fits all of that")).to_be_visible()
    assert "cpu=Xeon" in page.url
    page.go_back()
    expect(heading).to_have_text(before)

    page.locator("#sort").select_option("newest")
    expect(page).to_have_url(re.compile("sort=newest"))
    page.get_by_role("link", name="Next", exact=False).click()
    expect(page).to_have_url(re.compile("page=2"))
    assert "sort=newest" in page.url
    page.locator(".listing-row h3 a").first.click()
    expect(page.locator("#quote")).to_be_visible()
    page.go_back()
    expect(page.locator("header.bar")).to_be_visible()  # the page, not the fragment that htmx fetched from there
    expect(page.locator(".listing-row").first).to_be_visible()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there; wherever it goes on the way, it is seen."""
    for _ in range(150):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count():
            assert focused.evaluate(FOCUS_IS_VISIBLE), focused.evaluate("element => element.outerHTML")
            if focused.evaluate("(element, selector) => element.matches(selector)", selector):
                return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_the_keyboard_alone_finds_and_holds_a_window(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    page.goto("/listings/")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

    tab_to(page, "[name=q]")
    page.keyboard.type("free-23")
    tab_to(page, "#question summary")
    page.keyboard.press("Enter")
    tab_to(page, "[name=days]")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 server free for")
    tab_to(page, ".listing-row h3 a")
    page.keyboard.press("Enter")
    expect(page.locator("#quote tfoot")).to_contain_text("€40.00")
    tab_to(page, "#quote button[type=submit]:not(.no-js)")
    page.keyboard.press("Enter")
    page.wait_for_url(PAY)


def test_without_a_script_a_window_is_found_held_and_given_back(site: Site, browse: Opens):
    page = browse(site.next_buyer(), java_script_enabled=False)
    page.goto("/")
    start = hours_from_now(72)
    page.goto("/listings/")
    page.locator("[name=q]").fill("free-22")
    page.locator("#question [name=start]").fill(local(start))
    page.locator("#question [name=end]").fill(local(start + timedelta(hours=5)))
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 server free for your 5 hours")
    page.locator(".listing-row h3 a").click()
    page.locator("#quote [name=end]").fill(local(start + timedelta(hours=7)))
    page.get_by_role("button", name="Update the price").click()
    expect(page.locator("#quote tfoot")).to_contain_text("€14.00")
    page.get_by_role("button", name="Hold it for").click()
    page.wait_for_url(PAY)
    page.get_by_role("link", name="Give the window back").click()
    page.get_by_role("button", name="Cancel the booking").click()
    expect(page.locator("main")).to_contain_text("Canceled by the buyer")
