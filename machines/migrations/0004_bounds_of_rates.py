from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Floor

from common.history.migrating import Together

#: The most in EUR, USD and GBP, and in JPY.
RATES = {
    "price_hour": (Decimal(100_000), Decimal(1_000_000)),
    "price_day": (Decimal(1_000_000), Decimal(10_000_000)),
    "price_week": (Decimal(5_000_000), Decimal(50_000_000)),
}
WORDS = {
    "price_hour": {"verbose_name": "an hour"},
    "price_day": {
        "verbose_name": "a day",
        "help_text": "Empty: days are counted in hours.",
        "null": True,
        "blank": True,
    },
    "price_week": {
        "verbose_name": "a week",
        "help_text": "Empty: weeks are counted in days and hours.",
        "null": True,
        "blank": True,
    },
}


def _field(name, most_yen):
    validators = [MinValueValidator(Decimal("0.01")), MaxValueValidator(most_yen)]
    return models.DecimalField(max_digits=12, decimal_places=2, validators=validators, **WORDS[name])


def _bounds(name, most, most_yen):
    return models.CheckConstraint(
        condition=Q((f"{name}__isnull", True))
        | Q((f"{name}__lte", most))
        | Q(("currency", "JPY"), (f"{name}__lte", most_yen)),
        name=f"listings_{name}_bounded",
    )


def _is_whole(name):
    return Q((f"{name}__isnull", True)) | Q((name, Floor(name)))


class Migration(migrations.Migration):
    dependencies = [
        ("machines", "0003_bounds_of_measured_values"),
    ]

    operations = [
        Together(
            [
                *[
                    migrations.AlterField(model_name="listing", name=name, field=_field(name, most_yen))
                    for name, (_, most_yen) in RATES.items()
                ],
                *[
                    migrations.AddConstraint(model_name="listing", constraint=_bounds(name, *most))
                    for name, most in RATES.items()
                ],
                migrations.AddConstraint(
                    model_name="listing",
                    constraint=models.CheckConstraint(
                        condition=~Q(("currency", "JPY"))
                        | _is_whole("price_hour") & _is_whole("price_day") & _is_whole("price_week"),
                        name="listings_yen_are_whole",
                    ),
                ),
            ]
        )
    ]
