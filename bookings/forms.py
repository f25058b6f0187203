"""Forms about windows, access and wipes. Times are typed as :mod:`bookings.moments` says."""

from datetime import datetime

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from bookings.filters import FAR
from bookings.models import Access, WipeMethod, WipeStatus
from bookings.moments import MomentField, MomentsForm
from machines.models import MaintenanceWindow


def not_far_away(moment: datetime) -> None:
    if abs(moment - timezone.now()) > FAR:
        raise forms.ValidationError(gettext("This date is too far away."))


class WindowForm(MomentsForm):
    """From when to when. Whether that can be booked is the services' question."""

    start = MomentField(label=_("From"), validators=[not_far_away])
    end = MomentField(label=_("Until"), validators=[not_far_away])


class BookingForm(WindowForm):
    """A window, and the price that the buyer was shown for it."""

    expected_total = forms.DecimalField(max_digits=12, decimal_places=2, required=False, widget=forms.HiddenInput)


class MaintenanceForm(WindowForm):
    """Time in which a machine is worked on. Whether that can be announced is the service's question."""

    kind = forms.ChoiceField(label=_("What is worked on"), choices=MaintenanceWindow.Kind.choices)
    note = forms.CharField(
        label=_("What buyers should know"), required=False, max_length=300, widget=forms.Textarea(attrs={"rows": 2})
    )


class CancelForm(forms.Form):
    """A word to the other side, and what the person was shown that comes back."""

    expected_back = forms.DecimalField(max_digits=12, decimal_places=2, required=False, widget=forms.HiddenInput)
    note = forms.CharField(
        label=_("A word to the other side"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ExtendForm(MomentsForm):
    """A later end of a booking, and the price that the buyer was shown for it."""

    end = MomentField(label=_("New end"), validators=[not_far_away])
    expected_total = forms.DecimalField(max_digits=12, decimal_places=2, required=False, widget=forms.HiddenInput)


class LeaveForm(forms.Form):
    """What the buyer was shown that comes back."""

    expected_back = forms.DecimalField(max_digits=12, decimal_places=2, required=False, widget=forms.HiddenInput)


class EndForm(forms.Form):
    """The end that the buyer was shown, and what comes back at it."""

    at = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    expected_back = forms.DecimalField(max_digits=12, decimal_places=2, required=False, widget=forms.HiddenInput)


class AccessForm(forms.ModelForm[Access]):
    class Meta:
        model = Access
        fields = ["host", "port", "username", "host_key_fingerprint", "note"]
        labels = {
            "host": _("Host"),
            "port": _("Port"),
            "username": _("Username"),
            "host_key_fingerprint": _("Host key fingerprint"),
            "note": _("Note"),
        }
        widgets = {"note": forms.Textarea(attrs={"rows": 3})}
        help_texts = {
            "host_key_fingerprint": _("As ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub prints it: SHA256:…"),
        }


class WipeForm(MomentsForm):
    """Steps of a wipe that were done, with what came of them and the log that shows it."""

    methods = forms.MultipleChoiceField(
        label=_("What was done"), choices=WipeMethod.choices, widget=forms.CheckboxSelectMultiple
    )
    status = forms.ChoiceField(
        label=_("With what result"), choices=WipeStatus.choices, widget=forms.RadioSelect, initial=WipeStatus.SUCCESS
    )
    executed_at = MomentField(label=_("When"), initial=timezone.now)
    evidence = forms.FileField(label=_("Evidence"), help_text=_("The log or transcript that shows it. At most 10 MB."))
    note = forms.CharField(label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))
