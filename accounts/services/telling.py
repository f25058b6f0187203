"""The one place where events become messages: in the page, by mail, to webhooks and to Discord.

Whoever has something to tell calls :func:`tell` for each person, in the event's own transaction. What becomes of it is a
matter of what the person has chosen (:mod:`accounts.services.preferences`) and of what kind of event it is
(:mod:`accounts.event_kinds`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils import timezone

from accounts import quiet
from accounts.event_kinds import EventKind
from accounts.models import MailWish, MessagePreferences, Notification, Organization, User
from accounts.outbox import write_mail
from accounts.services import webhooks
from accounts.services.notifications import notify


def tell(
    *,
    user: User,
    event: EventKind,
    key: str,
    subject: str,
    paragraphs: Sequence[str],
    action: tuple[str, str] | None = None,
    tone: str = Notification.Tone.INFO,
    link: str = "",
    title: str = "",
    text: str | None = None,
    text_for_organization: str | None = None,
    address: str = "",
    organization: Organization | None = None,
    about: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> None:
    """Tell one person of one event, inside the caller's transaction. Telling it again, with the same key, is quiet.

    Args:
        key: names the event; it is told to one person, and to one webhook, once.
        subject: of the mail.
        paragraphs: of the mail; empty ones are left out.
        action: a button's words and the path it leads to.
        link: where the page's note leads, if not where the button does.
        title: of the page's note, if not the subject.
        text: of the page's note, if not the first paragraph.
        text_for_organization: what its webhooks hear, where not all of ``text`` is its business.
        address: where the mail goes, if not to the person's own address.
        organization: whose webhooks hear of it, beside the person's own.
        about: ids and states for programs that read webhooks: ``{"booking": "…"}``.
        now: when it happened, if not at this moment.
    """
    at = now or timezone.now()
    wishes = preferences_of(user)
    said = [paragraph for paragraph in paragraphs if paragraph]
    path = link or (action[1] if action else "")
    heading = title or subject
    summary = (said[0] if said else "") if text is None else text
    if wishes.in_page(event):
        notify(user=user, key=key, title=heading, text=summary, link=path, tone=tone, event=event, now=at)
    wish = wishes.by_mail(event)
    if wish != MailWish.NEVER:
        is_for_digest = wish == MailWish.DIGEST
        write_mail(
            user=user,
            key=key,
            subject=subject,
            paragraphs=said,
            action=action,
            address=address,
            stops=event.value if event.can_be_stopped else "",
            not_before=_held_until(wishes, user, event, now=at, is_for_digest=is_for_digest),
            is_for_digest=is_for_digest,
        )
    webhooks.record(
        user=user,
        organization=organization,
        event=event,
        key=key,
        title=heading,
        text=summary,
        text_for_organization=summary if text_for_organization is None else text_for_organization,
        link=path,
        tone=tone,
        about=about or {},
        quiet_until=quiet.quiet_hours_end(wishes, user, now=at) if event.can_wait else None,
        now=at,
    )


def preferences_of(user: User) -> MessagePreferences:
    """What the person has chosen; the defaults, unsaved, if nothing."""
    return MessagePreferences.objects.filter(user=user).first() or MessagePreferences(user=user)


def _held_until(
    wishes: MessagePreferences, user: User, event: EventKind, *, now: datetime, is_for_digest: bool
) -> datetime | None:
    if is_for_digest:
        return quiet.next_digest(wishes.digest, quiet.zone_of(user), now=now)
    return quiet.quiet_hours_end(wishes, user, now=now) if event.can_wait else None
