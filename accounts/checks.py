"""What ``manage.py check`` says about the seller in the settings."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from stdnum import bic, iban

from accounts import vat_ids

#: What a demonstration says about itself and a deployment must not, whatever its default is.
DEMONSTRATION = {
    "MARKETPLACE_SELLER_NAME": "Remote Servers Marketplace (demonstration)",
    "MARKETPLACE_SELLER_STREET": "Musterstraße 1",
    "MARKETPLACE_SELLER_VAT_ID": "DE123456788",
    "MARKETPLACE_SELLER_EMAIL": "invoices@example.com",
    "MARKETPLACE_SELLER_IBAN": "DE89370400440532013000",
}


@register(Tags.compatibility)
def check_seller(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """The seller's country, VAT id, rate and account are such as the rules of money can work with."""
    country, rate = settings.MARKETPLACE_SELLER_COUNTRY, settings.MARKETPLACE_VAT_RATE
    if rate and not vat_ids.in_eu(country):
        yield Error(
            f"MARKETPLACE_SELLER_COUNTRY is {country or 'empty'}, which is not a country of the EU.",
            hint="accounts/tax.py knows the EU's rules. A seller elsewhere sets MARKETPLACE_VAT_RATE to 0.",
            id="accounts.E001",
        )
    elif rate and not vat_ids.is_valid(settings.MARKETPLACE_SELLER_VAT_ID, country):
        yield Error(
            f"MARKETPLACE_SELLER_VAT_ID is not a VAT id of {country}.",
            hint="Whoever shows VAT on invoices shows their VAT id, too. Write it without spaces.",
            id="accounts.E002",
        )
    if not iban.is_valid(settings.MARKETPLACE_SELLER_IBAN) or not bic.is_valid(settings.MARKETPLACE_SELLER_BIC):
        yield Error(
            "MARKETPLACE_SELLER_IBAN or MARKETPLACE_SELLER_BIC is not valid.",
            hint="SEPA payouts are made from this account.",
            id="accounts.E003",
        )
    if not Decimal(0) <= rate < 1:
        yield Error("MARKETPLACE_VAT_RATE is a share, such as 0.19.", id="accounts.E004")


@register(Tags.security, deploy=True)
def check_demonstration(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Nobody is sent an invoice of the demonstration's seller by a deployment."""
    left = [name for name, value in DEMONSTRATION.items() if getattr(settings, name) == value]
    if left:
        yield Warning(
            f"The seller is still the demonstration's: {', '.join(left)}.",
            hint="Invoices would name somebody who does not exist. docs/operations.md, Seller and tax.",
            id="accounts.W001",
        )
