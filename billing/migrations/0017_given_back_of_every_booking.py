"""What went back of a booking's price is kept for every booking from now on, not for organizations' alone.

Those that are there get what :func:`billing.services.postings.keep_given_back` would write. The way back leaves it.
"""

from django.db import migrations

GIVEN_BACK = """
    WITH earned AS (
        SELECT payments.booking_id, -sum(entries.amount) AS amount
        FROM ledger_entries entries
        JOIN ledger_accounts accounts ON accounts.id = entries.account_id
        JOIN ledger_transactions transactions ON transactions.id = entries.transaction_id
        JOIN payments USING (payment_id)
        WHERE accounts.kind IN ('provider_payable', 'commission', 'tax')
        GROUP BY payments.booking_id
    ), paid AS (
        SELECT booking_id, sum(amount) AS amount FROM charges WHERE status = 'paid' GROUP BY booking_id
    )
    UPDATE bookings SET given_back = paid.amount - earned.amount
    FROM paid JOIN earned USING (booking_id)
    WHERE bookings.booking_id = paid.booking_id AND bookings.organization_id IS NULL
      AND paid.amount > earned.amount AND bookings.given_back <> paid.amount - earned.amount
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0016_invoices_of_organizations"),
        ("bookings", "0020_whole_lines"),
    ]

    operations = [migrations.RunSQL(GIVEN_BACK, migrations.RunSQL.noop)]
