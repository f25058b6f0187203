"""VAT: what is due when the platform sells to somebody, and when somebody sells to the platform.

The rule (rules.md, Money; Directive 2006/112/EC). Listed prices hold VAT at the seller's rate. Renting a server is an
electronic service, supplied where its buyer is, with one exception that is taken: the seller stays below the threshold
of Art. 59c, so that private people everywhere pay the rate of the seller's country.

===============================================  ================  =========================================
Buyer                                            VAT               Why
===============================================  ================  =========================================
a private person, anywhere                       the seller's      Art. 45, 59c; the one-stop shop is not used
a business in the seller's country               the seller's      Art. 44
a business elsewhere in the EU, valid VAT id     reverse charge    Art. 44, 196
a business elsewhere in the EU, no valid VAT id  the seller's      it is taken for a private person (Art. 18 of 282/2011)
a business outside the EU                        outside scope     Art. 44
anybody, when the seller's rate is zero          none              the seller is not registered for VAT
===============================================  ================  =========================================

Not treated: small businesses that are exempt at home (Art. 282 and on), and the places that ``accounts.vat_ids`` names.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries import countries

from accounts.models import BillingDetails, Organization, User
from accounts.vat_ids import in_eu
from common.formats import percent
from common.money import rounded, to_minor

ZERO = Decimal(0)


class TaxKind(models.TextChoices):
    """Why an amount holds VAT, or holds none. Kept with bookings and on invoices."""

    STANDARD = "standard", _("VAT")
    REVERSE_CHARGE = "reverse_charge", gettext_lazy("Reverse charge")
    OUTSIDE_EU = "outside_eu", gettext_lazy("Outside the EU")
    NONE = "none", gettext_lazy("No VAT")


@dataclass(frozen=True)
class Treatment:
    """What VAT is due from one buyer, or to one supplier.

    Attributes:
        kind: a :class:`TaxKind`.
        rate: the share that is charged, ``Decimal("0.19")``; zero where none is.
        listed_rate: the share that listed prices hold.
    """

    kind: str
    rate: Decimal
    listed_rate: Decimal

    def payable(self, listed: Decimal, currency: str) -> Decimal:
        """What a listed price, VAT and all, comes to: the same, or the net price where no VAT is due. Rounded once."""
        if self.rate == self.listed_rate:
            return rounded(listed, currency)
        return rounded(listed * (1 + self.rate) / (1 + self.listed_rate), currency)

    def split(self, gross: Decimal, currency: str) -> tuple[Decimal, Decimal]:
        """See :func:`split_of`."""
        return split_of(self.kind, self.rate, gross, currency)

    @property
    def off(self) -> str:
        """Why less than the listed price is paid, as the line of a receipt."""
        return {
            TaxKind.REVERSE_CHARGE: _("No VAT: reverse charge"),
            TaxKind.OUTSIDE_EU: _("No VAT: outside the EU"),
        }.get(TaxKind(self.kind), _("No VAT"))

    @property
    def sentence(self) -> str:
        """For whoever buys: what it means for the price they see."""
        return {
            TaxKind.STANDARD: _("Includes %(rate)s VAT (%(country)s).") % self._words(),
            TaxKind.REVERSE_CHARGE: _("Reverse charge: you pay without VAT, and account for it at home."),
            TaxKind.OUTSIDE_EU: _("Without VAT: businesses outside the EU are not charged it."),
            TaxKind.NONE: _("No VAT is charged."),
        }[TaxKind(self.kind)]

    @property
    def supplier_sentence(self) -> str:
        """For whoever sells to the platform: what it means for what they are paid."""
        return {
            TaxKind.STANDARD: _(
                "%(rate)s VAT (%(country)s) is added to your earnings, for you to pay to the tax office."
            )
            % self._words(),
            TaxKind.REVERSE_CHARGE: _("Reverse charge: your earnings are paid without VAT, and we account for it."),
            TaxKind.OUTSIDE_EU: _("Your earnings are paid without VAT: you are outside the EU."),
            TaxKind.NONE: _("Your earnings are paid without VAT."),
        }[TaxKind(self.kind)]

    def _words(self) -> dict[str, str]:
        return {"rate": percent(self.rate), "country": str(countries.name(settings.MARKETPLACE_SELLER_COUNTRY))}


def details_of(owner: User | AnonymousUser | Organization) -> BillingDetails | None:
    """Whom invoices to this person or organization name, or ``None`` while they have not said."""
    return getattr(owner, "billing_details", None)


def treatment_of(buyer: User | AnonymousUser | Organization) -> Treatment:
    """Of a buyer. Without :class:`BillingDetails`, and before signing in, somebody is a private person."""
    return treatment_of_details(details_of(buyer))


def treatment_of_details(details: BillingDetails | None) -> Treatment:
    """Of a buyer with these details, which need not be stored yet."""
    if not _registered():
        return _without(TaxKind.NONE)
    if details is None or not details.is_business or _is_domestic(details):
        return _standard()
    if not in_eu(details.country.code):
        return _without(TaxKind.OUTSIDE_EU)
    return _without(TaxKind.REVERSE_CHARGE) if details.has_valid_vat_id else _standard()


def supplier_treatment_of(user: User) -> Treatment:
    """Of a provider, who sells to the platform and is sent the invoice by it (Art. 224).

    Without a VAT id nobody may show VAT on an invoice, so nothing is added to what they earn.
    """
    return supplier_treatment_of_details(details_of(user))


def supplier_treatment_of_details(details: BillingDetails | None) -> Treatment:
    """Of a provider with these details, which need not be stored yet."""
    if not _registered() or details is None or not details.is_business:
        return _without(TaxKind.NONE)
    if not in_eu(details.country.code):
        return _without(TaxKind.OUTSIDE_EU)
    if not details.has_valid_vat_id:
        return _without(TaxKind.NONE)
    return _standard() if _is_domestic(details) else _without(TaxKind.REVERSE_CHARGE)


def split_of(kind: str, rate: Decimal, gross: Decimal, currency: str) -> tuple[Decimal, Decimal]:
    """The net and the VAT in an amount that was paid; together they are that amount. Of refunds both are negative.

    Args:
        gross: in whole minor units of ``currency``.

    Raises:
        ValueError: ``gross`` is finer than the currency's minor unit.
    """
    to_minor(gross, currency)
    net = rounded(gross / (1 + rate), currency) if kind == TaxKind.STANDARD else rounded(gross, currency)
    return net, rounded(gross - net, currency)


def _registered() -> bool:
    return bool(settings.MARKETPLACE_VAT_RATE)


def _is_domestic(details: BillingDetails) -> bool:
    return bool(details.country.code == settings.MARKETPLACE_SELLER_COUNTRY)


def _standard() -> Treatment:
    rate = settings.MARKETPLACE_VAT_RATE
    return Treatment(TaxKind.STANDARD, rate, rate)


def _without(kind: TaxKind) -> Treatment:
    return Treatment(kind, ZERO, settings.MARKETPLACE_VAT_RATE)
