"""Where the further nodes of a cluster are logged in to, who left, and what was given back for lost time."""

from decimal import Decimal

from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [("bookings", "0008_maintenance_and_bookings")]

    operations = [
        Together(
            [
                migrations.AddField(
                    "access",
                    "nodes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="The further nodes of a cluster: [{node, host, port, host_key_fingerprint}].",
                    ),
                ),
                migrations.AddField(
                    "booking",
                    "left_at",
                    models.DateTimeField(
                        blank=True, help_text="When its buyer left because the machine was not as booked.", null=True
                    ),
                ),
                migrations.AddField(
                    "booking",
                    "lost_amount",
                    models.DecimalField(
                        decimal_places=2, default=Decimal(0), help_text="What was given back for it.", max_digits=12
                    ),
                ),
            ]
        ),
    ]
