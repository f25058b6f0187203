"""Invoices for what somebody bought for an organization are the organization's.

The trigger ``invoices_stay`` holds whole rows against each other: it keeps the new column as it was issued, too.
"""

import django.db.models.deletion
from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_organizations"),
        ("billing", "0015_history"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="invoice",
                    name="organization",
                    field=models.ForeignKey(
                        blank=True,
                        help_text="Whom the buyer bought for, and whose it is then; empty: the buyer's own.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="accounts.organization",
                    ),
                ),
                migrations.AddIndex(
                    model_name="invoice",
                    index=models.Index(
                        condition=models.Q(("organization__isnull", False)),
                        fields=["organization", "-issued_at"],
                        name="invoices_of_organization",
                    ),
                ),
            ]
        ),
    ]
