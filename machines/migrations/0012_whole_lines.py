"""The check of where to log in holds to the very end of the text. Nothing changes in the database."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("machines", "0011_history")]

    operations = [
        migrations.AlterField(
            model_name="machine",
            name="ssh_host",
            field=models.CharField(
                blank=True,
                help_text="Empty: the address that the agent calls from.",
                max_length=253,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9.:\\-]+\\Z", "A host name or an IP address, nothing else."
                    )
                ],
                verbose_name="address buyers log in to",
            ),
        ),
    ]
