from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_mail_to_an_address"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="sshkey",
            options={"ordering": ["created_at"], "verbose_name": "SSH key"},
        ),
    ]
