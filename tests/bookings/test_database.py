"""What the database itself refuses, whoever asks: plain SQL, past every service and model."""

import uuid
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from billing.models import Refund
from bookings.models import BookingEvent, DataWipe
from tests.people import HOUR, make_listing, make_machine, record_wipe

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)

# reference/logical-erd.md, word for word.
LOGICAL_MODEL = {
    "users": "customer_id email organization_name is_billing_account signup_date",
    "machines": "hardware_id customer_id gpu_model cpu_model ram_gb disk_type disk_size_gb network_bandwidth os "
    "provider_agent_status health_indicators",
    "listings": "listing_id hardware_id price_hour price_day price_week currency status created_at updated_at",
    "bookings": "booking_id listing_id hardware_id buyer_id start_timestamp end_timestamp created_at booking_status",
    "benchmarks": "benchmark_id hardware_id gpu_throughput_fp16 gpu_throughput_fp32 cpu_score disk_read_mb_s "
    "disk_write_mb_s network_bandwidth_gbps collected_at admin_verification_status",
    "payments": "payment_id booking_id hardware_id payer_id provider_id amount_total currency payment_status timestamp "
    "invoice_number",
    "data_wipes": "wipe_id hardware_id booking_id timestamp wipe_method_executed status wipe_evidence_uri",
}
LOGICAL_KEYS = {
    ("machines", "customer_id", "users", "customer_id"),
    ("listings", "hardware_id", "machines", "hardware_id"),
    ("bookings", "listing_id", "listings", "listing_id"),
    ("bookings", "hardware_id", "machines", "hardware_id"),
    ("bookings", "buyer_id", "users", "customer_id"),
    ("benchmarks", "hardware_id", "machines", "hardware_id"),
    ("payments", "booking_id", "bookings", "booking_id"),
    ("payments", "hardware_id", "machines", "hardware_id"),
    ("payments", "payer_id", "users", "customer_id"),
    ("payments", "provider_id", "users", "customer_id"),
    ("data_wipes", "hardware_id", "machines", "hardware_id"),
    ("data_wipes", "booking_id", "bookings", "booking_id"),
}


