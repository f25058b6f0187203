"""VAT by rule: who pays it, and what part of an amount it is. The table is the one in ``accounts/tax.py``."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import BillingDetails, BillingKind
from accounts.tax import (
    TaxKind,
    Treatment,
    split_of,
    supplier_treatment_of,
    supplier_treatment_of_details,
    treatment_of,
    treatment_of_details,
)
from common.money import Currency, from_minor, minor_unit, to_minor
from tests.people import make_billing_details

RATE = Decimal("0.19")
STANDARD = Treatment(TaxKind.STANDARD, RATE, RATE)
REVERSE_CHARGE = Treatment(TaxKind.REVERSE_CHARGE, Decimal(0), RATE)
OUTSIDE_EU = Treatment(TaxKind.OUTSIDE_EU, Decimal(0), RATE)
NONE = Treatment(TaxKind.NONE, Decimal(0), RATE)

PERSON, BUSINESS = BillingKind.INDIVIDUAL, BillingKind.BUSINESS


@pytest.fixture(autouse=True)
def _german_seller(settings):
    settings.MARKETPLACE_SELLER_COUNTRY = "DE"
    settings.MARKETPLACE_VAT_RATE = RATE


def details(kind: str, country: str, vat_id: str = "") -> BillingDetails:
    return BillingDetails(kind=kind, country=country, vat_id=vat_id)


# kind, country, VAT id, what a buyer pays, what a supplier is paid
RULE = [
    (PERSON, "DE", "", STANDARD, NONE),
    (PERSON, "AT", "", STANDARD, NONE),
    (PERSON, "US", "", STANDARD, NONE),
    (BUSINESS, "DE", "", STANDARD, NONE),
    (BUSINESS, "DE", "DE136695976", STANDARD, STANDARD),
    (BUSINESS, "AT", "", STANDARD, NONE),
    (BUSINESS, "AT", "ATU13585627", REVERSE_CHARGE, REVERSE_CHARGE),
    (BUSINESS, "AT", "ATU13585628", STANDARD, NONE),  # a digit is wrong
    (BUSINESS, "AT", "DE136695976", STANDARD, NONE),  # another country's
    (BUSINESS, "FR", "FR40303265045", REVERSE_CHARGE, REVERSE_CHARGE),
    (BUSINESS, "MC", "FR40303265045", REVERSE_CHARGE, REVERSE_CHARGE),  # Monaco counts as France
    (BUSINESS, "GR", "EL094259216", REVERSE_CHARGE, REVERSE_CHARGE),
    (BUSINESS, "CH", "", OUTSIDE_EU, OUTSIDE_EU),
    (BUSINESS, "US", "", OUTSIDE_EU, OUTSIDE_EU),
    (BUSINESS, "JP", "", OUTSIDE_EU, OUTSIDE_EU),
    (BUSINESS, "GB", "GB980780684", OUTSIDE_EU, OUTSIDE_EU),
    (BUSINESS, "GB", "XI980780684", OUTSIDE_EU, OUTSIDE_EU),  # in the EU for goods alone
    (BUSINESS, "GB", "", OUTSIDE_EU, OUTSIDE_EU),
    (BUSINESS, "RE", "", OUTSIDE_EU, OUTSIDE_EU),  # Réunion: French, and outside the VAT area
    (BUSINESS, "AX", "", OUTSIDE_EU, OUTSIDE_EU),  # Åland: Finnish, likewise
]


@pytest.mark.parametrize(("kind", "country", "vat_id", "buyer", "supplier"), RULE)
def test_the_rule(kind, country, vat_id, buyer, supplier):
    assert treatment_of_details(details(kind, country, vat_id)) == buyer
    assert supplier_treatment_of_details(details(kind, country, vat_id)) == supplier


@pytest.mark.parametrize(("kind", "country", "vat_id"), [row[:3] for row in RULE])
def test_nobody_pays_vat_to_a_seller_who_is_not_registered_for_it(settings, kind, country, vat_id):
    settings.MARKETPLACE_VAT_RATE = Decimal(0)
    unregistered = Treatment(TaxKind.NONE, Decimal(0), Decimal(0))
    assert treatment_of_details(details(kind, country, vat_id)) == unregistered
    assert supplier_treatment_of_details(details(kind, country, vat_id)) == unregistered
    assert unregistered.payable(Decimal("119.00"), "EUR") == Decimal("119.00")


def test_the_rule_follows_the_sellers_country_and_rate(settings):
    settings.MARKETPLACE_SELLER_COUNTRY, settings.MARKETPLACE_VAT_RATE = "AT", Decimal("0.20")
    austrian = Treatment(TaxKind.STANDARD, Decimal("0.20"), Decimal("0.20"))
    assert treatment_of_details(None) == austrian
    assert treatment_of_details(details(BUSINESS, "AT", "ATU13585627")) == austrian
    assert treatment_of_details(details(BUSINESS, "DE", "DE136695976")).kind == TaxKind.REVERSE_CHARGE
    assert austrian.sentence == "Includes 20\N{NO-BREAK SPACE}% VAT (Austria)."


def test_who_has_not_said_whom_to_bill_is_a_private_person(buyer, provider):
    assert treatment_of(AnonymousUser()) == STANDARD
    assert treatment_of(buyer) == STANDARD
    assert supplier_treatment_of(provider) == NONE


def test_a_persons_own_details_decide(buyer, provider):
    make_billing_details(buyer, vat_id="ATU13585627", country="AT")
    make_billing_details(provider, vat_id="DE136695976")
    assert treatment_of(buyer) == REVERSE_CHARGE
    assert supplier_treatment_of(provider) == STANDARD


@pytest.mark.parametrize("treatment", [STANDARD, REVERSE_CHARGE, OUTSIDE_EU, NONE], ids=lambda one: one.kind)
def test_every_treatment_is_said_in_a_sentence(treatment):
    assert treatment.sentence.endswith(".")
    assert treatment.supplier_sentence.endswith(".")


def test_what_a_price_comes_to_and_what_vat_is_in_it():
    assert STANDARD.payable(Decimal("119.00"), "EUR") == Decimal("119.00")
    assert REVERSE_CHARGE.payable(Decimal("119.00"), "EUR") == Decimal("100.00")
    assert OUTSIDE_EU.payable(Decimal("119"), "JPY") == Decimal("100")
    assert STANDARD.split(Decimal("119.00"), "EUR") == (Decimal("100.00"), Decimal("19.00"))
    assert STANDARD.split(Decimal("-119.00"), "EUR") == (Decimal("-100.00"), Decimal("-19.00"))
    assert REVERSE_CHARGE.split(Decimal("100.00"), "EUR") == (Decimal("100.00"), Decimal("0.00"))
    assert STANDARD.split(Decimal("1000"), "JPY") == (Decimal("840"), Decimal("160"))


def test_an_amount_finer_than_its_currency_is_not_split():
    with pytest.raises(ValueError, match="finer"):
        split_of(TaxKind.STANDARD, RATE, Decimal("10.005"), "EUR")
    with pytest.raises(ValueError, match="finer"):
        split_of(TaxKind.STANDARD, RATE, Decimal("10.5"), "JPY")


# For any amount -----------------------------------------------------------------------------------------

currencies = st.sampled_from(Currency.values)
units = st.integers(-99_999_999, 99_999_999)
rates = st.decimals("0.01", "0.30", places=3)


@st.composite
def treatments(draw):
    rate = draw(rates)
    kind = draw(st.sampled_from(TaxKind.values))
    return Treatment(kind, rate if kind == TaxKind.STANDARD else Decimal(0), rate)


def is_whole(amount: Decimal, currency: str) -> bool:
    return amount == amount.quantize(minor_unit(currency)) and amount.as_tuple().exponent == (
        minor_unit(currency).as_tuple().exponent
    )


@given(treatments(), units, currencies)
def test_net_and_vat_are_together_what_was_paid(treatment, minor, currency):
    gross = from_minor(minor, currency)
    net, tax = treatment.split(gross, currency)
    assert net + tax == gross
    assert is_whole(net, currency)
    assert is_whole(tax, currency)
    assert net * gross >= 0
    assert tax * gross >= 0
    if treatment.kind != TaxKind.STANDARD:
        assert tax == 0
    else:
        assert abs(net * treatment.rate - tax) <= minor_unit(currency)


@given(treatments(), st.decimals(0, 999_999, places=4), currencies)
def test_nobody_pays_more_than_the_listed_price(treatment, listed, currency):
    payable = treatment.payable(listed, currency)
    assert is_whole(payable, currency)
    assert 0 <= payable <= STANDARD.payable(listed, currency)


@given(treatments(), st.decimals(0, 999_999, places=4), st.decimals(0, 999_999, places=4), currencies)
def test_a_higher_price_never_costs_less(treatment, one, other, currency):
    low, high = sorted([one, other])
    assert treatment.payable(low, currency) <= treatment.payable(high, currency)


@given(treatments(), st.integers(0, 99_999_999), currencies)
def test_without_vat_a_buyer_pays_what_the_seller_keeps_of_a_price_with_it(treatment, minor, currency):
    listed = from_minor(minor, currency)
    net = split_of(TaxKind.STANDARD, treatment.listed_rate, listed, currency)[0]
    if treatment.kind == TaxKind.STANDARD:
        assert treatment.payable(listed, currency) == listed
    else:
        assert treatment.payable(listed, currency) == net
    assert to_minor(net, currency) >= 0
