"""A payment names its booking and its machine: the database refuses one that is not the other's."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("bookings", "0002_rules_of_the_database")]

    operations = [
        migrations.RunSQL(
            """ALTER TABLE payments ADD CONSTRAINT payments_machine_is_its_bookings
               FOREIGN KEY (booking_id, hardware_id) REFERENCES bookings (booking_id, hardware_id)""",
            "ALTER TABLE payments DROP CONSTRAINT payments_machine_is_its_bookings",
        )
    ]
