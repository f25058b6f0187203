"""Who sells and who buys: to be frozen into a document."""

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from accounts.models import BillingKind, User
from accounts.tax import details_of
from billing.documents.facts import Party
from common.ids import short


def platform() -> Party:
    """The marketplace: it sells to buyers, and buys from providers."""
    return Party(
        name=settings.MARKETPLACE_SELLER_NAME,
        street=settings.MARKETPLACE_SELLER_STREET,
        postal_code=settings.MARKETPLACE_SELLER_POSTAL_CODE,
        city=settings.MARKETPLACE_SELLER_CITY,
        country=settings.MARKETPLACE_SELLER_COUNTRY,
        vat_id=settings.MARKETPLACE_SELLER_VAT_ID,
        email=settings.MARKETPLACE_SELLER_EMAIL,
    )


def buyer(user: User, billed_to: Mapping[str, str] | None = None) -> Party:
    """By their billing details; who has given none is a private person with a name or, at least, an address of e-mail.

    A private person of whom no country is known is taken to be at home, as their VAT is (``accounts.tax``).

    Args:
        billed_to: the details that the tax was decided by, which is how it stays; empty for those of today.
    """
    details = details_of(user)
    billed_to = billed_to or (details.frozen() if details else {})
    if not billed_to:
        return Party(
            name=user.name or user.organization_name or user.email,
            country=user.country.code or settings.MARKETPLACE_SELLER_COUNTRY,
            email=user.email,
        )
    facts = {name: value for name, value in billed_to.items() if name != "kind"}
    is_business = billed_to["kind"] == BillingKind.BUSINESS
    return Party(**facts, contact=user.name if is_business and user.name != billed_to["name"] else "")


def supplier(user: User) -> Party:
    """A provider, known to the platform by the last digits of their id."""
    return replace(buyer(user), reference=f"P-{short(user.pk)}")
