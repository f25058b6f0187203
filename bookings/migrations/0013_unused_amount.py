from decimal import Decimal

from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [("bookings", "0012_charges_of_earlier_bookings")]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="booking",
                    name="unused_amount",
                    field=models.DecimalField(
                        decimal_places=2,
                        default=Decimal(0),
                        help_text="What was given back for the time that was left.",
                        max_digits=12,
                    ),
                ),
                migrations.AlterField(
                    model_name="booking",
                    name="paid_minutes",
                    field=models.PositiveIntegerField(
                        blank=True,
                        help_text="The minutes that the price is for, where those between its ends are not.",
                        null=True,
                    ),
                ),
            ]
        ),
    ]
