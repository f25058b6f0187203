"""Money on the pages: kept cards, stages, extensions, early ends, invoices, and what providers are paid."""

import csv
import io
import re
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.e2e.conftest import Opens, Site
from tests.e2e.steps import PAY, choose_window, fill_card, hold, hours_from_now, listening, local, pay, wait_for_booking
from tests.earning import IBAN
from tests.people import FINGERPRINT, PASSWORD
from tests.stripe_standin import DECLINED_WHEN_CHARGED, GOOD

BERLIN = ZoneInfo("Europe/Berlin")
#: The example of Austria's tax office, whose check digit is right.
AUSTRIAN_VAT_ID = "ATU13585627"
CHARGE_PAY = re.compile(r"/bookings/[0-9a-f-]{36}/charges/[0-9a-f-]{36}/pay/$")
LINK = re.compile(r"http://\S+")


# Steps ----------------------------------------------------------------------------------------------------


def keep_a_card(page: Page, number: str = GOOD) -> None:
    """On the page of the cards that are kept."""
    page.goto("/billing/cards/")
    fill_card(page, number)
    page.get_by_role("button", name="Keep this card").click()
    expect(page.locator("#messages")).to_contain_text("is kept, and charged from now on")


def booked(page: Page, listing: str, *, start: int = 48, hours: int = 4) -> str:
    """Held and paid with the card that is chosen, which is one that is kept. The page is the booking's."""
    booking = hold(page, listing, start=start, hours=hours)
    pay_as_chosen(page)
    assert wait_for_booking(page) == booking
    return booking


def pay_as_chosen(page: Page) -> None:
    page.locator("#pay-form").get_by_role("button", name="Pay").click()


def running(site: Site, browse: Opens, page: Page, *, hours: int) -> str:
    """A booking that its buyer has been let into, and that began this minute. The page is its own."""
    booking = booked(page, site.next_listing(), hours=hours)
    provider = browse("provider")
    provider.goto(f"/bookings/{booking}/access/")
    provider.get_by_label("Host", exact=True).fill("gpu.example.org")
    provider.get_by_label("Host key fingerprint").fill(FINGERPRINT)
    provider.get_by_role("button", name="Save").click()
    expect(provider.locator("#messages")).to_contain_text("Saved.")
    site.bring_forward(booking, "start_timestamp")
    site.wait("the start", lambda: site.booking(booking)["booking_status"] == "active")
    page.reload()
    return booking


def ask_for(page: Page, end: datetime) -> None:
    """On the page of an extension: fill in another end, and wait for its price."""
    listening(page)
    with page.expect_response(lambda response: "/extend/" in response.url):
        box = page.locator("#extension [name=end]")
        box.fill(local(end))
        box.dispatch_event("change")
    listening(page)


def ends_at(site: Site, booking: str) -> datetime:
    return site.booking(booking)["end_timestamp"].astimezone(BERLIN)


def charges(site: Site, booking: str) -> list[dict[str, Any]]:
    return site.sql("SELECT * FROM charges WHERE booking_id = %s ORDER BY number", booking)


def times_paid(site: Site, booking: str) -> list[str]:
    """Every amount that was taken for the booking."""
    paid = "SELECT amount_total FROM payments WHERE booking_id = %s AND payment_status = 'paid' ORDER BY timestamp"
    return [str(row["amount_total"]) for row in site.sql(paid, booking)]


def balances(site: Site, booking: str) -> None:
    """The ledger has of the booking at the processor what was taken less what was given back."""
    at_processor = site.sql(
        "SELECT sum(e.amount) AS left FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id"
        " JOIN ledger_transactions t ON t.id = e.transaction_id WHERE t.booking_id = %s AND a.kind = 'processor'",
        booking,
    )
    back = site.sql(
        "SELECT coalesce(sum(r.amount), 0) AS back FROM refunds r JOIN payments USING (payment_id)"
        " WHERE booking_id = %s AND r.status = 'made'",
        booking,
    )
    assert at_processor[0]["left"] == sum(map(Decimal, times_paid(site, booking))) - back[0]["back"]


