"""One's own data in a real browser: a copy that is asked for, made, downloaded and opened; an account that goes, and stays."""

import json
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Opens, Site
from tests.people import PASSWORD


def download_after_showing_who_one_is(page: Page, to: Path) -> None:
    """On the page that asks: the download comes after it by itself."""
    page.locator("[name=password]").fill(PASSWORD)
    with page.expect_download() as download:
        page.get_by_role("main").get_by_role("button", name="Go on").click()
    download.value.save_as(to)


def address_of(site: Site, name: str) -> str:
    (row,) = site.sql("SELECT email::text AS email FROM users WHERE email::text = %s", f"{name}@example.com")
    return str(row["email"])


def test_a_copy_of_ones_data_and_an_account_that_goes(site: Site, browse: Opens, tmp_path: Path):
    name = site.next_buyer()
    address, page = address_of(site, name), browse(name)

    # A copy: asked for, made by the worker while the page looks on, and opened.
    page.goto("/accounts/privacy/")
    page.get_by_role("button", name="Ask for a copy").click()
    site.sweep("accounts.tasks.make_exports")
    download_link = page.get_by_role("link", name="Download it")
    expect(download_link).to_be_visible()
    site.mail(address, "The copy of your data is ready")
    download_link.click()
    download_after_showing_who_one_is(page, tmp_path / "copy.zip")
    archive = ZipFile(BytesIO((tmp_path / "copy.zip").read_bytes()))
    assert json.loads(archive.read("accounts/profile.json"))[0]["email"] == address
    archive.extractall(tmp_path / "copy")
    reader = browse()
    reader.set_content((tmp_path / "copy" / "index.html").read_text())
    expect(reader.get_by_role("heading", level=1)).to_have_text("Your data")

    # An account that is to go, and is kept after all.
    page.goto("/accounts/privacy/")
    page.get_by_role("link", name="Delete your account").click()
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("Your account is to be deleted.")).to_be_visible()
    site.mail(address, "Your account will be deleted")
    page.get_by_role("button", name="Keep my account").click()
    expect(page.get_by_role("link", name="Delete your account")).to_be_visible()

    # And one that goes.
    page.get_by_role("link", name="Delete your account").click()
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_role("button", name="Keep my account")).to_be_visible()
    site.sql(
        "UPDATE deletion_requests SET asked_at = asked_at - interval '15 days', due_at = due_at - interval '15 days'"
        " WHERE done_at IS NULL AND taken_back_at IS NULL"
    )
    site.sweep("accounts.tasks.delete_accounts")
    site.mail(address, "Your account is deleted")
    page.goto("/accounts/privacy/")
    expect(page.locator("[name=login]")).to_be_visible()
    assert site.sql("SELECT 1 FROM users WHERE email::text = %s", address) == []
