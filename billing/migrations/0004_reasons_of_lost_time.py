"""Time that a buyer lost, and machines that were not as booked, are reasons to give money back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_refund_retries")]

    operations = [
        migrations.AlterField(
            "refund",
            "reason",
            models.CharField(
                choices=[
                    ("canceled_by_buyer", "Canceled by the buyer"),
                    ("canceled_by_provider", "Canceled by the provider"),
                    ("not_delivered", "The machine could not be handed over"),
                    ("paid_too_late", "Paid after the hold had lapsed"),
                    ("paid_twice", "Paid twice"),
                    ("time_lost", "Time lost: late or down"),
                    ("not_as_booked", "The machine was not as booked"),
                ],
                max_length=30,
            ),
        ),
    ]
