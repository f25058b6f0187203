"""VAT identification numbers: how one is written, whose country it is of, and whether a digit of it is wrong.

The number itself tells all of this. Whether the tax office has it on its list (VIES) is not asked.
"""

from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django_countries import countries
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import InvalidChecksum, InvalidLength, ValidationError
from stdnum.gb import vat as gb_vat
from stdnum.util import clean

#: The countries in the EU's VAT area, and how their ids begin: Greece writes EL, and Monaco counts as France
#: (Art. 7 of Directive 2006/112/EC). Places with a code of their own that lie outside the area, such as Åland,
#: Réunion or the Faroe Islands, are not here. Those without one, such as the Canary Islands, Ceuta, Livigno or
#: Büsingen, are taken for the country that they belong to: their people pay VAT as in the rest of it.
PREFIXES = {
    **{code.upper(): code.upper() for code in eu_vat.MEMBER_STATES if code not in ("gr", "xi")},
    "GR": "EL",
    "MC": "FR",
}

#: Ids of Northern Ireland begin with XI and are the EU's for goods alone. Servers are services, so they are as
#: British as those that begin with GB.
BRITISH = ("GB", "XI")


class WrongVatId(ValueError):
    """With a ``message`` for people."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def in_eu(country: str) -> bool:
    """Whether services to this country (ISO 3166) are services inside the EU, as VAT sees it."""
    return country in PREFIXES


def normal(text: str, country: str) -> str:
    """A VAT id as it is kept, ``de 136 695 976`` → ``DE136695976``; empty where there is none.

    Ids of countries outside the EU and the United Kingdom are kept as they are typed, in capitals.

    Raises:
        WrongVatId: it is not an id of this country, or a digit is wrong.
    """
    number = clean(text, " -./,").upper().strip()
    if not number:
        return ""
    if in_eu(country):
        return _european(number, country)
    return _british(number) if country == "GB" else " ".join(text.upper().split())


def is_valid(vat_id: str, country: str) -> bool:
    """Whether it is an id of this country of the EU or of the United Kingdom, and no digit is wrong."""
    if not vat_id or not (in_eu(country) or country == "GB"):
        return False
    try:
        return normal(vat_id, country) == vat_id
    except WrongVatId:
        return False


def _european(number: str, country: str) -> str:
    prefix = PREFIXES[country]
    if country == "GR" and number.startswith("GR"):
        number = prefix + number[2:]
    if not number.startswith(prefix):
        raise WrongVatId(
            _("A VAT id of %(named)s begins with %(prefix)s.") % {"named": named(country), "prefix": prefix}
        )
    try:
        return str(eu_vat.validate(number))
    except ValidationError as error:
        raise _wrong(error, country) from error


def _british(number: str) -> str:
    if not number.startswith(BRITISH):
        raise WrongVatId(_("A VAT id of the United Kingdom begins with GB, or with XI in Northern Ireland."))
    try:
        return number[:2] + str(gb_vat.validate(number[2:]))
    except ValidationError as error:
        raise _wrong(error, "GB") from error


def _wrong(error: ValidationError, country: str) -> WrongVatId:
    reasons = {
        InvalidChecksum: _("a digit is wrong"),
        InvalidLength: _("it has too few or too many characters"),
    }
    reason = next(
        (words for kind, words in reasons.items() if isinstance(error, kind)), _("it is not written like one")
    )
    return WrongVatId(
        _("This is not a valid VAT id of %(named)s: %(reason)s.") % {"named": named(country), "reason": reason}
    )


def named(country: str) -> str:
    """A country in the middle of a sentence."""
    with_article = {
        "GB": pgettext("in a sentence", "the United Kingdom"),
        "NL": pgettext("in a sentence", "the Netherlands"),
    }
    return with_article.get(country) or str(countries.name(country))
