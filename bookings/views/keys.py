"""Which SSH keys are let in on a booking: its buyer chooses among theirs, or adds one."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import SSHKeyForm
from accounts.models import SSHKey
from accounts.requests import AuthenticatedRequest
from accounts.views.ssh_keys import ask_before_adding, say_what_is_wrong
from bookings.errors import BookingError
from bookings.let_in import is_left_out
from bookings.loading import booking_of_buyer
from bookings.models import Booking, KeyChoice
from bookings.services.keys import add_key_to, can_choose_keys, choose_keys
from common.errors import MarketplaceError

ALL, SOME = "all", "some"


class KeyLabel(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} ({obj.key_type}, {obj.fingerprint[:15]}…)"


class KeyChoiceForm(forms.Form):
    """All keys of the person, or these."""

    which = forms.ChoiceField(
        label=gettext_lazy("Which of your keys are let in?"),
        choices=[
            (ALL, gettext_lazy("All that I have, and those that I add later")),
            (SOME, gettext_lazy("Only these")),
        ],
        widget=forms.RadioSelect,
    )
    keys = KeyLabel(
        label=gettext_lazy("Your keys"),
        queryset=SSHKey.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": gettext_lazy("One of these keys is not in your account any more. Choose again."),
            "invalid_pk_value": gettext_lazy("One of these keys is not in your account any more. Choose again."),
        },
    )

    def __init__(self, data: Any = None, *, booking: Booking) -> None:
        choice = KeyChoice.objects.filter(booking=booking).first()
        chosen = choice.keys.all() if choice else booking.buyer.ssh_keys.all()
        initial = {"which": SOME if choice else ALL, "keys": [key.pk for key in chosen]}
        super().__init__(data, initial=initial)
        self.fields["keys"].queryset = booking.buyer.ssh_keys.order_by("created_at", "pk")  # type: ignore[attr-defined]


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def booking_keys(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Choose among the keys of one's account."""
    booking = booking_of_buyer(request.user, pk)
    form = KeyChoiceForm(request.POST or None, booking=booking)
    if request.method == "POST" and form.is_valid():
        chosen = None if form.cleaned_data["which"] == ALL else [key.pk for key in form.cleaned_data["keys"]]
        try:
            choose_keys(booking_id=pk, by=request.user, keys=chosen, now=timezone.now())
        except BookingError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
        else:
            messages.success(request, _("Saved. A machine with an agent follows within a minute."))
            return redirect("booking_detail", pk=pk)
    return _page(request, booking, form, SSHKeyForm(), status=422 if form.errors else 200)


@sensitive_post_parameters("public_key")
@login_required
@require_POST
def booking_key_add(request: AuthenticatedRequest, pk: UUID) -> HttpResponse:
    """Add a key to one's account, and let it in on this booking."""
    booking = booking_of_buyer(request.user, pk)
    form = SSHKeyForm(request.POST)
    if form.is_valid():
        typed = form.cleaned_data
        try:
            ask_before_adding(request, form)
            key = add_key_to(
                booking_id=pk, by=request.user, text=typed["public_key"], name=typed["name"], now=timezone.now()
            )
        except MarketplaceError as error:
            say_what_is_wrong(form, error)
        else:
            messages.success(request, _("The key “%(name)s” is added and let in.") % {"name": key.name})
            return redirect("booking_detail", pk=pk)
    return _page(request, booking, KeyChoiceForm(booking=booking), form, status=422)


def _page(
    request: AuthenticatedRequest, booking: Booking, form: KeyChoiceForm, adding: SSHKeyForm, *, status: int
) -> HttpResponse:
    context = {
        "booking": booking,
        "form": form,
        "adding": adding,
        "has_own": request.user.ssh_keys.exists(),
        "shared": booking.keys_let_in().filter(organization__isnull=False),
        "possible": can_choose_keys(booking, now=timezone.now()),
        "left_out": is_left_out(booking),
    }
    return render(request, "bookings/keys.html", context, status=status)
