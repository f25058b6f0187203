"""VAT ids: how they are written, whose they are, and which digits are wrong."""

import pytest

from accounts import vat_ids
from accounts.models import BillingDetails


@pytest.mark.parametrize(
    ("typed", "country", "kept"),
    [
        ("DE136695976", "DE", "DE136695976"),
        (" de 136 695 976 ", "DE", "DE136695976"),
        ("ATU-135.85.627", "AT", "ATU13585627"),
        ("FR 40 303265045", "FR", "FR40303265045"),
        ("FR40303265045", "MC", "FR40303265045"),
        ("EL 094259216", "GR", "EL094259216"),
        ("GR 094259216", "GR", "EL094259216"),
        ("BE0403019261", "BE", "BE0403019261"),
        ("NL004495445B01", "NL", "NL004495445B01"),
        ("IE6433435F", "IE", "IE6433435F"),
        ("gb 980 7806 84", "GB", "GB980780684"),
        ("XI 980780684", "GB", "XI980780684"),
        ("che-107.787.577 mwst", "CH", "CHE-107.787.577 MWST"),
        ("", "DE", ""),
        ("  ", "AT", ""),
    ],
)
def test_an_id_is_kept_in_one_way(typed, country, kept):
    assert vat_ids.normal(typed, country) == kept


@pytest.mark.parametrize(
    ("typed", "country", "words"),
    [
        ("ATU13585628", "AT", "This is not a valid VAT id of Austria: a digit is wrong."),
        ("DE136695978", "DE", "This is not a valid VAT id of Germany: a digit is wrong."),
        ("DE13669597", "DE", "This is not a valid VAT id of Germany: it has too few or too many characters."),
        ("ATX1358562Q", "AT", "This is not a valid VAT id of Austria: it is not written like one."),
        ("DE136695976", "AT", "A VAT id of Austria begins with AT."),
        ("NL004495446B01", "NL", "This is not a valid VAT id of the Netherlands: a digit is wrong."),
        ("136695976", "DE", "A VAT id of Germany begins with DE."),
        ("GR094259216", "DE", "A VAT id of Germany begins with DE."),
        ("XI980780684", "IE", "A VAT id of Ireland begins with IE."),
        ("EU372022452", "DE", "A VAT id of Germany begins with DE."),  # the one-stop shop's
        ("980780684", "GB", "A VAT id of the United Kingdom begins with GB, or with XI in Northern Ireland."),
        ("GB980780685", "GB", "This is not a valid VAT id of the United Kingdom: a digit is wrong."),
    ],
)
def test_what_is_wrong_with_an_id_is_said(typed, country, words):
    with pytest.raises(vat_ids.WrongVatId) as error:
        vat_ids.normal(typed, country)
    assert error.value.message == words
    assert not vat_ids.is_valid(typed, country)


def test_every_country_of_the_eu_has_its_prefix():
    assert len(vat_ids.PREFIXES) == 28  # the 27, and Monaco
    assert vat_ids.PREFIXES["GR"] == "EL"
    assert all(vat_ids.in_eu(code) for code in ("DE", "GR", "HR", "MC"))
    assert not any(vat_ids.in_eu(code) for code in ("GB", "CH", "NO", "US", "XI", "EL", "IM", "RE", "AX", ""))


@pytest.mark.parametrize(("vat_id", "country"), [("", "DE"), ("CHE107787577", "CH"), ("de136695976", "DE")])
def test_what_is_no_id_or_cannot_be_checked_counts_for_nothing(vat_id, country):
    assert not vat_ids.is_valid(vat_id, country)
    assert not BillingDetails(country=country, vat_id=vat_id).has_valid_vat_id
