"""Who sells and who buys, as they are now: to be frozen into a document."""

from dataclasses import replace

from django.conf import settings

from accounts.models import User
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


def buyer(user: User) -> Party:
    """By their billing details; who has given none is a private person with a name or, at least, an address of e-mail.

    A private person of whom no country is known is taken to be at home, as their VAT is (``accounts.tax``).
    """
    details = details_of(user)
    if details is None:
        return Party(
            name=user.name or user.organization_name or user.email,
            country=user.country.code or settings.MARKETPLACE_SELLER_COUNTRY,
            email=user.email,
        )
    return Party(
        name=details.name,
        street=details.street,
        postal_code=details.postal_code,
        city=details.city,
        country=details.country.code,
        vat_id=details.vat_id,
        email=details.email,
        contact=user.name if details.is_business and user.name != details.name else "",
    )


def supplier(user: User) -> Party:
    """A provider, known to the platform by the last digits of their id."""
    return replace(buyer(user), reference=f"P-{short(user.pk)}")
