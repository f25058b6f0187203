"""Forms about people."""

from typing import Any

from django import forms

from accounts.models import Role, User


class SignupForm(forms.Form):
    """What signing up asks for beside e-mail and password (django-allauth calls :meth:`signup`)."""

    name = forms.CharField(max_length=120, label="Your name")
    purpose = forms.ChoiceField(
        label="What do you come for?",
        choices=[
            (Role.BUYER, "To book servers"),
            (Role.PROVIDER, "To offer servers"),
            ("both", "Both"),
        ],
        widget=forms.RadioSelect,
        initial=Role.BUYER,
    )

    def signup(self, request: Any, user: User) -> None:
        purpose = self.cleaned_data["purpose"]
        user.name = self.cleaned_data["name"]
        user.roles = [Role.BUYER, Role.PROVIDER] if purpose == "both" else [purpose]
        user.save(update_fields=["name", "roles"])
