"""What a person has chosen to be told, where and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import quiet, unsubscribing
from accounts.event_kinds import EventKind
from accounts.models import DigestPace, MailWish, MessagePreferences, OutgoingMail, User
from common.errors import MarketplaceError


class PreferencesError(MarketplaceError):
    """It cannot be told like this."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody asks for; events that it does not name stay as they are."""

    page: Mapping[EventKind, bool] = field(default_factory=dict)
    mail: Mapping[EventKind, MailWish] = field(default_factory=dict)
    digest: DigestPace = DigestPace.OFF
    quiet_from: time | None = None
    quiet_until: time | None = None


@transaction.atomic
def save_preferences(*, user: User, wishes: Wishes, now: datetime) -> MessagePreferences:
    """Keep what differs from the defaults. Mails that wait for a digest follow its new pace, or are sent.

    Raises:
        PreferencesError: quiet hours with one end, or as long as the day; a mail that cannot be switched off or gathered is to be.
    """
    _check(wishes)
    row = _locked(user)
    for event, shown in wishes.page.items():
        _set(row.page, event, shown, usual=event.nature.page)
    for event, wish in wishes.mail.items():
        _set(row.mail, event, wish.value, usual=_usual(event).value)
    row.digest, row.quiet_from, row.quiet_until = wishes.digest, wishes.quiet_from, wishes.quiet_until
    row.save()
    _retime(row, user, now=now)
    return row


def _check(wishes: Wishes) -> None:
    if (wishes.quiet_from is None) != (wishes.quiet_until is None):
        missing = "quiet_from" if wishes.quiet_from is None else "quiet_until"
        raise PreferencesError(_("Quiet hours have a beginning and an end. Empty both for none."), field=missing)
    if wishes.quiet_from is not None and wishes.quiet_from == wishes.quiet_until:
        raise PreferencesError(_("Quiet hours end at another time than they begin."), field="quiet_until")
    for event, wish in wishes.mail.items():
        if wish == MailWish.NEVER and not event.can_be_stopped:
            raise PreferencesError(_("“%(event)s” is always sent.") % {"event": event.label})
        if wish == MailWish.DIGEST and not event.can_be_gathered:
            raise PreferencesError(_("“%(event)s” cannot wait for the digest.") % {"event": event.label})


def _usual(event: EventKind) -> MailWish:
    return MailWish.AT_ONCE if event.nature.mail else MailWish.NEVER


def _set(choices: dict[str, object], event: EventKind, value: object, *, usual: object) -> None:
    if value == usual:
        choices.pop(event.value, None)
    else:
        choices[event.value] = value


def _locked(user: User) -> MessagePreferences:
    MessagePreferences.objects.bulk_create([MessagePreferences(user=user)], ignore_conflicts=True)
    return MessagePreferences.objects.select_for_update().get(user=user)


def _retime(row: MessagePreferences, user: User, *, now: datetime) -> None:
    waiting = OutgoingMail.objects.to_gather().filter(user=user)
    if row.digest == DigestPace.OFF:
        waiting.update(is_for_digest=False, next_attempt_at=quiet.quiet_hours_end(row, user, now=now) or now)
    else:
        waiting.update(next_attempt_at=quiet.next_digest(row.digest, quiet.zone_of(user), now=now))


@transaction.atomic
def stop_mails(*, user: User, what: str) -> None:
    """Switch mails off, as the link in one of them asks: those of an event, or of all that the digest is made of.

    Those that wait are not sent any more. In the page it is told as before. Doing it twice is quiet.
    """
    row = _locked(user)
    for event in stopped_by(row, what):
        _set(row.mail, event, MailWish.NEVER.value, usual=_usual(event).value)
        OutgoingMail.objects.filter(user=user, event=event.value, sent_at=None).delete()
    row.save(update_fields=["mail", "updated_at"])
    if what == unsubscribing.DIGEST:
        OutgoingMail.objects.filter(user=user, event=what, sent_at=None).delete()


def stopped_by(row: MessagePreferences, what: str) -> list[EventKind]:
    """The events whose mails the link would switch off."""
    if what != unsubscribing.DIGEST:
        return [EventKind(what)]
    return [event for event in EventKind if row.mail.get(event.value) == MailWish.DIGEST]
