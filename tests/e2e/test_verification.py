"""From an upload to the badge, with two browsers: the person's and the administrator's."""

import re

from playwright.sync_api import expect

from tests.e2e.conftest import Complaints, Opens, Site
from tests.verifying import jpeg, pdf, png


def test_from_upload_to_badge(site: Site, browse: Opens, complaints: Complaints):
    complaints.allowed.add(422)
    who = site.next_buyer()
    page, office = browse(who), browse("administrator")

    page.goto("/accounts/profile/")
    page.get_by_role("link", name="Ask to be verified").click()
    page.get_by_label("My company or institution").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Legal name").fill("Institute of Two Browsers")
    page.get_by_label("Country").select_option("DE")
    page.get_by_label("your part in it").fill("Head of computing")
    page.get_by_label("how we can check this").fill("HRB 4711, Göttingen")
    page.get_by_role("button", name="Save and go on").click()

    # What is not what its name says comes back with a sentence, the good one beside it is kept.
    page.get_by_label("What does it show?").select_option("register_authority")
    files = page.get_by_label("Files")
    files.set_input_files([
        {"name": "extract.pdf", "mimeType": "application/pdf", "buffer": pdf()},
        {"name": "letter.pdf", "mimeType": "application/pdf", "buffer": png()},
    ])  # fmt: skip
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("“letter.pdf” is a PNG inside")
    expect(page.get_by_role("link", name="extract.pdf")).to_be_visible()
    page.get_by_role("link", name="Go on").click()
    page.get_by_role("button", name="Send the request").click()
    expect(page.get_by_role("heading", name="Your request is being looked at")).to_be_visible()

    # The administrator opens the document and wants one more.
    office.goto("/admin/")
    office.get_by_role("link", name="Verifications to decide").click()
    office.get_by_role("link", name="Institute of Two Browsers").first.click()
    with office.expect_download() as download:
        office.get_by_role("link", name="extract.pdf").click()
    assert re.fullmatch(r"register_authority-[0-9a-f]{8}\.pdf", download.value.suggested_filename)
    assert download.value.path().read_bytes().startswith(b"%PDF-")
    office.reload()
    expect(office.get_by_text("opened by: administrator@example.com")).to_be_visible()
    office.get_by_role("button", name="Ask for more…").click()
    office.get_by_label("Reason").fill("Please add your own identity card.")
    office.get_by_role("button", name="Ask these people for more").click()
    site.mail(f"{who}@example.com", "Something is missing in your request")

    page.goto("/accounts/verification/")
    expect(page.get_by_text("Please add your own identity card.")).to_be_visible()
    page.get_by_role("link", name="Add documents").click()
    page.get_by_label("What does it show?").select_option("identity")
    files = page.get_by_label("Files")
    files.set_input_files({"name": "card.jpg", "mimeType": "image/jpeg", "buffer": jpeg((300, 200), exif=True)})
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("link", name="Go on").click()
    page.get_by_label("Your answer").fill("There it is.")
    page.get_by_role("button", name="Answer and send").click()
    expect(page.get_by_role("heading", name="Your request is being looked at")).to_be_visible()

    office.goto("/admin/accounts/verification/?status__exact=pending")
    office.get_by_role("link", name="Institute of Two Browsers").first.click()
    expect(office.get_by_text("There it is.")).to_be_visible()
    with office.expect_popup() as shown:
        office.get_by_role("link", name="card.jpg").click()
    shown.value.wait_for_load_state()
    assert "/accounts/verification/file/" in shown.value.url
    shown.value.close()
    office.get_by_role("button", name="Approve…").click()
    office.get_by_role("button", name="Approve these verifications").click()
    site.mail(f"{who}@example.com", "You are verified")

    page.goto("/accounts/verification/")
    expect(page.get_by_role("heading", name="You are verified")).to_be_visible()
    page.goto("/accounts/profile/")
    expect(page.get_by_text("Company or institution, checked")).to_be_visible()
