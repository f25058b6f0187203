"""What was paid before there were charges was paid for the one that its booking has."""

from django.db import migrations

FILL = """
UPDATE payments SET charge_id = charges.id FROM charges
WHERE charges.booking_id = payments.booking_id AND charges.number = 1 AND payments.charge_id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0005_ledger_invoices_payouts"),
        ("bookings", "0012_charges_of_earlier_bookings"),
    ]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
