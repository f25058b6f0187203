from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bookings", "0013_unused_amount")]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="billed_to",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="The buyer's billing details as the tax was decided by them; empty where there were none.",
            ),
        ),
    ]
