"""Who is billed: a person's or a business's name, address and VAT id."""

import unicodedata

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from accounts import vat_ids
from accounts.models.user import User
from common.ids import uuid7

#: Categories of characters that no line of an address has, and no XML of an invoice may have.
CONTROL = ("Cc", "Cs")


def check_line(text: str) -> None:
    if any(unicodedata.category(character) in CONTROL or character in "\ufffe\uffff" for character in text):
        raise ValidationError(gettext("This has characters in it that cannot be printed. Type it anew."))


class BillingKind(models.TextChoices):
    INDIVIDUAL = "individual", _("A private person")
    BUSINESS = "business", _("A business or institution")


class BillingDetails(models.Model):
    """Whom invoices to a person or an organization name, as it is now. Invoices and bookings keep what it was then.

    ``accounts.tax`` says what VAT follows from it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.OneToOneField(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="billing_details", db_column="customer_id"
    )
    organization = models.OneToOneField(
        "accounts.Organization", on_delete=models.CASCADE, null=True, blank=True, related_name="billing_details"
    )
    kind = models.CharField(max_length=20, choices=BillingKind.choices, default=BillingKind.INDIVIDUAL)
    name = models.CharField("legal name", max_length=200, validators=[check_line], help_text="Of people their own.")
    street = models.CharField(max_length=200, validators=[check_line])
    postal_code = models.CharField(
        max_length=20, blank=True, validators=[check_line], help_text="Empty where there is none."
    )
    city = models.CharField(max_length=100, validators=[check_line])
    country = CountryField()
    vat_id = models.CharField(
        "VAT id", max_length=20, blank=True, validators=[check_line], help_text="Without spaces, with its prefix."
    )
    invoice_email = models.EmailField("e-mail for invoices", blank=True, help_text="Empty: the address of the account.")
    purchase_order = models.CharField(
        max_length=60, blank=True, validators=[check_line], help_text="What new bookings start with."
    )
    cost_centre = models.CharField(
        max_length=60, blank=True, validators=[check_line], help_text="What new bookings start with."
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "billing_details"
        verbose_name_plural = "billing details"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=BillingKind.values), name="billing_details_kind_known"),
            models.CheckConstraint(
                condition=Q(user__isnull=False, organization=None) | Q(user=None, organization__isnull=False),
                name="billing_details_of_one",
            ),
            models.CheckConstraint(
                condition=Q(kind=BillingKind.BUSINESS) | Q(vat_id=""), name="billing_details_vat_ids_of_businesses"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.country.code})"

    def clean(self) -> None:
        """Normalise the VAT id and hold it against its country; know which addresses have a postal code.

        Raises:
            ValidationError: on ``vat_id`` or ``postal_code``, with a sentence for people.
        """
        country, wrong = self.country.code or "", {}
        if vat_ids.in_eu(country) and country != "IE" and not self.postal_code:
            wrong["postal_code"] = gettext("An address in %(country)s has a postal code.") % {
                "country": vat_ids.named(country)
            }
        try:
            self.vat_id = vat_ids.normal(self.vat_id, country)
        except vat_ids.WrongVatId as error:
            wrong["vat_id"] = error.message
        if self.vat_id and not self.is_business:
            wrong["vat_id"] = gettext("A private person has no VAT id. Say that you are a business, or leave it empty.")
        if wrong:
            raise ValidationError(wrong)

    @property
    def is_business(self) -> bool:
        return self.kind == BillingKind.BUSINESS

    @property
    def has_valid_vat_id(self) -> bool:
        """Of the country and without a wrong digit. Nobody has been asked whether it is in force."""
        return vat_ids.is_valid(self.vat_id, self.country.code or "")

    @property
    def email(self) -> str:
        """Where invoices go."""
        owner = self.user or (self.organization.owner if self.organization else None)
        return str(self.invoice_email or (owner.email if owner else ""))

    def frozen(self) -> dict[str, str]:
        """As a booking keeps them, beside the tax that was decided by them."""
        return {
            "kind": self.kind,
            "name": self.name,
            "street": self.street,
            "postal_code": self.postal_code,
            "city": self.city,
            "country": self.country.code,
            "vat_id": self.vat_id,
            "email": self.email,
        }
