from django.db import migrations, models

import accounts.models.user


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_privacy"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Empty: the browser's; mails are in English.",
                max_length=12,
                validators=[accounts.models.user.check_language],
            ),
            preserve_default=False,
        ),
    ]
