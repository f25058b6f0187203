"""What an organization spends: held against sums made in plain Python, on its pages and in its files."""

import csv
import io
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from openpyxl import load_workbook

from accounts.models import OrganizationRole
from billing.services.refunds import refund_booking
from bookings import spend as read
from bookings.models import Booking, ChargeStatus
from bookings.services.cancel import cancel_booking
from bookings.services.extend import request_extension
from bookings.spend import bookings_of, spend
from bookings.stretches import Stretch, asked_for
from bookings.views import spend as views
from tests.organizations import (
    book_for,
    make_member,
    make_organization,
    make_organization_details,
    make_project,
)
from tests.people import DAY, HOUR, make_listing, make_machine, make_paid, make_user, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(db):
    return make_user("member@institute.example", name="Mia Member")


@pytest.fixture
def institute(organization_administrator, member, administrator, now):
    """Two who book; with details, so that they can."""
    institute = make_organization(organization_administrator)
    make_member(institute, member)
    make_organization_details(institute)
    for person in (organization_administrator, member):
        verify(person, by=administrator, now=now)
    return institute


@pytest.fixture
def viewer(institute, other_buyer):
    make_member(institute, other_buyer, OrganizationRole.VIEWER)
    return other_buyer


@pytest.fixture
def booked(institute, organization_administrator, member, provider, listing, now) -> list[Booking]:
    """In every way in which a booking can cost something or nothing: two currencies, projects, machines, members."""
    boss = organization_administrator
    folding, other = make_project(institute, "=Folding()", grant="DFG 1"), make_project(institute, "Sequencing")
    yen = make_listing(
        make_machine(provider, "gpu-y", gpu_model="A100"),
        currency="JPY",
        price_hour=500,
        price_day=9000,
        price_week=None,
    )
    cpu = make_listing(make_machine(provider, "cpu-1", gpu_count=0, gpu_memory_gb=0, gpu_model=""))
    long = make_listing(make_machine(provider, "long-1"), max_hours=24 * 90)

    def book(member, listing, days, **how):
        return book_for(institute, member, listing, start=now + days * DAY, asked=how.pop("asked", now), **how)

    paid = book(member, listing, 2, project=folding)
    back = book(member, listing, 3, project=folding, hours=30, purchase_order="+49 1", cost_centre="KST")
    with transaction.atomic():
        refund_booking(booking=back, amount=Decimal("7.50"), reason="goodwill", by=None, now=now)
    held = book(boss, cpu, 2, project=other, paid=False)
    canceled_hold = book(boss, cpu, 3, paid=False)
    cancel_booking(booking_id=canceled_hold.pk, by=boss, now=now)
    canceled = book(boss, cpu, 30)
    cancel_booking(booking_id=canceled.pk, by=boss, now=now)
    lapsed = book(member, cpu, 9, paid=False, asked=now - HOUR)
    stages = book(boss, long, 2, hours=24 * 84)
    extended = book(member, yen, 2, hours=5, project=other)
    request_extension(booking_id=extended.pk, by=member, new_end=extended.end + 3 * HOUR, now=now)
    return [paid, back, held, canceled_hold, canceled, lapsed, stages, extended]


def cost_of(booking: Booking, now: datetime) -> Decimal:
    """As the page says it, in plain Python: what is or will be paid, less what came back, with what is being added."""
    booking = Booking.objects.get(pk=booking.pk)
    if not booking.is_paid and (booking.is_canceled or booking.hold_expires_at <= now):
        return Decimal(0)
    charges = list(booking.charges.all())
    payments = list(booking.payments.all())
    owed = [charge.amount for charge in charges if charge.status != ChargeStatus.DROPPED]
    return sum(owed, Decimal(0)) - sum((payment.refunded for payment in payments), Decimal(0))


def sums(bookings, by, now) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """Currency and name: how many bookings that cost something, and what they cost."""
    found: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for booking in bookings:
        if booking.is_paid or cost_of(booking, now):
            count, total = found[booking.currency, by(booking)]
            found[booking.currency, by(booking)] = count + 1, total + cost_of(booking, now)
    return dict(found)


