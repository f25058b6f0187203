"""Forms about organizations, their members, projects and cost centres."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import BillingDetailsForm
from accounts.models import (
    BillingDetails,
    BillingKind,
    CostCentre,
    Membership,
    Organization,
    OrganizationRole,
    Project,
)
from accounts.names import no_address
from accounts.organization_words import WHAT_ROLES_DO
from accounts.services.invitations import MOST_AT_ONCE
from accounts.services.organizations import Policy
from common.formats import amount

SEPARATORS = re.compile(r"[\s,;]+")


def role_choices() -> list[tuple[str, str]]:
    """Each with what it may."""
    return [(role.value, f"{role.label}: {WHAT_ROLES_DO[role]}") for role in OrganizationRole]


class OrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    """What it is called, and what it is."""

    class Meta:
        model = Organization
        fields = ["name", "kind", "country"]
        labels = {"name": _("Name"), "kind": _("What is it?"), "country": _("Country")}
        help_texts = {"name": _("As your colleagues know it: a department, a group, a company.")}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        no_address(name)
        return name


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What every booking for the organization needs."""

    class Meta:
        model = Organization
        fields = [
            "needs_project",
            "needs_grant",
            "needs_cost_centre",
            "needs_purchase_order",
            "needs_member_budget",
            "approval_above",
        ]
        labels = {
            "needs_project": _("A project"),
            "needs_grant": _("A project whose grant has an end: nothing is booked beyond it"),
            "needs_cost_centre": _("A cost centre"),
            "needs_purchase_order": _("A purchase-order number"),
            "needs_member_budget": _("A budget of the member's own"),
            "approval_above": _("Approval above"),
        }
        help_texts = {
            "approval_above": _(
                "Bookings of members that cost more wait for an administrator. Empty: none do. 0: all do. The number "
                "counts in each currency."
            )
        }

    def policy(self) -> Policy:
        """What was chosen, of a form that is valid."""
        return Policy(**{name: self.cleaned_data[name] for name in self.Meta.fields})


class OrganizationDetailsForm(BillingDetailsForm):
    """Whom invoices to an organization name. It is never a private person."""

    kind = None  # type: ignore[assignment]

    class Meta(BillingDetailsForm.Meta):
        model = BillingDetails
        fields = [name for name in BillingDetailsForm.Meta.fields if name != "kind"]
        help_texts = BillingDetailsForm.Meta.help_texts | {
            "name": _("As it stands in its register or statutes."),
            "invoice_email": _("Empty: the address of its owner."),
            "purchase_order": _("Written on invoices. Whoever books can give another one."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.kind = BillingKind.BUSINESS


class InvitationForm(forms.Form):
    """One address or many, as they are pasted, and the role that they get."""

    emails = forms.CharField(
        label=_("E-mail addresses"),
        max_length=MOST_AT_ONCE * 100,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("One or many, a line each or with commas between them."),
    )
    role = forms.ChoiceField(
        label=_("Their role"), choices=role_choices, widget=forms.RadioSelect, initial=OrganizationRole.MEMBER
    )

    def clean_emails(self) -> list[str]:
        typed = list(dict.fromkeys(filter(None, SEPARATORS.split(self.cleaned_data["emails"].strip()))))
        wrong = [email for email in typed if not _is_email(email)]
        if wrong:
            raise ValidationError(
                gettext("These are no e-mail addresses: %(wrong)s") % {"wrong": ", ".join(word[:80] for word in wrong)}
            )
        return typed


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=_("Role"), choices=role_choices, widget=forms.RadioSelect)


class TransferForm(forms.Form):
    """Which of the other administrators owns the organization from now on."""

    to = forms.ModelChoiceField(
        Membership.objects.none(), label=_("New owner"), widget=forms.RadioSelect, empty_label=None
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        administrators = organization.memberships.administrators().filter(user__is_active=True)
        field: Any = self.fields["to"]
        field.queryset = administrators.exclude(user=organization.owner_id).select_related("user", "organization")
        field.label_from_instance = lambda membership: membership.user.known_as
        field.error_messages["invalid_choice"] = gettext(
            "This person is not an administrator of it any more. Choose another one."
        )


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """A project, and the grant that pays for it."""

    class Meta:
        model = Project
        fields = ["name", "grant", "grant_ends_on"]
        labels = {"name": _("Name"), "grant": _("Grant number"), "grant_ends_on": _("Last day of the grant")}
        help_texts = {
            "grant": "",
            "grant_ends_on": _("In UTC. A booking for this project that would end after it is refused."),
        }
        widgets = {"grant_ends_on": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})}


class CostCentreForm(forms.ModelForm):  # type: ignore[type-arg]
    """Where costs are booked."""

    class Meta:
        model = CostCentre
        fields = ["code", "name"]
        labels = {"code": _("Code"), "name": _("Name")}
        help_texts = {"code": _("As your accounts know it.")}


#: What the policy asks for, for the page that shows it: field and words.
def policy_words(organization: Organization) -> list[str]:
    """What bookings for it need, one line each."""
    labels = PolicyForm.Meta.labels
    words = [str(label) for name, label in labels.items() if name != "approval_above" and getattr(organization, name)]
    limit: Decimal | None = organization.approval_above
    if limit is not None:
        words.append(
            gettext("An administrator's approval, whatever they cost")
            if not limit
            else gettext("An administrator's approval where they cost more than %(limit)s") % {"limit": amount(limit)}
        )
    return words
