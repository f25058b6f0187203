"""What was booked before there were charges has one: the whole price."""

from django.db import migrations

FILL = """
INSERT INTO charges (id, number, kind, status, covers_from, covers_until, amount, currency, quote_lines, created_at,
                     due_at, paid_at, dropped_at, dropped_because, booking_id)
SELECT gen_random_uuid(), 1, 'booking',
       CASE WHEN paid_at IS NOT NULL THEN 'paid' WHEN booking_status = 'canceled' THEN 'dropped' ELSE 'open' END,
       start_timestamp, GREATEST(COALESCE(booked_end, end_timestamp), start_timestamp + interval '1 minute'),
       price_total, currency, quote_lines, created_at, created_at, paid_at,
       CASE WHEN paid_at IS NULL AND booking_status = 'canceled' THEN canceled_at END, '', booking_id
FROM bookings
"""


class Migration(migrations.Migration):
    dependencies = [("bookings", "0011_charges")]

    operations = [migrations.RunSQL(FILL, "DELETE FROM charges")]
