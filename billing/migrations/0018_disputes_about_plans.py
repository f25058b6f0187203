"""What a bank asks, takes and decides about a payment of a plan stands in that payment."""

from decimal import Decimal

from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0017_given_back_of_every_booking"),
    ]

    operations = [
        Together(
            [
                migrations.AddField(
                    model_name="subscriptionpayment",
                    name="charged_back",
                    field=models.DecimalField(
                        decimal_places=2,
                        default=Decimal("0"),
                        help_text="What banks have taken back for good.",
                        max_digits=12,
                    ),
                ),
                migrations.AddField(
                    model_name="subscriptionpayment",
                    name="disputed",
                    field=models.DecimalField(
                        decimal_places=2,
                        default=Decimal("0"),
                        help_text="What banks have taken back and not decided.",
                        max_digits=12,
                    ),
                ),
                migrations.AddField(
                    model_name="subscriptionpayment",
                    name="disputes",
                    field=models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="The processor's Disputes about it, by their ids: what each said last (status, state, amount).",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="subscriptionpayment",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("charged_back__gte", 0), ("disputed__gte", 0)),
                        name="subscription_payments_taken_back",
                    ),
                ),
            ]
        ),
    ]
