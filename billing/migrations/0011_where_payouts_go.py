import django.contrib.postgres.fields
from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_changes_of_plans_under_way")]

    operations = [
        Together(
            [
                migrations.AlterModelOptions(
                    name="sepafile", options={"ordering": ["-created_at"], "verbose_name": "SEPA file"}
                ),
                migrations.AddField(
                    model_name="payoutaccount",
                    name="currencies",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=3),
                        blank=True,
                        default=list,
                        help_text="Those of the bank accounts that the processor knows.",
                        size=None,
                    ),
                ),
                migrations.AddField(
                    model_name="payouthold",
                    name="released_because",
                    field=models.CharField(blank=True, max_length=300),
                ),
            ]
        ),
    ]
