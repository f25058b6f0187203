"""What the pages about paying are sent. Card numbers never reach us."""

import re
from typing import Any, Self
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField
from stdnum import bic, iban
from stdnum import exceptions as stdnum_errors

from billing.payouts.sepa import in_letters_of_banks
from bookings.models import Booking

NOT_FINISHED = _("The card form was not finished. It needs JavaScript to send your card to the payment processor.")


def _setup_intent(*, required: bool) -> forms.RegexField:
    """The processor's id of a finished card form."""
    return forms.RegexField(
        r"^seti_[A-Za-z0-9_]+\Z",
        required=required,
        max_length=120,
        widget=forms.HiddenInput,
        error_messages={
            "required": NOT_FINISHED,
            "invalid": _("The card form was not finished. Enter the card again."),
        },
    )


class CardForm(forms.Form):
    """What the card form in the browser leaves behind."""

    setup_intent = _setup_intent(required=True)


class PayForm(forms.Form):
    """A card from the form or one that is kept, and what the invoice is to say."""

    setup_intent = _setup_intent(required=False)
    saved_card = forms.UUIDField(required=False, widget=forms.HiddenInput)
    keep = forms.BooleanField(required=False, label=_("Keep this card for extensions and later bookings"))
    purchase_order = forms.CharField(required=False, max_length=60, label=_("Purchase order number"))
    cost_centre = forms.CharField(required=False, max_length=60, label=_("Cost centre"))

    @classmethod
    def of(cls, booking: Booking) -> Self:
        return cls(initial={"purchase_order": booking.purchase_order, "cost_centre": booking.cost_centre})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("saved_card") and not cleaned.get("setup_intent"):
            raise forms.ValidationError(NOT_FINISHED)
        return cleaned

    def references_other_than(self, booking: Booking) -> dict[str, str]:
        """What the invoice is to say, where that differs from what the booking says already."""
        typed = {name: self.cleaned_data[name] for name in ("purchase_order", "cost_centre") if name in self.data}
        return {name: value for name, value in typed.items() if value != getattr(booking, name)}

    def means(self, *, must_keep: bool) -> dict[str, Any]:
        """As :func:`billing.services.cards.means` takes it."""
        card_id: UUID | None = self.cleaned_data["saved_card"]
        keep = must_keep or self.cleaned_data["keep"]
        return {"setup_intent": self.cleaned_data["setup_intent"], "card_id": card_id, "keep": keep}


class PlanForm(forms.Form):
    """A change of plan, as it was shown: the monthly price, the card, and from when a difference is counted."""

    monthly = forms.DecimalField(required=False, max_digits=8, decimal_places=2)
    card = forms.UUIDField(required=False)
    at = forms.IntegerField(required=False, min_value=0, max_value=2**33)


#: Whose banks take SEPA credit transfers (EPC409-09); territories use the number of the country they belong to.
SEPA_COUNTRIES = frozenset(
    [
        "AD",
        "AL",
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GI",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MC",
        "MD",
        "ME",
        "MK",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "RS",
        "SE",
        "SI",
        "SK",
        "SM",
        "VA",
    ]
)
#: Outside the European Economic Area a transfer needs the bank's BIC, too.
WITH_BIC = frozenset(["AD", "AL", "CH", "GB", "GI", "MC", "MD", "ME", "MK", "RS", "SM", "VA"])


IBAN_SHAPE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\Z")
NO_IBAN = _("This is no IBAN: two letters, two digits, and the account's number.")
WRONG_DIGIT = _("A digit in this IBAN is wrong. Compare it with your bank's.")


class IbanForm(forms.Form):
    """An account that takes SEPA credit transfers."""

    holder = forms.CharField(
        max_length=70, label=_("Account holder"), help_text=_("As the bank knows them: banks compare the name."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )  # fmt: skip
    iban = forms.CharField(
        max_length=50, label="IBAN", widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    bic = forms.CharField(
        max_length=20, required=False, label="BIC",
        help_text=_("Of banks outside the European Economic Area only."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    def clean_holder(self) -> str:
        holder: str = self.cleaned_data["holder"]
        if len(in_letters_of_banks(holder, 70)) < 2:
            raise forms.ValidationError(_("Banks take names in Latin letters alone. Write it as the bank does."))
        return holder

    def clean_iban(self) -> str:
        try:
            number: str = iban.validate(self.cleaned_data["iban"])
        except stdnum_errors.ValidationError as error:
            looks_like_one = IBAN_SHAPE.match(iban.compact(self.cleaned_data["iban"]).upper())
            raise forms.ValidationError(WRONG_DIGIT if looks_like_one else NO_IBAN) from error
        if number[:2] not in SEPA_COUNTRIES:
            raise forms.ValidationError(_("Banks of this country take no SEPA transfers."))
        return number

    def clean_bic(self) -> str:
        if not self.cleaned_data["bic"]:
            return ""
        try:
            return str(bic.validate(self.cleaned_data["bic"]))
        except stdnum_errors.ValidationError as error:
            raise forms.ValidationError(_("This is no BIC: eight or eleven letters and digits.")) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("iban", "")[:2] in WITH_BIC and not cleaned.get("bic") and "bic" not in self.errors:
            self.add_error("bic", _("A transfer to this country needs the bank's BIC."))
        return cleaned


class StripeForm(forms.Form):
    """Where the provider's business is: Stripe fixes it when an account is made."""

    country = CountryField(blank_label=_("Choose")).formfield(  # type: ignore[call-overload]
        label=_("Country of your business")
    )
