from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0009_frozen_shares"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="subscription",
                    name="wanted_at",
                    field=models.DateTimeField(blank=True, null=True),
                ),
                migrations.AddField(
                    model_name="subscription",
                    name="attempt",
                    field=models.UUIDField(
                        blank=True,
                        help_text="Names what is being asked of the processor, until it is known to have answered.",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="subscription",
                    name="needs_authentication",
                    field=models.BooleanField(default=False, help_text="The bank wants to see the person."),
                ),
                migrations.AddField(
                    model_name="subscription",
                    name="failure",
                    field=models.CharField(
                        blank=True, help_text="Why the last payment did not succeed.", max_length=300
                    ),
                ),
            ]
        ),
    ]
