"""Whom invoices name."""

import logging

from django.db import transaction

from accounts.models import BillingDetails, User

log = logging.getLogger(__name__)

FIELDS = [
    "kind",
    "name",
    "street",
    "postal_code",
    "city",
    "country",
    "vat_id",
    "invoice_email",
    "purchase_order",
    "cost_centre",
]


@transaction.atomic
def save_billing_details(*, user: User, details: BillingDetails) -> BillingDetails:
    """Keep ``details``, which are clean, as the person's only ones.

    Whoever has not said yet which country they are in has now: their numbers are written as they are there.
    """
    owner = User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two tabs: the later one counts
    row = BillingDetails.objects.filter(user=owner).first() or BillingDetails(user=owner)
    for name in FIELDS:
        setattr(row, name, getattr(details, name))
    if row._state.adding:
        row.save()
    else:
        row.save(update_fields=[*FIELDS, "updated_at"])
    if not owner.country:
        owner.country = row.country
        owner.save(update_fields=["country"])
    log.info("billing details of user %s: %s in %s", owner.pk, row.kind, row.country.code)
    return row