def today(now: datetime) -> Stretch:
    return Stretch((now - DAY).astimezone(UTC).date(), now.astimezone(UTC).date())


def test_each_table_says_what_python_says(institute, booked, now):
    found = spend(bookings_of(institute, member=None, now=now), today(now), by_member=True, now=now)
    for key, by in {
        "project": lambda booking: booking.project.name if booking.project else "No project",
        "member": lambda booking: booking.buyer.known_as,
        "machine": lambda booking: booking.machine.name,
        "gpu": lambda booking: booking.machine.gpu_model or "No GPU",
    }.items():
        (table,) = (table for table in found.tables if table.key == key)
        named = {(p.currency, p.detail if key == "machine" else p.name): (p.bookings, p.cost) for p in table.parts}
        assert named == sums(booked, by, now), key
        for currency in ("EUR", "JPY"):
            parts = [part for part in table.parts if part.currency == currency]
            assert [part.cost for part in parts] == sorted((part.cost for part in parts), reverse=True)
            assert sum(part.share for part in parts) == pytest.approx(1)


def test_currencies_are_totals_of_their_own_and_the_charts_agree(institute, booked, now):
    found = spend(bookings_of(institute, member=None, now=now), today(now), by_member=True, now=now)
    expected = sums(booked, lambda booking: "", now)
    assert {(total.currency, ""): (total.bookings, total.cost) for total in found.totals} == expected
    assert [total.currency for total in found.totals] == ["EUR", "JPY"]
    assert [len(chart.bars) for chart in found.charts] == [2, 2]
    assert [chart.title for chart in found.charts] == ["Spent a day, EUR", "Spent a day, JPY"]


def test_a_year_has_a_bar_for_each_month(institute, member, listing, now):
    march = datetime(now.year - 1, 3, 31, 23, 59, tzinfo=UTC)
    one = book_for(institute, member, listing, start=march + 2 * DAY, asked=march)
    book_for(institute, member, listing, start=march + 5 * DAY, asked=march + timedelta(minutes=1))
    year = Stretch(date(now.year - 1, 1, 1), date(now.year - 1, 12, 31))
    (chart,) = spend(bookings_of(institute, member=None, now=now), year, by_member=True, now=now).charts
    figures = dict(chart.rows)
    assert len(figures) == 12
    assert figures["Mar"] == figures["Apr"] == f"€{one.price_total}"
    assert figures["Feb"] == "€0.00"


def test_a_booking_counts_on_the_day_in_utc_on_which_it_was_asked_for(institute, member, listing, now):
    midnight = (now - 3 * DAY).replace(hour=0, minute=0, second=0)
    made = [
        book_for(institute, member, listing, start=now + (2 + place) * DAY, asked=midnight + timedelta(seconds=seconds))
        for place, seconds in enumerate([-1, 0, 86399, 86400])
    ]
    found = read.within(
        bookings_of(institute, member=None, now=now), Stretch(midnight.date(), midnight.date()), now=now
    )
    assert set(found) == set(made[1:3])