def run(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def ask(sql: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


@contextmanager
def refused(constraint: str):
    """The database refuses what is done inside, by this rule."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        yield
    cause = caught.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.diag.constraint_name == constraint, cause


def copy(table: str, key: str, row: uuid.UUID, **changes: object) -> uuid.UUID:
    """Insert a row that is like ``row`` but for its id and the changes."""
    columns = [name for (name,) in ask("SELECT column_name FROM information_schema.columns WHERE table_name=%s", table)]
    new = uuid.uuid4()
    changes = {key: new, **changes}
    wanted = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join("%s" if name in changes else f'"{name}"' for name in columns)
    given = [changes[name] for name in columns if name in changes]
    run(f'INSERT INTO {table} ({wanted}) SELECT {values} FROM {table} WHERE "{key}" = %s', *given, row)
    return new


def copy_booking(booking, **changes: object) -> uuid.UUID:
    return copy("bookings", "booking_id", booking.pk, **changes)


# The logical model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", LOGICAL_MODEL)
def test_tables_and_columns_are_named_as_in_the_logical_model(table):
    rows = ask("SELECT column_name FROM information_schema.columns WHERE table_name = %s", table)
    missing = set(LOGICAL_MODEL[table].split()) - {name for (name,) in rows}
    assert not missing


def test_relationships_are_foreign_keys_of_the_database():
    found = ask(
        """
        SELECT child.relname, child_column.attname, parent.relname, parent_column.attname
        FROM pg_constraint
        JOIN pg_class child ON child.oid = conrelid
        JOIN pg_class parent ON parent.oid = confrelid
        JOIN pg_attribute child_column ON child_column.attrelid = conrelid AND child_column.attnum = conkey[1]
        JOIN pg_attribute parent_column ON parent_column.attrelid = confrelid AND parent_column.attnum = confkey[1]
        WHERE contype = 'f' AND cardinality(conkey) = 1
        """
    )
    assert not LOGICAL_KEYS - set(found)


def test_prices_are_exact_numbers_and_ids_are_uuids():
    kinds = {
        (table, column): kind
        for table, column, kind in ask("SELECT table_name, column_name, data_type FROM information_schema.columns")
    }
    for table, column in [
        ("listings", "price_hour"),
        ("listings", "price_day"),
        ("listings", "price_week"),
        ("bookings", "price_total"),
        ("payments", "amount_total"),
        ("refunds", "amount"),
    ]:
        assert kinds[table, column] == "numeric"
    for table, columns in LOGICAL_MODEL.items():
        assert kinds[table, columns.split()[0]] == "uuid"


# No machine is promised twice -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "length"),
    [(0, 4), (-2, 4), (2, 4), (1, 1), (-2, 10)],
    ids=["same", "into its start", "into its end", "inside", "around"],
)
def test_an_overlap_is_refused(held, shift, length):
    start = held.start + shift * HOUR
    end = start + length * HOUR
    with refused("bookings_one_at_a_time"):
        copy_booking(held, start_timestamp=start, end_timestamp=end, blocked_until=end + 30 * MINUTE)


def test_an_overlap_with_the_turnaround_alone_is_refused(held):
    start = held.blocked_until - MINUTE
    with refused("bookings_one_at_a_time"):
        copy_booking(held, start_timestamp=start, end_timestamp=start + HOUR, blocked_until=start + HOUR)


@pytest.mark.parametrize("status", ["pending", "active", "disputed"])
def test_an_overlap_is_refused_in_every_state_that_holds_the_machine(paid, status):
    with refused("bookings_one_at_a_time"):
        copy_booking(paid, booking_status=status)


def test_an_overlap_by_changing_a_booking_is_refused(held):
    later = held.blocked_until
    other = copy_booking(held, start_timestamp=later, end_timestamp=later + HOUR, blocked_until=later + 2 * HOUR)
    with refused("bookings_one_at_a_time"):
        run("UPDATE bookings SET start_timestamp = start_timestamp - interval '1 min' WHERE booking_id = %s", other)


def test_bringing_back_a_canceled_booking_whose_window_is_taken_is_refused(held, now):
    canceled = copy_booking(held, booking_status="canceled", canceled_at=now)
    with refused("bookings_one_at_a_time"):
        run("UPDATE bookings SET booking_status = 'pending' WHERE booking_id = %s", canceled)


def test_touching_windows_and_other_machines_are_not_in_the_way(held, other_listing):
    copy_booking(
        held,
        start_timestamp=held.blocked_until,
        end_timestamp=held.blocked_until + HOUR,
        blocked_until=held.blocked_until + HOUR,
    )
    copy_booking(held, listing_id=other_listing.pk, hardware_id=other_listing.machine_id)


# Rows that belong together ----------------------------------------------------------------------------


def test_a_booking_of_another_machine_than_its_listings_is_refused(held, other_listing):
    with refused("bookings_machine_is_its_listings"):
        copy_booking(held, hardware_id=other_listing.machine_id)


def test_a_listing_cannot_be_moved_to_another_machine_under_its_bookings(held, other_listing):
    with refused("bookings_machine_is_its_listings"):
        run("UPDATE listings SET hardware_id = %s WHERE listing_id = %s", other_listing.machine_id, held.listing_id)


def test_a_wipe_of_another_machine_than_its_bookings_is_refused(over, other_listing, now):
    record_wipe(over, now=now, methods=["ssh_key_removal"])
    wipe = DataWipe.objects.get()
    with refused("data_wipes_machine_is_its_bookings"):
        copy("data_wipes", "wipe_id", wipe.pk, hardware_id=other_listing.machine_id)


def test_a_payment_for_another_machine_than_its_bookings_is_refused(paid, other_listing):
    with refused("payments_machine_is_its_bookings"):
        run("UPDATE payments SET hardware_id = %s", other_listing.machine_id)


@pytest.mark.parametrize("table", ["bookings", "listings", "machines", "users"])
def test_what_bookings_rest_on_cannot_be_deleted(over, table):
    with pytest.raises(DatabaseError), transaction.atomic():
        run(f"SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM {table}")


# Values that make no sense ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("end_timestamp = start_timestamp", "bookings_end_after_start"),
        ("end_timestamp = start_timestamp - interval '1 hour'", "bookings_end_after_start"),
        ("blocked_until = end_timestamp - interval '1 min'", "bookings_blocked_past_end"),
        ("price_total = -0.01", "bookings_price_not_negative"),
        ("booking_status = 'lost'", "bookings_status_known"),
        ("booking_status = 'active'", "bookings_unpaid_never_start"),
        ("booking_status = 'canceled'", "bookings_canceled_at_set"),
        ("booking_status = 'completed', paid_at = now()", "bookings_completed_at_set"),
    ],
)
def test_a_booking_that_makes_no_sense_is_refused(held, change, rule):
    with refused(rule):
        run(f"UPDATE bookings SET {change}")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("amount_total = -0.01", "payments_amount_not_negative"),
        ("payment_status = 'lost'", "payments_status_known"),
        ("paid_at = NULL", "payments_paid_has_intent"),
        ("stripe_payment_intent = NULL", "payments_paid_has_intent"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(paid, change, rule):
    with refused(rule):
        run(f"UPDATE payments SET {change}")


def test_a_second_open_payment_of_a_charge_is_refused(paid):
    payment = paid.payments.get()
    another = {"payment_status": "incomplete", "stripe_payment_intent": None, "invoice_number": None}
    copy("payments", "payment_id", payment.pk, **another)
    with refused("payments_one_open_a_charge"):
        copy("payments", "payment_id", payment.pk, **another)


def test_one_intent_of_the_processor_is_one_payment(paid):
    with pytest.raises(DatabaseError, match="stripe_payment_intent"), transaction.atomic():
        copy("payments", "payment_id", paid.payments.get().pk)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("amount = 0", "refunds_amount_positive"),
        ("amount = -1", "refunds_amount_positive"),
        ("status = 'lost'", "refunds_status_known"),
        ("status = 'made'", "refunds_made_has_processors_id"),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused(paid, change, rule):
    Refund.objects.create(payment=paid.payments.get(), amount=1, currency="EUR", reason="not_delivered")
    with refused(rule):
        run(f"UPDATE refunds SET {change}")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("price_hour = 0", "listings_price_hour_positive"),
        ("price_day = -1", "listings_price_day_positive"),
        ("price_week = 0", "listings_price_week_positive"),
        ("status = 'lost'", "listings_status_known"),
        ("currency = 'XXX'", "listings_currency_known"),
        ("cancellation_terms = 'none'", "listings_terms_known"),
        ("min_hours = 10, max_hours = 9", "listings_limits_in_order"),
        ("min_hours = 0", "listings_limits_in_order"),
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(listing, change, rule):
    with refused(rule):
        run(f"UPDATE listings SET {change}")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("kind = 'lost'", "machines_kind_known"),
        ("provider_agent_status = 'lost'", "machines_agent_status_known"),
        ("reliability = 1.01", "machines_reliability_is_a_share"),
        ("turnaround = interval '-1 min'", "machines_turnaround_positive"),
        ("gpu_memory_gb = 0", "machines_gpus_have_memory"),
    ],
)
def test_a_machine_that_makes_no_sense_is_refused(machine, change, rule):
    with refused(rule):
        run(f"UPDATE machines SET {change}")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("admin_verification_status = 'lost'", "benchmarks_status_known"),
        ("decided_by_id = NULL", "benchmarks_decided_by_someone"),
        ("cpu_score = -1", "benchmarks_cpu_score_positive"),
    ],
)
def test_a_benchmark_that_makes_no_sense_is_refused(machine, change, rule):
    with refused(rule):
        run(f"UPDATE benchmarks SET {change}")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"status": "lost"}, "data_wipes_status_known"),
        ({"wipe_method_executed": "a_wet_cloth"}, "data_wipes_method_known"),
    ],
)
def test_a_wipe_that_makes_no_sense_is_refused(over, now, change, rule):
    (wipe,) = record_wipe(over, now=now, methods=["ssh_key_removal"])
    with refused(rule):
        copy("data_wipes", "wipe_id", wipe.pk, **change)


# What is written stays --------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["UPDATE booking_events SET what = 'Nothing'", "DELETE FROM booking_events"])
def test_history_is_append_only(held, change):
    with pytest.raises(DatabaseError, match="rows of booking_events are append-only"), transaction.atomic():
        run(change)
    assert BookingEvent.objects.filter(booking=held, what="Asked for").exists()


@pytest.mark.parametrize("change", ["UPDATE data_wipes SET status = 'success'", "DELETE FROM data_wipes"])
def test_records_of_wipes_are_append_only(over, now, change):
    record_wipe(over, now=now, methods=["ssh_key_removal"], status="failed")
    with pytest.raises(DatabaseError, match="rows of data_wipes are append-only"), transaction.atomic():
        run(change)
    assert DataWipe.objects.get().status == "failed"


FORGETTING = "SELECT set_config('marketplace.forgetting', 'on', true)"


def test_words_alone_can_be_rewritten_when_a_person_is_forgotten(held, over, now):
    record_wipe(over, now=now, methods=["ssh_key_removal"])
    with transaction.atomic():
        run(FORGETTING)
        run("UPDATE booking_events SET what = 'Nothing', detail = 'Nothing'")
        run("UPDATE data_wipes SET note = 'Nothing', evidence_name = 'nothing.log'")
        run("SELECT set_config('marketplace.forgetting', 'off', true)")
    assert DataWipe.objects.get().note == "Nothing"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE booking_events SET what = 'Nothing', at = at + interval '1 day'",
        "DELETE FROM booking_events",
        "UPDATE data_wipes SET status = 'failed'",
        "DELETE FROM data_wipes",
    ],
)
def test_nothing_else_can_then(over, now, change):
    record_wipe(over, now=now, methods=["ssh_key_removal"])
    run(FORGETTING)
    with pytest.raises(DatabaseError, match="are append-only"), transaction.atomic():
        run(change)


# People -----------------------------------------------------------------------------------------------


def test_an_address_that_differs_in_case_alone_is_the_same_person(buyer):
    with pytest.raises(DatabaseError, match="email"), transaction.atomic():
        copy("users", "customer_id", buyer.pk, email="BUYER@Example.COM")
    assert User.objects.get(email="Buyer@EXAMPLE.com") == buyer


def test_a_role_that_does_not_exist_is_refused(buyer):
    with refused("users_roles_known"):
        run("UPDATE users SET roles = ARRAY['king']")


def test_two_listings_may_offer_one_machine(machine):
    assert make_listing(machine).machine_id == make_listing(machine).machine_id


def test_a_machine_may_have_any_name_twice(provider):
    assert make_machine(provider, "same").pk != make_machine(provider, "same").pk
