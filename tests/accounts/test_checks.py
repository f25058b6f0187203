"""What ``manage.py check`` says about the seller in the settings."""

from decimal import Decimal

import pytest

from accounts.checks import DEMONSTRATION, check_demonstration, check_seller

IRISH = {
    "MARKETPLACE_SELLER_NAME": "Example Servers Ltd",
    "MARKETPLACE_SELLER_STREET": "1 Harbour Street",
    "MARKETPLACE_SELLER_COUNTRY": "IE",
    "MARKETPLACE_SELLER_VAT_ID": "IE6433435F",
    "MARKETPLACE_SELLER_EMAIL": "invoices@example.org",
    "MARKETPLACE_VAT_RATE": Decimal("0.23"),
    "MARKETPLACE_SELLER_IBAN": "IE29AIBK93115212345678",
    "MARKETPLACE_SELLER_BIC": "AIBKIE2D",
}


def said(settings, **changes) -> list[str]:
    for name, value in (IRISH | changes).items():
        setattr(settings, name, value)
    return [message.id for message in (*check_seller(None), *check_demonstration(None))]


def test_a_seller_of_ones_own_passes(settings):
    assert said(settings) == []


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"MARKETPLACE_SELLER_COUNTRY": "US"}, ["accounts.E001"]),
        ({"MARKETPLACE_SELLER_COUNTRY": ""}, ["accounts.E001"]),
        ({"MARKETPLACE_SELLER_COUNTRY": "US", "MARKETPLACE_VAT_RATE": Decimal(0)}, []),
        ({"MARKETPLACE_SELLER_VAT_ID": ""}, ["accounts.E002"]),
        ({"MARKETPLACE_SELLER_VAT_ID": "IE6433435G"}, ["accounts.E002"]),
        ({"MARKETPLACE_SELLER_VAT_ID": "", "MARKETPLACE_VAT_RATE": Decimal(0)}, []),
        ({"MARKETPLACE_SELLER_IBAN": "IE29AIBK93115212345679"}, ["accounts.E003"]),
        ({"MARKETPLACE_SELLER_BIC": "AIB"}, ["accounts.E003"]),
        ({"MARKETPLACE_VAT_RATE": Decimal(23)}, ["accounts.E004"]),
        ({"MARKETPLACE_VAT_RATE": Decimal("-0.1")}, ["accounts.E004"]),
    ],
)
def test_a_seller_that_the_rules_cannot_work_with_is_refused(settings, changes, messages):
    assert said(settings, **changes) == messages


@pytest.mark.parametrize("name", DEMONSTRATION)
def test_a_deployment_is_warned_of_whatever_is_still_the_demonstrations(settings, name):
    for other, value in IRISH.items():
        setattr(settings, other, value)
    setattr(settings, name, DEMONSTRATION[name])
    (message,) = check_demonstration(None)
    assert message.id == "accounts.W001"
    assert name in message.msg


def test_the_demonstration_is_what_the_settings_begin_with(settings):
    assert {name: getattr(settings, name) for name in DEMONSTRATION} == DEMONSTRATION
    assert list(check_seller(None)) == []
