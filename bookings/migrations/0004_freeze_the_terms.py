"""A booking keeps what its cancellation terms meant, not only their name."""

from django.conf import settings
from django.db import migrations, models


def freeze(apps, schema_editor):
    Booking = apps.get_model("bookings", "Booking")
    for name, steps in settings.MARKETPLACE_CANCELLATION.items():
        frozen = [[at_least.total_seconds(), str(share)] for at_least, share in steps]
        Booking.objects.filter(cancellation_terms=name).update(refund_steps=frozen)


class Migration(migrations.Migration):
    dependencies = [("bookings", "0003_delay_told_at")]

    operations = [
        migrations.AddField(
            "booking",
            "refund_steps",
            models.JSONField(
                default=list, help_text="What the terms meant then: seconds before the start, share of the price."
            ),
            preserve_default=False,
        ),
        migrations.RunPython(freeze, migrations.RunPython.noop),
    ]
