"""What a credit note took back may be invoiced again; and a chargeback that is lost twice has two credit notes."""

import django.db.models.deletion
from django.db import migrations, models

from common.history.migrating import Together


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_postings_of_earlier_payments")]

    operations = [
        Together(
            [
                migrations.AlterField(
                    model_name="invoice",
                    name="chargeback",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="billing.chargeback",
                    ),
                ),
                migrations.RemoveConstraint(model_name="invoice", name="invoices_one_a_payment"),
                migrations.AddConstraint(
                    model_name="invoice",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("corrects", None), ("series", "INV")),
                        fields=("payment",),
                        name="invoices_one_a_payment",
                    ),
                ),
            ]
        ),
    ]
