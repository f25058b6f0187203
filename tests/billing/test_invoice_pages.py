"""The pages of invoices and statements: whose they are, what they add up, what is mailed, and what others get."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from accounts.models import OutgoingMail
from billing.documents.facts import StatementDocument
from billing.models import Invoice, Series
from billing.services import statements
from billing.services.refunds import request_refund
from tests.earning import make_payout
from tests.people import DAY, HOUR, make_billing_details, make_listing, make_machine, make_paid

pytestmark = pytest.mark.django_db


@pytest.fixture
def november() -> datetime:
    """Noon of a day in the middle of the month before the present one, in UTC."""
    today = datetime.now(tz=UTC).replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    return (today - DAY).replace(day=15)


@pytest.fixture
def institute(buyer):
    make_billing_details(
        buyer, vat_id="DE136695976", name="Institut", purchase_order="=1+1", cost_centre="KST 4",
        invoice_email="accounts@institute.example",
    )  # fmt: skip
    return buyer


def give_back(booking, amount: str, now) -> Invoice:
    with transaction.atomic():
        refund = request_refund(
            payment=booking.payments.get(), amount=Decimal(amount), reason="goodwill", by=None, now=now
        )
    return Invoice.objects.get(refund=refund)


def bought(listing, buyer, at: datetime, days: int = 2):
    return make_paid(listing, buyer, start=at + days * DAY, hours=30, asked=at)


# The list ------------------------------------------------------------------------------------------------------


def test_the_list_shows_what_was_issued_and_what_it_comes_to(client, listing, buyer, now):
    booking = bought(listing, buyer, now)
    give_back(booking, "4.00", now)
    client.force_login(buyer)
    page = client.get("/billing/invoices/").text
    assert "INV-" in page
    assert "CN-" in page
    assert "corrects INV-" in page
    (total,) = client.get("/billing/invoices/").context["totals"]
    assert (total.currency, total.bought, total.sold) == ("EUR", booking.price_total - 4, None)


def test_currencies_are_not_added_together(client, listing, buyer, provider, now):
    yen = make_listing(make_machine(provider, "gpu-y"), currency="JPY", price_hour=500, price_day=9000, price_week=None)
    bought(listing, buyer, now)
    bought(yen, buyer, now)
    client.force_login(buyer)
    assert [total.currency for total in client.get("/billing/invoices/").context["totals"]] == ["EUR", "JPY"]
    assert "¥" in client.get("/billing/invoices/").text


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("", {"INV", "CN"}),
        ("?kind=CN", {"CN"}),
        ("?kind=INV&year={year}", {"INV"}),
        ("?year=1999", set()),
        ("?kind=SB", set()),
        ("?kind=nonsense&year=²026", {"INV", "CN"}),
        ("?year=99999999999999999999&page=x", {"INV", "CN"}),
    ],
)
def test_the_list_is_filtered_by_kind_and_year(client, listing, buyer, now, query, kinds):
    give_back(bought(listing, buyer, now), "1.00", now)
    client.force_login(buyer)
    page = client.get("/billing/invoices/" + query.format(year=now.year))
    assert page.status_code == 200
    assert {row.series for row in page.context["page"]} == kinds


def test_providers_see_what_is_invoiced_in_their_name_in_the_same_list(client, listing, buyer, provider, now):
    payout = make_payout(listing, buyer, now=now)
    client.force_login(provider)
    page = client.get("/billing/invoices/")
    (row,) = page.context["page"]
    assert row.series == Series.SELF_BILLING
    (total,) = page.context["totals"]
    assert (total.bought, total.sold) == (None, payout.amount)
    assert "Self-billing" in client.get(f"/billing/invoices/{row.pk}/").text


# Whose it is ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["", "pdf/", "xml/"])
def test_an_invoice_is_its_owners_and_the_administrators(client, cast, listing, now, file):
    booking = bought(listing, cast.buyer, now)
    address = f"/billing/invoices/{Invoice.objects.get(booking=booking).pk}/{file}"
    assert client.get(address).status_code == 302
    for user, status in (
        (cast.buyer, 200),
        (cast.administrator, 200),
        (cast.provider, 404),
        (cast.other_buyer, 404),
        (cast.stranger, 404),
    ):
        client.force_login(user)
        assert client.get(address).status_code == status
        assert client.post(address).status_code == 405


def test_files_are_downloads_named_after_the_number(client, listing, buyer, now):
    invoice = Invoice.objects.get(booking=bought(listing, buyer, now))
    client.force_login(buyer)
    for kind, begins in (("pdf", b"%PDF-"), ("xml", b"<?xml")):
        answer = client.get(f"/billing/invoices/{invoice.pk}/{kind}/")
        assert answer["Content-Type"].partition(";")[0] == f"application/{kind}"
        assert answer["Content-Disposition"] == f'attachment; filename="{invoice.number}.{kind}"'
        assert answer.content.startswith(begins)


def test_what_people_type_is_shown_and_not_run(client, listing, buyer, now):
    make_billing_details(buyer, name="<script>alert(1)</script>", city="<b>Bold</b>", cost_centre="")
    invoice = Invoice.objects.get(booking=bought(listing, buyer, now))
    client.force_login(buyer)
    page = client.get(f"/billing/invoices/{invoice.pk}/").text
    assert "<script>alert" not in page
    assert "<b>Bold" not in page
    assert client.get(f"/billing/invoices/{invoice.pk}/pdf/").status_code == 200


# Statements -----------------------------------------------------------------------------------------------------


def test_a_statement_is_the_month_in_utc(listing, institute, november):
    first = november.replace(day=1, hour=0)
    following = (first + 32 * DAY).replace(day=1)
    bought(listing, institute, first - timedelta(seconds=1), days=3)
    within = bought(listing, institute, first, days=6)
    late = bought(listing, institute, following - timedelta(seconds=1), days=9)
    bought(listing, institute, following, days=12)
    statement = statements.statement_of(institute, november.date())
    (total,) = statement.totals
    assert [line.reference for line in total.lines] == [within.reference, late.reference]


def test_a_statement_has_a_table_a_currency_and_credit_is_taken_off(listing, institute, provider, november):
    yen = make_listing(make_machine(provider, "gpu-y"), currency="JPY", price_hour=500, price_day=9000, price_week=None)
    booking = bought(listing, institute, november)
    give_back(booking, "4.00", november + HOUR)
    bought(yen, institute, november)
    make_payout(make_listing(make_machine(provider, "gpu-z")), institute, now=november)
    statement = statements.statement_of(institute, november.date())
    euro, yens = statement.totals
    assert (euro.currency, yens.currency) == ("EUR", "JPY")
    for total in statement.totals:
        for name in ("net", "tax", "amount"):
            assert getattr(total, name) == sum(getattr(line, name) for line in total.lines)
        assert total.net + total.tax == total.amount
        assert {line.purchase_order for line in total.lines} == {"=1+1"}
        assert not [line for line in total.lines if line.document.startswith("SB")]
    assert statement.buyer.name == "Institut"


def test_a_month_that_is_over_reads_the_same_whatever_changes(listing, institute, november):
    booking = bought(listing, institute, november)
    before = statements.statement_of(institute, november.date())
    institute.billing_details.name = "Another"
    institute.billing_details.save()
    booking.machine.gpu_model = "Other"
    booking.machine.save()
    give_back(booking, "1.00", november + 40 * DAY)
    assert statements.statement_of(institute, november.date()) == before
    assert isinstance(before, StatementDocument)


def test_months_are_listed_with_what_they_come_to(client, listing, institute, november):
    booking = bought(listing, institute, november)
    give_back(booking, "4.00", november + 30 * DAY)
    (later, earlier) = statements.months_of(institute)
    assert (earlier.first, earlier.documents) == (november.date().replace(day=1), 1)
    assert earlier.amounts == (("EUR", booking.price_total),)
    assert later.amounts == (("EUR", Decimal("-4.00")),)


def test_the_pages_of_a_statement(client, listing, institute, other_buyer, november):
    booking = bought(listing, institute, november)
    address = f"/billing/statements/{november:%Y-%m}/"
    client.force_login(institute)
    assert f"{november:%B %Y}" in client.get("/billing/statements/").text
    page = client.get(address).text
    assert booking.reference in page
    assert "KST 4" in page
    assert "it will always read the same" in page
    pdf = client.get(address + "pdf/")
    assert pdf.content.startswith(b"%PDF")
    assert pdf["Content-Disposition"].startswith(f'attachment; filename="ST-{november:%Y-%m}-')
    client.force_login(other_buyer)
    assert client.get("/billing/statements/").status_code == 200
    for file in ("", "pdf/", "csv/"):
        assert client.get(address + file).status_code == 404


@pytest.mark.parametrize(
    "month", ["2026-13", "2026-00", "0000-05", "9999-12", "2026-1", "26-01", "2026-011", "²026-01"]
)
def test_a_month_that_is_none_is_not_found(client, buyer, month):
    client.force_login(buyer)
    assert client.get(f"/billing/statements/{month}/").status_code == 404


def test_no_spreadsheet_takes_a_text_for_a_formula(client, listing, institute, november):
    booking = bought(listing, institute, november)
    give_back(booking, "4.00", november + HOUR)
    client.force_login(institute)
    answer = client.get(f"/billing/statements/{november:%Y-%m}/csv/")
    head, invoice, note = csv.reader(io.StringIO(answer.text))
    assert tuple(head) == statements.COLUMNS
    assert invoice[4:] == ["'=1+1", "KST 4", "EUR", *map(str, amounts(booking))]
    assert note[-1] == "-4.00"
    assert answer["Content-Disposition"].endswith('.csv"')


def amounts(booking) -> tuple[Decimal, Decimal, Decimal]:
    invoice = Invoice.objects.get(booking=booking, series=Series.INVOICE)
    return invoice.net, invoice.tax, invoice.gross


# The mail of a month --------------------------------------------------------------------------------------------


def following(month: datetime) -> datetime:
    return (month.replace(day=1) + 32 * DAY).replace(day=1, hour=1)


def told() -> list[OutgoingMail]:
    return list(OutgoingMail.objects.filter(key__startswith="statement:"))


def test_businesses_are_told_of_their_statement_once(listing, institute, november):
    bought(listing, institute, november)
    start = following(november)
    assert statements.mail_statements(now=start) == 1
    assert statements.mail_statements(now=start + HOUR) == 0
    (mail,) = told()
    assert (mail.recipient, mail.subject) == ("accounts@institute.example", f"Statement for {november:%B %Y}")
    assert f"/billing/statements/{november:%Y-%m}/" in mail.text


def test_nobody_is_told_who_is_no_business_or_had_no_documents(listing, buyer, other_buyer, provider, november):
    make_billing_details(buyer)
    make_billing_details(provider, vat_id="DE136695976")
    bought(listing, buyer, november)
    bought(listing, other_buyer, november, days=9)
    assert statements.mail_statements(now=following(november)) == 0
    assert told() == []


def test_statements_are_mailed_on_the_first_days_of_a_month(listing, institute, november):
    bought(listing, institute, november)
    start = following(november)
    assert statements.mail_statements(now=start - DAY) == 0
    assert statements.mail_statements(now=start + 8 * DAY) == 0
    assert statements.mail_statements(now=start + 6 * DAY) == 1
