"""A disputed booking that is not over yet has to end, too: the index follows the question."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bookings", "0004_freeze_the_terms")]

    operations = [
        migrations.RemoveIndex("booking", "bookings_to_end"),
        migrations.AddIndex(
            "booking",
            models.Index(
                fields=["end"],
                condition=models.Q(completed_at=None, wipe_opened_at=None),
                name="bookings_to_end",
            ),
        ),
    ]
