from django import forms


class CardForm(forms.Form):
    """What the card form in the browser leaves behind: the processor's id of it. Card numbers never reach us."""

    setup_intent = forms.RegexField(
        r"^seti_\w+$",
        max_length=120,
        widget=forms.HiddenInput,
        error_messages={
            "required": "The card form was not finished. It needs JavaScript to send your card to the payment processor.",
            "invalid": "The card form was not finished. Enter the card again.",
        },
    )