def save(page: Page, link: str, folder: Path, *, exact: bool = False) -> Path:
    """Follow a link that downloads a file."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link, exact=exact).first.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def text_of(pdf: Path) -> str:
    """As somebody copies it, without the invisible places where words may break."""
    text = "\n".join(page.extract_text() for page in PdfReader(pdf).pages)
    return " ".join(text.replace("\N{ZERO WIDTH SPACE}", "").split())


# Cards ----------------------------------------------------------------------------------------------------


def test_a_card_that_is_kept_pays_the_next_booking_with_one_click_and_can_be_removed(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    hold(page, site.next_listing())
    page.get_by_label("Keep this card for extensions and later bookings").check()
    pay(page)
    wait_for_booking(page)

    booking = hold(page, site.next_listing())
    expect(page.get_by_label("Visa 4242")).to_be_checked()
    expect(page.locator("#card-element")).not_to_be_visible()
    page.get_by_label("Another card").check()
    expect(page.locator("#card-element")).to_be_visible()
    page.get_by_label("Visa 4242").check()
    page.locator("summary", has_text="For the invoice").click()
    page.get_by_label("Purchase order number").fill("PO 4711")
    page.locator("#pay-form").get_by_role("button", name="Pay").dblclick()
    assert wait_for_booking(page) == booking
    expect(page.locator("main")).to_contain_text("Paid and confirmed")
    assert times_paid(site, booking) == ["8.00"]
    assert site.booking(booking)["purchase_order"] == "PO 4711"

    page.goto("/billing/cards/")
    expect(page.get_by_role("table")).to_contain_text("Visa 4242")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", name="No card is kept here")).to_be_visible()
    hold(page, site.next_listing())
    expect(page.get_by_label("Visa 4242")).to_have_count(0)


def test_two_tabs_and_the_way_back_charge_once(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    keep_a_card(page)
    booking = hold(page, site.next_listing())
    other = page.context.new_page()
    other.goto(page.url)
    for tab in (page, other):
        tab.locator("#pay-form").get_by_role("button", name="Pay").click(no_wait_after=True)
    site.wait("the payment", lambda: times_paid(site, booking))
    assert wait_for_booking(page) == booking
    # Whoever was second reads that it is paid, or under way; nobody is charged again.
    expect(other.locator("main")).to_contain_text(re.compile("Paid and confirmed|paid already|under way"))

    page.go_back()
    page.wait_for_load_state()
    if PAY.search(page.url):
        page.reload()
    expect(page).to_have_url(re.compile(f"/bookings/{booking}/$"))
    assert times_paid(site, booking) == ["8.00"]
    balances(site, booking)


# Extensions -----------------------------------------------------------------------------------------------


def test_an_extension_is_quoted_as_its_end_changes_and_moves_the_end_when_it_is_paid(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    keep_a_card(page)
    booking = running(site, browse, page, hours=4)
    before = ends_at(site, booking)
    page.get_by_role("link", name="Extend…").click()
    total = page.locator("#extension tfoot")
    expect(total).to_contain_text("€2.00")  # another hour
    ask_for(page, before + timedelta(hours=3))
    expect(total).to_contain_text("€6.00")
    page.get_by_role("link", name="1 day").click()
    expect(total).to_contain_text("€40.00")
    ask_for(page, before + timedelta(hours=3))
    expect(total).to_contain_text("€6.00")
    page.get_by_role("button", name="Hold it for 15 minutes").click()
    page.wait_for_url(CHARGE_PAY)
    expect(page.get_by_role("heading", level=1)).to_have_text("Pay for the extension")
    assert ends_at(site, booking) == before
    pay_as_chosen(page)
    assert wait_for_booking(page) == booking
    expect(page.locator("#messages")).to_contain_text("Paid. It is yours until")
    expect(page.locator("aside").first).to_contain_text("€14.00")
    assert ends_at(site, booking) == before + timedelta(hours=3)
    assert times_paid(site, booking) == ["8.00", "6.00"]
    balances(site, booking)


def test_an_extension_that_is_not_paid_lapses_and_the_old_end_stays(site: Site, browse: Opens):
    name = site.next_buyer()
    page = browse(name)
    keep_a_card(page)
    booking = booked(page, site.next_listing())
    before = ends_at(site, booking)
    page.get_by_role("link", name="Extend…").click()
    page.get_by_role("button", name="Hold it for 15 minutes").click()
    page.wait_for_url(CHARGE_PAY)
    site.sql("UPDATE charges SET expires_at = now() - interval '1 s' WHERE booking_id = %s AND number = 2", booking)
    site.wait("the extension to lapse", lambda: charges(site, booking)[1]["status"] == "dropped")
    pay_as_chosen(page)
    expect(page.locator(".note.bad")).to_contain_text("The time to pay is over. Nothing has been charged")
    page.goto(f"/bookings/{booking}/")
    expect(page.locator("main")).to_contain_text("Not extended: not paid in time")
    assert ends_at(site, booking) == before
    assert times_paid(site, booking) == ["8.00"]
    assert "Nothing has been charged" in site.mail(f"{name}@example.com", "Not extended").text


def test_an_extension_into_a_taken_window_says_so_and_offers_equal_machines(site: Site, browse: Opens):
    page, other, listing = browse(site.next_buyer()), browse(site.next_buyer()), site.next_listing()
    keep_a_card(page)
    booking = booked(page, listing, start=48, hours=4)
    other.goto("/")  # so that its zone is known
    hold(other, listing, start=58, hours=4)
    end = ends_at(site, booking)
    page.get_by_role("link", name="Extend…").click()
    expect(page.locator("#extension")).not_to_contain_text("+ 1 day")
    ask_for(page, end + timedelta(hours=8))
    expect(page.locator("#extension .errors")).to_contain_text("Taken by someone else")
    expect(page.get_by_role("button", name="Hold it for 15 minutes")).to_be_disabled()
    page.get_by_role("link", name="Extend until").click()  # half an hour to erase it is left before the other one
    expect(page.locator("#extension [name=end]")).to_have_value(local(end + timedelta(hours=5, minutes=30)))
    expect(page.locator("#extension tfoot")).to_contain_text("€12.00")
    ask_for(page, end + timedelta(hours=8))
    page.get_by_role("link", name="Equal machines").click()
    expect(page.locator(".listing-row").first).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("free for your 8 hours")


# Ending early, and what comes back ------------------------------------------------------------------------


def test_ending_early_says_what_comes_back_and_it_comes_back_with_a_credit_note(
    site: Site, browse: Opens, tmp_path: Path
):
    name = site.next_buyer()
    page = browse(name)
    keep_a_card(page)
    booking = running(site, browse, page, hours=48)
    page.get_by_role("link", name="End early…").click()
    lines = page.locator(".receipt")
    expect(lines.get_by_role("row", name="Paid")).to_contain_text("€80.00")
    expect(lines).to_contain_text("all of it back")  # what lies more than a day ahead
    expect(lines).to_contain_text("half back")
    back = lines.locator("tfoot td").inner_text()
    page.get_by_role("button", name="End it").click()
    assert wait_for_booking(page) == booking
    expect(page.locator("#messages")).to_contain_text("The refund is on its way.")
    made = "SELECT amount FROM refunds r JOIN payments USING (payment_id) WHERE booking_id = %s AND r.status = 'made'"
    ((refund,),) = [site.wait("the refund", lambda: site.sql(made, booking))]
    assert back == f"€{refund['amount']}"
    page.reload()
    expect(page.locator("aside").first).to_contain_text(f"{back} back")
    assert back in site.mail(f"{name}@example.com", "Ended early").text
    balances(site, booking)

    page.goto("/billing/payments/")
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.locator(".timeline")).to_contain_text(f"{back} given back")
    expect(page.locator(".receipt")).to_contain_text(f"−{back}")
    page.get_by_role("link", name="CN-").click()
    expect(page.locator("main")).to_contain_text("Corrects INV-")
    expect(page.locator(".receipt")).to_contain_text(back)
    assert page.get_by_role("heading", level=1).inner_text() in text_of(save(page, "PDF", tmp_path, exact=True))


# Invoices -------------------------------------------------------------------------------------------------


def test_a_payment_gets_an_invoice_as_pdf_and_xml_and_the_month_a_statement(site: Site, browse: Opens, tmp_path: Path):
    page = browse(site.next_buyer())
    booking = hold(page, site.next_listing())
    page.locator("summary", has_text="For the invoice").click()
    page.get_by_label("Purchase order number").fill("PO 2026-17")
    page.get_by_label("Cost centre").fill("Physics 3")
    pay(page)
    assert wait_for_booking(page) == booking

    page.goto("/billing/invoices/")
    expect(page.get_by_role("table")).to_contain_text("PO 2026-17")
    page.get_by_role("link", name=re.compile(r"^INV-[\d-]+$")).click()
    number = page.get_by_role("heading", level=1).inner_text()
    for words in ("Physics 3", "€6.72", "€1.28", "€8.00", "Remote Servers Marketplace"):
        expect(page.locator("main")).to_contain_text(words)
    pdf = save(page, "PDF", tmp_path, exact=True)
    assert number in text_of(pdf)
    assert "PO 2026-17" in text_of(pdf)
    (attached,) = PdfReader(pdf).attachments.values()
    inside = etree.fromstring(attached[0])
    beside = etree.parse(save(page, "XML", tmp_path, exact=True)).getroot()
    for xml in (inside, beside):
        assert xml.xpath("string(//*[local-name()='ExchangedDocument']/*[local-name()='ID'])") == number
        assert xml.xpath("string(//*[local-name()='GrandTotalAmount'])") == "8.00"

    page.goto("/billing/statements/")
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.get_by_role("table")).to_contain_text(number)
    expect(page.locator("tfoot")).to_contain_text("€8.00")
    assert number in save(page, "CSV", tmp_path, exact=True).read_text("utf-8-sig")
    assert number in text_of(save(page, "PDF", tmp_path, exact=True))


def test_a_business_elsewhere_in_the_eu_pays_without_vat_by_reverse_charge(site: Site, browse: Opens):
    page = browse(site.next_buyer())
    page.goto("/accounts/billing/")
    page.get_by_label("A business or institution").check()
    page.get_by_label("Country").select_option("AT")
    page.get_by_label("VAT id").fill(AUSTRIAN_VAT_ID)
    page.get_by_label("VAT id").press("Tab")
    expect(page.locator("#tax")).to_contain_text("Reverse charge: you pay without VAT")
    for label, words in {
        "Legal name": "Akademie der Künste",
        "Street": "Ring 1",
        "Postal code": "1010",
        "City": "Wien",
    }.items():
        page.get_by_label(label).fill(words)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#messages")).to_be_visible()

    listing, start = site.next_listing(), hours_from_now(48)
    page.goto(listing)
    choose_window(page, start, start + timedelta(hours=4))
    expect(page.locator("#quote")).to_contain_text("No VAT: reverse charge")
    expect(page.locator("#quote tfoot")).to_contain_text("6,72")  # as amounts are written in Austria
    page.get_by_role("button", name="Hold it for").click()
    page.wait_for_url(PAY)
    expect(page.locator("aside")).to_contain_text("No VAT: reverse charge, you account for it.")
    pay(page)
    booking = wait_for_booking(page)
    assert times_paid(site, booking) == ["6.72"]
    page.goto("/billing/invoices/")
    page.get_by_role("link", name=re.compile(r"^INV-[\d-]+$")).click()
    expect(page.locator("main")).to_contain_text(re.compile("reverse charge", re.IGNORECASE))
    expect(page.locator("main")).to_contain_text(AUSTRIAN_VAT_ID)
    expect(page.locator("main")).to_contain_text("Akademie der Künste")


# Earnings -------------------------------------------------------------------------------------------------


def test_a_provider_is_paid_by_a_file_for_the_bank(site: Site, browse: Opens, tmp_path: Path):
    page, booking = browse("institute"), site.world["bookings"]["earned"]
    page.goto("/machines/earnings/")
    upcoming = page.locator(".stat", has_text="Upcoming")
    expect(upcoming).to_contain_text("€6.05")  # €8.00 without VAT, less a tenth
    page.get_by_role("link", name="Where you are paid to").first.click()
    page.get_by_label("Account holder").fill("Institute")
    page.get_by_label("IBAN").fill(f"{IBAN[:-1]}1")
    page.get_by_role("button", name="Use this account").click()
    page.locator("[name=password]").fill(PASSWORD)  # where money goes to is not changed in a browser left open
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".errors")).to_contain_text("A digit in this IBAN is wrong.")
    page.get_by_label("IBAN").fill(IBAN)
    page.get_by_role("button", name="Use this account").click()
    expect(page.locator(".data-table")).to_contain_text("3000")

    # The time for disputes passes.
    site.move(booking, timedelta(days=3))
    site.sweep("billing.tasks.schedule_payouts")
    page.goto("/machines/earnings/")
    expect(page.locator(".stat", has_text="Scheduled")).to_contain_text("€6.05")
    expect(upcoming).to_contain_text("€0.00")
    reference = page.get_by_role("link", name=re.compile("^P")).first.inner_text()

    administrator = browse("administrator")
    administrator.goto("/admin/billing/sepafile/add/")
    expect(administrator.locator("#content table").first).to_contain_text(reference)
    administrator.get_by_role("button", name="Make the file").click()
    expect(administrator.locator(".messagelist")).to_contain_text("is made.")
    with administrator.expect_download() as download:
        administrator.get_by_role("link", name=re.compile(r"\.xml$")).click()
    xml = etree.parse(download.value.path())
    amounts = xml.xpath(
        "//*[local-name()='CdtTrfTxInf'][.//*[local-name()='IBAN']=$iban]//*[local-name()='InstdAmt']", iban=IBAN
    )
    assert "6.05" in [amount.text for amount in amounts]
    page.reload()
    expect(page.locator(".stat", has_text="Sent")).to_contain_text("€6.05")

    administrator.goto("/admin/billing/payout/?status__exact=sent")
    row = administrator.locator("#result_list tbody tr", has_text=reference)
    row.locator(".action-select").check()
    administrator.locator("select[name=action]").select_option("received")
    administrator.get_by_role("button", name="Run").or_(administrator.get_by_role("button", name="Go")).click()
    expect(administrator.locator(".messagelist")).to_contain_text("marked as received")

    page.reload()
    expect(page.locator(".stat", has_text="Received")).to_contain_text("€6.05")
    rows = list(csv.reader(io.StringIO(save(page, "Download as CSV", tmp_path).read_text("utf-8-sig"))))
    assert any("6.05" in row for row in rows[1:])
    page.get_by_role("link", name=reference).first.click()
    expect(page.locator(".timeline")).to_contain_text("Received")
    expect(page.get_by_role("link", name="SB-")).to_be_visible()


# Stages ---------------------------------------------------------------------------------------------------


def fall_due(site: Site, booking: str, number: int) -> None:
    site.sql(
        "UPDATE charges SET due_at = now() - interval '1 s' WHERE booking_id = %s AND number = %s", booking, number
    )


def test_a_long_booking_is_charged_in_stages_and_a_declined_one_is_paid_on_the_page(site: Site, browse: Opens):
    name, listing = site.next_buyer(), site.next_listing()
    site.sql("UPDATE listings SET max_hours = 90 * 24 WHERE listing_id = %s", listing.split("/")[2])
    page = browse(name)
    booking = hold(page, listing, hours=70 * 24)
    expect(page.locator("aside")).to_contain_text("Charged in stages")
    expect(page.locator("#pay-form")).to_contain_text("the later stages are charged to it")
    amounts = [f"€{charge['amount']:,}" for charge in charges(site, booking)]
    assert len(amounts) == 3
    for amount in amounts:
        expect(page.locator("aside")).to_contain_text(amount)
    pay(page)
    assert wait_for_booking(page) == booking
    expect(page.locator("aside").first).to_contain_text("Part by part")
    expect(page.locator("aside").first).to_contain_text("Charged on")

    # The second is charged by itself, to the card that was kept.
    fall_due(site, booking, 2)
    site.wait("the second stage", lambda: charges(site, booking)[1]["status"] == "paid")
    page.reload()
    expect(page.locator(".timeline")).to_contain_text("Stage 2 paid")

    # The third meets a card that is declined.
    keep_a_card(page, DECLINED_WHEN_CHARGED)
    fall_due(site, booking, 3)
    mail = site.mail(f"{name}@example.com", "Stage 3 of your booking could not be charged")
    assert "We try again on" in mail.text
    page.goto(next(link for link in LINK.findall(mail.text) if "/charges/" in link))
    expect(page.get_by_role("heading", level=1)).to_have_text("Pay a stage")
    page.get_by_label("Visa 4242").check()
    pay_as_chosen(page)
    assert wait_for_booking(page) == booking
    expect(page.locator(".timeline")).to_contain_text("Stage 3 paid")
    assert [f"€{amount}" for amount in times_paid(site, booking)] == [amount.replace(",", "") for amount in amounts]
    balances(site, booking)
