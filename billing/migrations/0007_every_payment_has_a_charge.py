import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_payments_of_earlier_bookings")]

    operations = [
        migrations.AlterField(
            "payment",
            "charge",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="bookings.charge",
                help_text="The part of the booking that it pays for.",
            ),
        ),
    ]
