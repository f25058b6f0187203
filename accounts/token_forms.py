"""Making an API token."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import ApiToken, Organization, Scope, User

#: What tokens are for, a choice each, in the order of the form.
SUBJECTS = {
    "listings": _("Listings"),
    "bookings": _("Bookings"),
    "billing": _("Billing"),
    "machines": _("Machines"),
    "organization": _("Organization"),
}
POWERS = [("", _("Nothing")), ("read", _("Read")), ("write", _("Read and change"))]
#: How many days a token may be good for, as people choose.
LIVES = (7, 30, 90, 180, 365)
USUAL_LIFE = 90


class TokenForm(forms.Form):
    """A name, what it is for, for how long, and for whom it acts."""

    name = forms.CharField(
        label=_("Name"),
        max_length=ApiToken._meta.get_field("name").max_length,
        help_text=_("What uses it: “backup of invoices”, “dashboard”."),
    )
    days = forms.TypedChoiceField(label=_("Good for"), coerce=int)
    acts_for = forms.ModelChoiceField(
        label=_("Acts for"),
        queryset=Organization.objects.none(),
        required=False,
        empty_label=_("Myself"),
        help_text=_("For an organization it may do what your role there allows at that moment."),
        error_messages={
            "invalid_choice": _("You do not belong to this organization any more. Choose again whom it acts for.")
        },
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        longest = settings.MARKETPLACE_TOKEN_DAYS
        lives = [days for days in LIVES if days < longest] + [longest]
        choices = [(days, ngettext("%(n)s day", "%(n)s days", days) % {"n": days}) for days in lives]
        self.fields["days"].choices = choices  # type: ignore[attr-defined]
        self.fields["days"].initial = min(USUAL_LIFE, longest)
        organizations = Organization.objects.of_member(user)
        self.fields["acts_for"].queryset = organizations  # type: ignore[attr-defined]
        # An organization that was chosen while it was still theirs is refused, and not taken for themselves.
        if not organizations and not self.data.get("acts_for"):
            del self.fields["acts_for"]
        for subject, label in SUBJECTS.items():
            self.fields[subject] = forms.ChoiceField(label=label, choices=POWERS, required=False)

    def powers(self) -> list[forms.BoundField]:
        """The fields that say what it is for."""
        return [self[subject] for subject in SUBJECTS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not any(cleaned.get(subject) for subject in SUBJECTS):
            self.add_error(None, _("Choose at least one thing that the token is for."))
        return cleaned

    def scopes(self) -> list[Scope]:
        chosen = ((subject, self.cleaned_data[subject]) for subject in SUBJECTS)
        return [Scope(f"{subject}:{power}") for subject, power in chosen if power]
