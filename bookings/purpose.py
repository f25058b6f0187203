"""What a booking for an organization is asked for beside the window, as a form on the listing's page."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, Organization, Project
from accounts.permissions import OrganizationAction, may_in
from bookings.models import Budget
from bookings.services.budgets import Use, used_of
from bookings.services.purposes import Purpose, needs_approval


class PurposeForm(forms.Form):
    """The organization's policy says what has to be given. ``acting_for`` is whom the person saw that they book for."""

    acting_for = forms.UUIDField(widget=forms.HiddenInput, required=False)
    project = forms.ModelChoiceField(
        Project.objects.none(),
        required=False,
        empty_label="–",
        label=_("Project"),
        error_messages={
            "invalid_choice": _(
                "This project is not open any more. Look at what your organization has, and choose again."
            )
        },
    )
    purchase_order = forms.CharField(max_length=60, required=False, label=_("Purchase order"))
    cost_centre = forms.CharField(max_length=60, required=False, label=_("Cost centre"))
    reason = forms.CharField(
        max_length=1000,
        required=False,
        label=_("Why you need it"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization = organization
        self.fields["acting_for"].initial = organization.pk
        projects = organization.projects.filter(archived_at=None)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        needed = organization.needs_project or organization.needs_grant
        # One that was chosen while it was open is refused, and not taken for none.
        if not needed and not projects.exists() and not self.data.get("project"):
            del self.fields["project"]
        codes = [(centre.code, str(centre)) for centre in organization.cost_centres.filter(archived_at=None)]
        if codes:
            self.fields["cost_centre"] = forms.ChoiceField(
                choices=[("", "–"), *codes], required=False, label=_("Cost centre")
            )
        for name, is_needed in (
            ("project", needed),
            ("purchase_order", organization.needs_purchase_order),
            ("cost_centre", organization.needs_cost_centre),
        ):
            if is_needed and name in self.fields:
                # Not ``required``: the price is shown before it is given, and the service says what is missing.
                self.fields[name].widget.attrs["aria-required"] = "true"

    @property
    def fields_shown(self) -> list[forms.BoundField]:
        """All but those that depend on what it costs."""
        return [self[name] for name in ("project", "purchase_order", "cost_centre") if name in self.fields]

    def purpose(self) -> Purpose:
        """Of a form that is valid."""
        given = self.cleaned_data
        return Purpose(
            organization=self.organization,
            project=given.get("project"),
            purchase_order=given["purchase_order"],
            cost_centre=given["cost_centre"],
            reason=given["reason"],
        )


@dataclass(frozen=True)
class Footing:
    """On what footing a person would book: for whom, whether somebody has to agree, and what their budgets leave."""

    organization: Organization
    may_book: bool
    asks_approval: bool
    uses: list[Use]


def footing(
    membership: Membership, *, project: Project | None, total: Decimal, currency: str, now: datetime
) -> Footing:
    """For the page, before anything is asked for. The service looks again, with the organization locked."""
    organization = membership.organization
    budgets = Budget.objects.that_concern(organization=organization, project=project, member=membership.user_id)
    return Footing(
        organization,
        may_in(membership, OrganizationAction.BOOK),
        needs_approval(organization, membership, total),
        used_of(list(budgets.filter(currency=currency).select_related("organization", "project", "member")), now=now),
    )
