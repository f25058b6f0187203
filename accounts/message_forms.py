"""Forms about messages: what a person is told, and the addresses that hear of it as well."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.event_kinds import EventGroup, EventKind, kinds_of
from accounts.models import DigestPace, MailWish, MessagePreferences, Organization, User, WebhookKind
from accounts.services.preferences import Wishes

PACES = [
    (DigestPace.OFF, _("No digest: each mail at once")),
    (DigestPace.DAILY, _("Every day at 08:00")),
    (DigestPace.WEEKLY, _("Every Monday at 08:00")),
]
WISHES: dict[MailWish, str | Promise] = {
    MailWish.AT_ONCE: _("At once"),
    MailWish.DIGEST: _("In the digest"),
    MailWish.NEVER: _("Not at all"),
}
#: Of a webhook: of no organization, but of the person who adds it.
OWN = "own"
CLOCK = {"type": "time", "step": "60"}


def groups_for(user: User, *, belongs_somewhere: bool) -> list[EventGroup]:
    """The groups of events that can happen to this person."""
    hidden = set()
    if not user.is_provider:
        hidden.add(EventGroup.MACHINES)
    if not user.is_platform_administrator:
        hidden.add(EventGroup.PLATFORM)
    if not belongs_somewhere:
        hidden.add(EventGroup.ORGANIZATION)
    return [group for group in EventGroup if group not in hidden]


class PreferencesForm(forms.Form):
    """Events × places, and when mails that can wait are sent."""

    digest = forms.ChoiceField(label=_("Digest"), choices=PACES)
    quiet_from = forms.TimeField(label=_("Quiet from"), required=False, widget=forms.TimeInput(CLOCK, format="%H:%M"))
    quiet_until = forms.TimeField(label=_("until"), required=False, widget=forms.TimeInput(CLOCK, format="%H:%M"))

    def __init__(self, *args: Any, preferences: MessagePreferences, groups: list[EventGroup], **kwargs: Any) -> None:
        self.groups = groups
        self.kinds = [kind for group in groups for kind in kinds_of(group)]
        initial = {
            "digest": preferences.digest,
            "quiet_from": preferences.quiet_from,
            "quiet_until": preferences.quiet_until,
        }
        super().__init__(*args, **{"initial": initial, **kwargs})
        for kind in self.kinds:
            # The column says what a control is for, and beside it the row: both have to be heard.
            self.fields[f"page_{kind}"] = forms.BooleanField(
                label=_("In the page"),
                required=False,
                initial=preferences.in_page(kind),
                widget=forms.CheckboxInput({"aria-label": _("In the page: %(event)s") % {"event": kind.label}}),
            )
            if kind.can_be_stopped:
                self.fields[f"mail_{kind}"] = forms.ChoiceField(
                    label=_("By mail"),
                    choices=_choices(kind),
                    initial=_shown(preferences, kind),
                    widget=forms.Select(
                        {"class": "control", "aria-label": _("By mail: %(event)s") % {"event": kind.label}}
                    ),
                )

    def rows(self) -> Iterator[tuple[EventGroup, list[dict[str, Any]]]]:
        """For the table: each group with its events, and their two controls. What is always sent has one."""
        for group in self.groups:
            yield (
                group,
                [
                    {
                        "kind": kind,
                        "page": self[f"page_{kind}"],
                        "mail": self[f"mail_{kind}"] if kind.can_be_stopped else None,
                    }
                    for kind in kinds_of(group)
                ],
            )

    def wishes(self) -> Wishes:
        typed = self.cleaned_data
        return Wishes(
            page={kind: typed[f"page_{kind}"] for kind in self.kinds},
            mail={kind: MailWish(typed[f"mail_{kind}"]) for kind in self.kinds if kind.can_be_stopped},
            digest=DigestPace(typed["digest"]),
            quiet_from=typed["quiet_from"],
            quiet_until=typed["quiet_until"],
        )


def _choices(kind: EventKind) -> list[tuple[MailWish, str | Promise]]:
    return [(wish, words) for wish, words in WISHES.items() if wish != MailWish.DIGEST or kind.can_be_gathered]


def _shown(preferences: MessagePreferences, kind: EventKind) -> str:
    """What was chosen, also where there is no digest at the moment."""
    usual = MailWish.AT_ONCE if kind.nature.mail else MailWish.NEVER
    return str(preferences.mail.get(kind.value, usual))


class WebhookForm(forms.Form):
    """An address that hears of some events. :mod:`accounts.services.webhooks` says whether it will do."""

    owner = forms.ChoiceField(
        label=_("Whose events"),
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": _("You do not look after its webhooks any more. Choose again whose events.")},
    )
    kind = forms.ChoiceField(
        label=_("What is there"),
        choices=[
            (WebhookKind.WEBHOOK, _("A program of yours: it gets signed JSON")),
            (WebhookKind.DISCORD, _("Discord: a message in a channel")),
        ],
        widget=forms.RadioSelect,
        initial=WebhookKind.WEBHOOK,
    )
    name = forms.CharField(label=_("Name"), max_length=60, help_text=_("To tell it from others."))
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "https://"}),
        help_text=_("It begins with https:// and is reached from the public Internet."),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one event.")},
    )

    def __init__(
        self,
        *args: Any,
        groups: list[EventGroup],
        organizations: list[Organization] | None = None,
        is_new: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["events"].choices = [  # type: ignore[attr-defined]
            (group.label, [(kind.value, kind.label) for kind in kinds_of(group)]) for group in groups
        ]
        if not is_new:
            del self.fields["kind"]
        # An organization that was chosen while it was still theirs is refused, and not taken for their own.
        if organizations or (is_new and self.data.get("owner", OWN) != OWN):
            theirs = [(str(organization.pk), organization.name) for organization in organizations or []]
            self.fields["owner"].choices = [(OWN, _("My own")), *theirs]  # type: ignore[attr-defined]
            self.fields["owner"].initial = OWN
        else:
            del self.fields["owner"]