def test_many_are_cut_to_the_most_and_the_rest_is_one_row(institute, member, listing, now, monkeypatch):
    monkeypatch.setattr(read, "MOST", 2)
    for place in range(5):
        book_for(
            institute, member, listing, start=now + (2 + place) * DAY, asked=now, hours=1 + place,
            project=make_project(institute, f"P{place}"),
        )  # fmt: skip
    table = spend(bookings_of(institute, member=None, now=now), today(now), by_member=False, now=now).tables[0]
    assert [part.name for part in table.parts] == ["P4", "P3", "3 others"]
    assert table.parts[-1].cost == 2 + 4 + 6
    assert table.parts[-1].bookings == 3


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, "2028-02-01", "2028-02-29"),
        ({"period": "month"}, "2028-02-01", "2028-02-29"),
        ({"period": "last-month"}, "2028-01-01", "2028-01-31"),
        ({"period": "quarter"}, "2028-01-01", "2028-03-31"),
        ({"period": "year"}, "2028-01-01", "2028-12-31"),
        ({"period": "own", "first": "2027-12-30", "last": "2028-01-02"}, "2027-12-30", "2028-01-02"),
        ({"period": "nonsense"}, "2028-02-01", "2028-02-29"),
        ({"period": "own", "first": "2028-01-02", "last": "2028-01-01"}, "2028-02-01", "2028-02-29"),
        ({"period": "own", "first": "x"}, "2028-02-01", "2028-02-29"),
    ],
)
def test_the_time_that_is_looked_at(query, first, last):
    period, stretch, _form = asked_for(query, now=datetime(2028, 2, 29, 23, 30, tzinfo=UTC))
    assert period in ("month", query.get("period"))
    assert stretch == Stretch(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2028-01-02", "2028-01-01", "The last day is before the first."),
        ("2028-01-02", "", "Say the last day, too."),
        ("2020-01-02", "2028-01-01", "This can be five years at most."),
        ("0001-01-01", "9999-12-31", "This can be five years at most."),
    ],
)
def test_dates_that_make_no_sense_are_told(client, institute, organization_administrator, first, last, words):
    client.force_login(organization_administrator)
    query = {"period": "own", "first": first, "last": last}
    assert words in client.get(f"/organizations/{institute.pk}/spend/", query).text


# Who sees what --------------------------------------------------------------------------------------------------


def test_the_page_shows_all_to_whom_the_role_shows_it_and_to_others_their_own(
    client, institute, booked, viewer, member, now
):
    address = f"/organizations/{institute.pk}/spend/"
    client.force_login(viewer)
    page = client.get(address, {"period": "own", "first": f"{now - DAY:%Y-%m-%d}", "last": f"{now:%Y-%m-%d}"})
    assert {table.key for table in page.context["spend"].tables} == {"project", "member", "machine", "gpu"}
    assert "By member" in page.text
    assert "=Folding()" in page.text
    client.force_login(member)
    page = client.get(address, {"period": "own", "first": f"{now - DAY:%Y-%m-%d}", "last": f"{now:%Y-%m-%d}"})
    assert "These are your own bookings." in page.text
    assert "By member" not in page.text
    mine = [booking for booking in booked if booking.buyer == member]
    told = {total.currency: total.cost for total in page.context["spend"].totals}
    assert told == {currency: total for (currency, _), (_, total) in sums(mine, lambda _: "", now).items()}


def test_the_pages_are_for_members(client, institute, stranger):
    pages = ["spend/", "spend/csv/", "spend/xlsx/", "bookings/", "machines/"]
    client.force_login(stranger)
    assert [client.get(f"/organizations/{institute.pk}/{page}").status_code for page in pages] == [404] * 5
    make_member(institute, stranger, OrganizationRole.BILLING)
    assert [client.get(f"/organizations/{institute.pk}/{page}").status_code for page in pages] == [200] * 4 + [403]


def test_other_organizations_and_ones_own_bookings_are_no_part_of_it(client, institute, booked, member, listing, now):
    other = make_organization(member, "Another")
    make_organization_details(other)
    book_for(other, member, listing, start=now + 20 * DAY, asked=now)
    make_paid(listing, member, start=now + 21 * DAY, asked=now)
    client.force_login(member)
    (total,) = client.get(f"/organizations/{other.pk}/spend/").context["spend"].totals
    assert total.bookings == 1
    assert len(client.get(f"/organizations/{other.pk}/bookings/").context["page"]) == 1


# Files ----------------------------------------------------------------------------------------------------------


def own_dates(now: datetime) -> dict[str, str]:
    return {"period": "own", "first": f"{now - DAY:%Y-%m-%d}", "last": f"{now:%Y-%m-%d}"}


def as_csv(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))


