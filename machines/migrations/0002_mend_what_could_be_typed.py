# Rows that could be typed before there were bounds, so that the constraints of the next two migrations hold.
# A value that is no measurement becomes "not measured". A rate that cannot be paid is cut to one that can, and its
# listing paused, so that nobody books at a price which its provider has not seen. A part of a yen is made a whole
# one. Going back, rows stay mended.

from datetime import UTC, datetime
from decimal import Decimal

from django.db import migrations
from django.db.models import F, Q
from django.db.models.functions import Ceil

FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)
VALUES = (
    "gpu_throughput_fp16",
    "gpu_throughput_fp32",
    "cpu_score",
    "disk_read_mb_s",
    "disk_write_mb_s",
    "network_bandwidth_gbps",
)
MOST_RATES = {"price_hour": Decimal(100_000), "price_day": Decimal(1_000_000), "price_week": Decimal(5_000_000)}


def mend_benchmarks(apps, schema_editor):
    benchmarks = apps.get_model("machines", "Benchmark").objects
    benchmarks.filter(collected_at__lt=FIRST_DAY).update(collected_at=FIRST_DAY)
    for name in VALUES:
        beyond = Q(**{f"{name}__lt": 0.01}) | Q(**{f"{name}__gt": 1e9})
        benchmarks.filter(beyond).update(**{name: None})


def mend_listings(apps, schema_editor):
    listings = apps.get_model("machines", "Listing").objects
    yen = listings.filter(currency="JPY")
    for name, most in MOST_RATES.items():
        for rows, limit in ((listings.exclude(currency="JPY"), most), (yen, 10 * most)):
            beyond = rows.filter(**{f"{name}__gt": limit})
            beyond.filter(status="active").update(status="paused")
            beyond.update(**{name: limit})
        yen.exclude(**{f"{name}__isnull": True}).exclude(**{name: Ceil(F(name))}).update(**{name: Ceil(F(name))})


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(mend_benchmarks, migrations.RunPython.noop),
        migrations.RunPython(mend_listings, migrations.RunPython.noop),
    ]
