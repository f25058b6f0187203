"""What heartbeats need: rows with room to be written anew in place, a pulse of the marketplace, times that are found."""

import django.contrib.postgres.indexes
from django.db import migrations, models
from django.db.models import Q

# Every heartbeat writes a new version of these rows. With room beside the old one and no index on what changes, it is
# put there and no index is touched; what an agent said of its hardware is long and stays outside of the row.
ROOM = """
ALTER TABLE agents SET (fillfactor = 60, toast_tuple_target = 1024, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE machines SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
"""
NO_ROOM = """
ALTER TABLE agents RESET (fillfactor, toast_tuple_target, autovacuum_vacuum_scale_factor);
ALTER TABLE machines RESET (fillfactor, autovacuum_vacuum_scale_factor);
"""


class Migration(migrations.Migration):
    dependencies = [("machines", "0008_listed_periods")]

    operations = [
        migrations.RemoveIndex("agent", "agents_online"),
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunSQL(
            "CREATE INDEX health_samples_by_time ON health_samples USING brin (at)",
            "DROP INDEX health_samples_by_time",
        ),
        migrations.AddIndex(
            "healthhour", django.contrib.postgres.indexes.BrinIndex(fields=["hour"], name="health_hours_by_time")
        ),
        migrations.CreateModel(
            name="PlatformPulse",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "platform_pulse",
                "constraints": [models.CheckConstraint(condition=Q(id=1), name="platform_pulse_one_row")],
            },
        ),
        migrations.AddField(
            "outage",
            "told_at",
            models.DateTimeField(
                blank=True,
                help_text="When the provider was told. Empty: not, or maintenance was announced.",
                null=True,
            ),
        ),
    ]