def test_the_csv_has_a_row_for_each_booking_with_what_it_costs(client, institute, booked, viewer, now):
    client.force_login(viewer)
    answer = client.get(f"/organizations/{institute.pk}/spend/csv/", own_dates(now))
    assert answer["Content-Disposition"].startswith('attachment; filename="spend-')
    head, *rows = as_csv(answer)
    assert head == read.columns()
    table = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert {reference: Decimal(row["Cost"]) for reference, row in table.items()} == {
        booking.reference: cost_of(booking, now) for booking in booked
    }
    _, back, *_, stages, extended = booked
    row = table[back.reference]
    assert (row["Project"], row["Purchase order"], row["Cost centre"]) == ("'=Folding()", "'+49 1", "KST")
    assert (row["Member"], row["Server"], row["GPU"]) == (back.buyer.known_as, "gpu-1", "8 × H100 SXM")
    assert (row["Start (UTC)"], row["Hours"]) == (f"{back.start:%Y-%m-%d %H:%M}", "30.00")
    assert table[stages.reference]["Hours"] == "2016.00"
    assert table[extended.reference]["Cost"].isdigit()
    assert {row["Currency"] for row in table.values()} == {"EUR", "JPY"}


def test_the_workbook_opens_and_says_the_same(client, institute, booked, viewer, now):
    client.force_login(viewer)
    answer = client.get(f"/organizations/{institute.pk}/spend/xlsx/", own_dates(now))
    assert answer["Content-Type"] == views.XLSX
    book = load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    head, *rows = book["Bookings"].iter_rows(values_only=True)
    assert list(head) == read.columns()
    lines = as_csv(client.get(f"/organizations/{institute.pk}/spend/csv/", own_dates(now)))[1:]
    assert len(rows) == len(lines) == len(booked)
    for row, line in zip(rows, lines, strict=True):
        for cell, text in zip(row, line, strict=True):
            match cell:
                case None:
                    assert text == ""
                case datetime():
                    assert f"{cell:%Y-%m-%d %H:%M}" == text
                case int() | float():
                    assert Decimal(str(cell)) == Decimal(text)
                case _:
                    assert cell == text
    cells = [cell for row in book["Bookings"].iter_rows() for cell in row]
    assert "'=Folding()" in {cell.value for cell in cells}
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_a_member_exports_their_own_alone(client, institute, booked, member, now):
    client.force_login(member)
    rows = as_csv(client.get(f"/organizations/{institute.pk}/spend/csv/", own_dates(now)))[1:]
    assert {row[0] for row in rows} == {booking.reference for booking in booked if booking.buyer == member}


def test_too_much_for_a_workbook_is_told(client, institute, booked, viewer, now, monkeypatch):
    monkeypatch.setattr(views, "MOST_ROWS", 2)
    client.force_login(viewer)
    answer = client.get(f"/organizations/{institute.pk}/spend/xlsx/", own_dates(now), follow=True)
    assert "A workbook has 2 at most. Choose a shorter time, or take the CSV file." in answer.text


# The list of bookings -----------------------------------------------------------------------------------------------


FILTERS = [
    ({}, range(8)),
    ({"state": "waiting"}, {2, 5}),
    ({"state": "confirmed"}, {0, 1, 6, 7}),
    ({"state": "canceled"}, {3, 4}),
    ({"state": "running"}, set()),
    ({"state": "nonsense", "member": "x", "project": "x", "page": "x"}, range(8)),
    ({"member": "boss"}, {2, 3, 4, 6}),
    ({"project": "Sequencing"}, {2, 7}),
    ({"project": "Sequencing", "member": "boss", "state": "waiting"}, {2}),
]


def test_the_list_is_filtered(client, institute, booked, organization_administrator, viewer):
    names = {"boss": organization_administrator.pk, "Sequencing": institute.projects.get(name="Sequencing").pk}
    client.force_login(viewer)
    for query, places in FILTERS:
        asked = {key: names.get(value, value) for key, value in query.items()}
        page = client.get(f"/organizations/{institute.pk}/bookings/", asked)
        assert {booking.pk for booking in page.context["page"]} == {booked[place].pk for place in places}, query


def test_the_list_says_what_each_costs_and_a_member_sees_their_own(client, institute, booked, member, now):
    client.force_login(member)
    page = client.get(f"/organizations/{institute.pk}/bookings/")
    assert {booking.pk: booking.cost for booking in page.context["page"]} == {
        booking.pk: cost_of(booking, now) for booking in booked if booking.buyer == member
    }
    assert "These are your own." in page.text
    assert "€7.50 came back" in page.text
    assert f"/bookings/{booked[0].pk}/" in page.text
