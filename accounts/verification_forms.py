"""The guided form of a verification: one form a step."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext, gettext_lazy

from accounts.documents import ENDINGS
from accounts.models import Verification
from accounts.verification_needs import KINDS

MEGABYTE = 1024 * 1024


class KindForm(forms.Form):
    """Who is to be verified."""

    kind = forms.ChoiceField(
        label=gettext_lazy("Who is to be verified?"),
        choices=[
            (Verification.Kind.INDIVIDUAL, gettext_lazy("I, as a person")),
            (Verification.Kind.INSTITUTION, gettext_lazy("My company or institution")),
        ],
        widget=forms.RadioSelect,
    )


class DetailsForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who somebody says that they are. Of an institution also why this person acts for it."""

    class Meta:
        model = Verification
        fields = ["legal_name", "country", "acts_as", "statement"]
        help_texts = {"legal_name": gettext_lazy("As it stands in your identity card or in the register.")}
        labels = {"legal_name": gettext_lazy("Legal name"), "country": gettext_lazy("Country")}
        widgets = {"statement": forms.Textarea(attrs={"rows": 5})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.is_institution:
            self.fields["acts_as"].required = True
        else:
            del self.fields["acts_as"]


class SeveralFiles(forms.FileField):
    """Files that are chosen together. Each is looked at by itself afterwards (:mod:`accounts.documents`)."""

    class Widget(forms.FileInput):
        allow_multiple_selected = True

    widget = Widget

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        files: Sequence[Any] = data if isinstance(data, list | tuple) else [data] if data else []
        if not files:
            raise forms.ValidationError(gettext("Choose a file first."), code="required")
        return [*files]


class DocumentsForm(forms.Form):
    """Documents of one kind."""

    kind = forms.ChoiceField(label=gettext_lazy("What does it show?"))
    uploads = SeveralFiles(label=gettext_lazy("Files"))

    def __init__(self, *args: Any, verification: Verification, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind.value, kind.label) for kind in KINDS[verification.kind]]  # type: ignore[attr-defined]
        self.fields["uploads"].widget.attrs["accept"] = ",".join(
            ending for endings in ENDINGS.values() for ending in endings
        )
        self.fields["uploads"].help_text = gettext(
            "PDF, JPEG or PNG, up to %(most)s MB each and %(all)s MB together. You can choose several at once."
        ) % {
            "most": settings.MARKETPLACE_DOCUMENT_BYTES // MEGABYTE,
            "all": settings.MARKETPLACE_DOCUMENTS_BYTES // MEGABYTE,
        }


class SendForm(forms.Form):
    """Sending it; where more was asked for, with an answer."""

    answer = forms.CharField(
        label=gettext_lazy("Your answer"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )

    def __init__(self, *args: Any, verification: Verification, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if verification.needs_more:
            self.fields["answer"].required = True
            self.fields["answer"].error_messages["required"] = gettext(
                "Say what you have added, or answer what was asked."
            )
        else:
            del self.fields["answer"]
