"""Machines that are on offer already have been since their listing was changed last: nobody wrote down more."""

from django.db import migrations, models
from django.db.models import F, Min, Q


def open_periods(apps, schema_editor):
    Listing = apps.get_model("machines", "Listing")
    ListedPeriod = apps.get_model("machines", "ListedPeriod")
    opened = ListedPeriod.objects.filter(ended_at=None).values("machine")
    on_offer = Listing.objects.filter(status="active").exclude(machine__in=opened).order_by().values_list("machine")
    ListedPeriod.objects.bulk_create(
        ListedPeriod(machine_id=machine, began_at=since)
        for machine, since in on_offer.annotate(since=Min("updated_at"))
    )


class Migration(migrations.Migration):
    dependencies = [("machines", "0007_rejected_at_once")]

    operations = [
        migrations.AddConstraint(
            "listedperiod",
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("began_at")), name="listed_periods_in_order"
            ),
        ),
        migrations.RunPython(open_periods, migrations.RunPython.noop),
    ]
