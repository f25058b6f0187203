"""Numbers without a gap: under 50 transactions at once of which some abort, and by what the database itself refuses.

In a pair: what else one might take numbers from, a sequence or the largest number plus one, leaves gaps or collides.
"""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.models import Invoice, InvoiceCounter, Series, Subscription, SubscriptionPayment, Tier
from billing.services.invoice_checks import findings
from billing.services.invoices import issue_subscription_invoice
from billing.services.numbering import number_of, take_number
from billing.services.postings import subscription_moved
from tests.people import DAY
from tests.racing import at_once

AT_ONCE = 50
ABORT_EVERY = 3


class Aborted(Exception):
    """As a process that dies, or a later statement that fails."""


def periods(user, now, count: int) -> list[SubscriptionPayment]:
    """Paid periods of a plan: the least that an invoice can be about."""
    plan = Subscription.objects.create(user=user, tier=Tier.PROFESSIONAL)
    return SubscriptionPayment.objects.bulk_create(
        SubscriptionPayment(
            subscription=plan,
            stripe_invoice=f"in_{number}",
            amount=Decimal("119.00"),
            currency="EUR",
            tier=Tier.PROFESSIONAL,
            tax_kind="standard",
            tax_rate=Decimal("0.19"),
            period_start=now,
            period_end=now + 30 * DAY,
            paid_at=now,
        )
        for number in range(count)
    )


def numbers(series: str = Series.SUBSCRIPTION) -> list[int]:
    return list(Invoice.objects.filter(series=series).order_by("sequence").values_list("sequence", flat=True))


@pytest.mark.django_db(transaction=True)
def test_fifty_transactions_at_once_of_which_some_abort_leave_no_gap(buyer, now):
    def issue(number: int, period: SubscriptionPayment) -> str:
        with transaction.atomic():
            subscription_moved(period, now=now)
            invoice = issue_subscription_invoice(subscription_payment=period, now=now)
            if number % ABORT_EVERY == 0:
                raise Aborted(invoice.number)
        return invoice.number

    paid = periods(buyer, now, AT_ONCE)
    answers = at_once([lambda n=n, p=p: issue(n, p) for n, p in enumerate(paid)])

    aborted = [answer for answer in answers if isinstance(answer, Aborted)]
    issued = [answer for answer in answers if isinstance(answer, str)]
    assert len(aborted) == len(range(0, AT_ONCE, ABORT_EVERY))
    assert len(aborted) + len(issued) == AT_ONCE, [str(answer) for answer in answers if isinstance(answer, Exception)]
    assert numbers() == list(range(1, len(issued) + 1))
    assert sorted(issued) == [f"SUB-{now.year}-{sequence:06}" for sequence in numbers()]
    assert InvoiceCounter.objects.get(series=Series.SUBSCRIPTION, year=now.year).last == len(issued)

    for period in paid:  # those that aborted are done again, and nothing else is
        with transaction.atomic():
            subscription_moved(period, now=now)
            issue_subscription_invoice(subscription_payment=period, now=now)
    assert numbers() == list(range(1, AT_ONCE + 1))
    assert list(findings()) == []


@pytest.fixture
def other_ways(transactional_db):
    """A table of numbers that nothing guards, and a sequence."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE naive_numbers (number integer)")
        cursor.execute("CREATE SEQUENCE naive_sequence")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE naive_numbers")
        cursor.execute("DROP SEQUENCE naive_sequence")


def taken() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM naive_numbers ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def test_the_pair_a_sequence_leaves_gaps_when_transactions_abort(other_ways):
    def issue(number: int) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO naive_numbers VALUES (nextval('naive_sequence'))")
            if number % ABORT_EVERY == 0:
                raise Aborted

    at_once([lambda n=n: issue(n) for n in range(AT_ONCE)])
    found = taken()
    assert len(found) == AT_ONCE - len(range(0, AT_ONCE, ABORT_EVERY))
    assert found != list(range(1, len(found) + 1))


def test_the_pair_the_largest_plus_one_collides(other_ways):
    both_have_read = threading.Barrier(2)

    def issue() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(number), 0) + 1 FROM naive_numbers")
            (number,) = cursor.fetchone()
            both_have_read.wait(30)
            cursor.execute("INSERT INTO naive_numbers VALUES (%s)", [number])

    assert at_once([issue, issue]) == [None, None]
    assert taken() == [1, 1]


@pytest.mark.django_db(transaction=True)
def test_a_number_that_was_taken_back_is_given_to_the_next(now):
    with transaction.atomic():
        assert take_number(series=Series.INVOICE, year=2026) == (1, "INV-2026-000001")
        transaction.set_rollback(True)
    with transaction.atomic():
        assert take_number(series=Series.INVOICE, year=2026) == (1, "INV-2026-000001")
    with transaction.atomic():
        assert take_number(series=Series.INVOICE, year=2026) == (2, "INV-2026-000002")


@pytest.mark.django_db(transaction=True)
def test_a_number_is_not_taken_outside_a_transaction():
    with pytest.raises(RuntimeError):
        take_number(series=Series.INVOICE, year=2026)
    assert not InvoiceCounter.objects.exists()


@pytest.mark.django_db
def test_each_series_and_year_counts_on_its_own(buyer, now):
    assert take_number(series=Series.CREDIT_NOTE, year=2026)[1] == "CN-2026-000001"
    assert take_number(series=Series.CREDIT_NOTE, year=2027)[1] == "CN-2027-000001"
    assert take_number(series=Series.SELF_BILLING, year=2026)[1] == "SB-2026-000001"
    assert take_number(series=Series.CREDIT_NOTE, year=2026)[1] == "CN-2026-000002"


@pytest.mark.django_db
def test_the_year_is_that_of_the_seller_which_is_utc(buyer, now):
    new_year = now.replace(year=now.year + 1, month=1, day=1, hour=0, minute=0, second=0)
    last, first = periods(buyer, now, 2)
    assert (
        issue_subscription_invoice(subscription_payment=last, now=new_year - timedelta(seconds=1)).number
        == f"SUB-{now.year}-000001"
    )
    assert issue_subscription_invoice(subscription_payment=first, now=new_year).number == f"SUB-{now.year + 1}-000001"


# What the database refuses, whoever asks -----------------------------------------------------------------------


@pytest.fixture
def issued(buyer, now, db) -> Invoice:
    (period,) = periods(buyer, now, 1)
    return issue_subscription_invoice(subscription_payment=period, now=now)


def refused(sql: str, *values) -> str:
    """What the database says to a statement. Nothing of it stays."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
    return str(caught.value)


