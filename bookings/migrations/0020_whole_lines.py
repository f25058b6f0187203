"""Checks of where to log in hold to the very end of the text. Nothing changes in the database."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("bookings", "0019_history")]

    operations = [
        migrations.AlterField(
            model_name="access",
            name="host",
            field=models.CharField(
                max_length=253,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Za-z0-9.:\\-]+\\Z", "A host name or an IP address, nothing else."
                    )
                ],
            ),
        ),
        migrations.AlterField(
            model_name="access",
            name="host_key_fingerprint",
            field=models.CharField(
                max_length=80,
                validators=[
                    django.core.validators.RegexValidator(
                        "^SHA256:[A-Za-z0-9+/]{43}\\Z", "As ssh-keygen -l prints it: SHA256: and 43 signs."
                    )
                ],
            ),
        ),
        migrations.AlterField(
            model_name="access",
            name="username",
            field=models.CharField(
                max_length=32,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[a-z_][a-z0-9_-]*\\Z", "Small letters, digits, “-” and “_”."
                    )
                ],
                verbose_name="account",
            ),
        ),
    ]
