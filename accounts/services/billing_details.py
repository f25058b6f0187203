"""Whom invoices name."""

import logging

from django.db import transaction

from accounts.models import BillingDetails, Organization, User
from accounts.permissions import OrganizationAction, require_in
from accounts.services.organizations import locked_organization

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
    row = _saved(BillingDetails.objects.filter(user=owner).first() or BillingDetails(user=owner), details)
    if not owner.country:
        owner.country = row.country
        owner.save(update_fields=["country"])
    log.info("billing details of user %s: %s in %s", owner.pk, row.kind, row.country.code)
    return row


@transaction.atomic
def save_organization_details(*, organization: Organization, by: User, details: BillingDetails) -> BillingDetails:
    """Keep ``details``, which are clean, as the organization's only ones.

    Raises:
        NotAllowed: ``by`` may not, or not any more.
    """
    owner = locked_organization(organization.pk)
    require_in(by, owner, OrganizationAction.EDIT_BILLING)
    before = BillingDetails.objects.filter(organization=owner).first()
    row = _saved(before or BillingDetails(organization=owner), details)
    log.info("billing details of organization %s: in %s, by user %s", owner.pk, row.country.code, by.pk)
    return row


def _saved(row: BillingDetails, details: BillingDetails) -> BillingDetails:
    for name in FIELDS:
        setattr(row, name, getattr(details, name))
    if row._state.adding:
        row.save()
    else:
        row.save(update_fields=[*FIELDS, "updated_at"])
    return row
