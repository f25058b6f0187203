"""Forms about people."""

import zoneinfo
from functools import cache
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from accounts import vat_ids
from accounts.models import BillingDetails, BillingKind, Role, SSHKey, User
from accounts.names import no_address
from accounts.services.roles import PURPOSES

PURPOSE_WORDS = {Role.BUYER: _("To book servers"), Role.PROVIDER: _("To offer servers")}
PURPOSES_AND_BOTH: list[tuple[str, StrOrPromise]] = [*PURPOSE_WORDS.items(), ("both", _("Both"))]


class SignupForm(forms.Form):
    """What signing up asks for beside e-mail and password (django-allauth calls :meth:`signup`)."""

    name = forms.CharField(max_length=120, label=_("Your name"), validators=[no_address])
    purpose = forms.ChoiceField(
        label=_("What do you come for?"),
        choices=PURPOSES_AND_BOTH,
        widget=forms.RadioSelect,
        initial=Role.BUYER,
    )

    def signup(self, request: Any, user: User) -> None:
        purpose = self.cleaned_data["purpose"]
        user.name = self.cleaned_data["name"]
        user.roles = [Role.BUYER, Role.PROVIDER] if purpose == "both" else [purpose]
        user.language = get_language() or ""  # before the first mail to them
        user.save(update_fields=["name", "roles", "language"])


THE_BROWSERS = _("The one of my browser")
LANGUAGES: list[tuple[str, StrOrPromise]] = [("", THE_BROWSERS), *settings.LANGUAGES]


@cache
def zones() -> list[tuple[str, StrOrPromise]]:
    """The time zones that people live in, and UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", THE_BROWSERS), *((name, name.replace("_", " ")) for name in ["UTC", *names])]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """The person as others see them, their clock, and what they come for."""

    purposes = forms.MultipleChoiceField(
        label=_("What do you come for?"),
        choices=list(PURPOSE_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    timezone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_(
            "Every time on these pages and in your mails is written in it. If it is the browser's, mails are in UTC."
        ),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=LANGUAGES,
        required=False,
        help_text=_("Of these pages and of your mails. If it is the browser's, mails are in English."),
    )

    class Meta:
        model = User
        fields = ["name", "organization_name", "country", "timezone", "language"]
        labels = {
            "name": _("Your name"),
            "organization_name": _("Company, university or group"),
            "country": _("Country"),
        }
        help_texts = {"organization_name": _("If you give one, others see it in place of your name.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for seen_by_others in ("name", "organization_name"):
            self.fields[seen_by_others].validators.append(no_address)
        own = self.instance.timezone
        known = dict(zones())
        self.fields["timezone"].choices = zones() if own in known else [*zones(), (own, own)]  # type: ignore[attr-defined]
        self.fields["purposes"].required = not self._other_roles()
        self.fields["purposes"].error_messages["required"] = gettext("Choose at least one.")
        self.fields["purposes"].initial = [role for role in self.instance.roles if role in PURPOSES]

    def _other_roles(self) -> list[str]:
        return [role for role in self.instance.roles if role not in PURPOSES]

    def clean_purposes(self) -> list[str]:
        purposes: list[str] = self.cleaned_data["purposes"]
        if Role.PROVIDER not in purposes and self.instance.machines.exists():
            raise forms.ValidationError(gettext("You provide machines here, so you go on offering servers."))
        return purposes


class BillingDetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whom invoices name. :class:`BillingDetails` itself knows which VAT ids and addresses there are."""

    kind = forms.ChoiceField(label=_("Who is billed?"), choices=BillingKind.choices, widget=forms.RadioSelect)
    vat_id = forms.CharField(
        label=_("VAT id"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Of businesses, with the letters that it begins with: ATU13585627."),
    )

    class Meta:
        model = BillingDetails
        fields = [
            "kind",
            "country",
            "vat_id",
            "name",
            "street",
            "postal_code",
            "city",
            "invoice_email",
            "purchase_order",
            "cost_centre",
        ]
        labels = {
            "country": _("Country"),
            "name": _("Legal name"),
            "street": _("Street and number"),
            "postal_code": _("Postal code"),
            "city": pgettext_lazy("of an address", "City"),
            "invoice_email": _("E-mail for invoices"),
            "purchase_order": _("Purchase order"),
            "cost_centre": _("Cost centre"),
        }
        help_texts = {
            "name": _("Your own, or the business's as it stands in its register."),
            "postal_code": _("Empty only where there is none."),
            "invoice_email": _("Empty: the address of your account."),
            "purchase_order": _("Written on invoices. You can change it with each booking."),
            "cost_centre": _("Written on invoices, too."),
        }

    def clean_vat_id(self) -> str:
        """Without the spaces that it is typed with, so that it fits its column."""
        country = str(self.cleaned_data.get("country", ""))
        try:
            return vat_ids.normal(self.cleaned_data["vat_id"], country)
        except vat_ids.WrongVatId as error:
            raise forms.ValidationError(error.message) from error


class SSHKeyForm(forms.Form):
    """One public key, as it is pasted. :mod:`accounts.ssh` says whether it will do."""

    public_key = forms.CharField(
        label=_("Public key"),
        max_length=16_000,
        widget=forms.Textarea(
            attrs={
                "rows": 4,
                "spellcheck": "false",
                "autocomplete": "off",
                "placeholder": "ssh-ed25519 AAAA… you@laptop",
            }
        ),
        help_text=_("The one line of a file that ends in .pub. ed25519, ECDSA, or RSA with at least 3072 bits."),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=SSHKey._meta.get_field("name").max_length,
        required=False,
        help_text=_("To tell it from others. Empty: the comment at the end of the key."),
    )