COPY = (
    "INSERT INTO invoices SELECT (jsonb_populate_record(invoices, jsonb_build_object("
    "'id', gen_random_uuid(), 'sequence', %s::int, 'number', %s::text))).* FROM invoices WHERE id = %s"
)


def test_a_number_that_nobody_took_is_refused(issued):
    assert "is not the number that was taken" in refused(COPY, 2, "SUB-X-2", issued.pk)


def test_a_number_that_leaves_a_gap_is_refused(issued):
    for _ in range(2):
        take_number(series=issued.series, year=issued.year)
    assert "does not follow" in refused(COPY, 3, "SUB-X-3", issued.pk)
    assert "is not the number that was taken" in refused(COPY, 2, "SUB-X-2", issued.pk)


def test_a_number_is_refused_the_second_time(issued):
    assert "does not follow" in refused(COPY, 1, "SUB-X-1", issued.pk)


@pytest.mark.parametrize(
    "change",
    [
        "gross = gross + 1, net = net + 1",
        "number = 'SUB-1'",
        "document = '{}'",
        "owner_id = NULL",
        "issued_at = now()",
        "cost_centre = 'other'",
        "sequence = 2",
        "pdf = 'a.pdf', tax_kind = 'none'",
    ],
)
def test_what_was_issued_is_not_changed(issued, change):
    assert "never changes" in refused(f"UPDATE invoices SET {change} WHERE id = %s", issued.pk)


def test_what_was_issued_is_not_deleted(issued):
    assert "never changes" in refused("DELETE FROM invoices WHERE id = %s", issued.pk)


def test_a_number_says_its_series_year_and_place(issued):
    take_number(series=issued.series, year=issued.year)
    for wrong in ("SUB-X-2", f"SUB-{issued.year}-2", f"INV-{issued.year}-000002", f"SUB-{issued.year + 1}-000002"):
        assert "invoices_number_says_its_place" in refused(COPY, 2, wrong, issued.pk)


def test_a_place_of_more_than_six_digits_is_written_out(issued):
    InvoiceCounter.objects.filter(series=issued.series).update(last=1_234_567)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # a million documents would take a while
        cursor.execute(COPY, [1_234_567, number_of(issued.series, issued.year, 1_234_567), issued.pk])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert Invoice.objects.filter(number=f"SUB-{issued.year}-1234567").exists()


def test_the_year_is_that_of_the_day_in_utc(issued):
    year = issued.year + 1
    take_number(series=issued.series, year=year)
    next_year = COPY.replace("'id', gen_random_uuid()", f"'id', gen_random_uuid(), 'year', {year}")
    assert "invoices_year_of_their_day" in refused(next_year, 1, f"SUB-{year}-000001", issued.pk)


def test_where_the_file_lies_is_written_once(issued):
    write = "UPDATE invoices SET pdf = %s, pdf_sha256 = %s WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.execute(write, ["a.pdf", "0" * 64, issued.pk])
    assert "never changes" in refused(write, "b.pdf", "1" * 64, issued.pk)
    assert "never changes" in refused(write, "", "", issued.pk)


def test_an_invoice_must_add_up(issued):
    take_number(series=issued.series, year=issued.year)
    with pytest.raises(IntegrityError, match="invoices_add_up"), transaction.atomic():
        Invoice.objects.create(
            series=issued.series, year=issued.year, sequence=2, number="x", owner=issued.owner, currency="EUR",
            net=1, tax=1, gross=3, tax_kind="none", tax_rate=0, document={},
        )  # fmt: skip


def test_the_check_finds_a_gap(issued):
    """With the triggers off, as somebody with the database's own password could."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE invoices SET sequence = 3, number = left(number, -1) || 3, gross = gross + 1, net = net + 1 "
            "WHERE id = %s",
            [issued.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    said = "\n".join(findings())
    assert "the counter stands at 1, the last number is 3" in said
    assert "after 0 comes 3" in said
    assert "its gross is 119.00 in the document and 120.00 beside it" in said
    assert "119.00 paid and 0.00 given back, 120.00 invoiced" in said
