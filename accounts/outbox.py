"""Mail as an outbox: written with what it tells of, sent afterwards, tried again until it is out."""

import logging
import zoneinfo
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import unsubscribing
from accounts.models import FAREWELL, PRIVATE, OutgoingMail, User
from common.clearing import delete_in_parts
from common.formats import in_region
from common.ids import uuid7
from common.languages import in_language
from common.leases import Clock, growing_pause
from common.queue import soon

log = logging.getLogger(__name__)

#: Longer than a mail server may take for one mail.
LEASE = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


@contextmanager
def written_for(user: User) -> Iterator[None]:
    """Write for this person: in their own language, or in English, times in their own zone, or in UTC, and numbers and
    money as in their own country."""
    zone = zoneinfo.ZoneInfo(user.timezone or "UTC")
    with in_language(user.language), timezone.override(zone), in_region(user.country.code or ""):
        yield


def write_mail(
    *,
    user: User,
    key: str,
    subject: str,
    paragraphs: Sequence[str],
    action: tuple[str, str] | None = None,
    address: str = "",
    stops: str = "",
    not_before: datetime | None = None,
    is_for_digest: bool = False,
) -> None:
    """Put a mail into the outbox, inside the caller's transaction.

    What a person may choose to be told, or not, is told by :func:`accounts.services.telling.tell`, which calls this.

    Args:
        key: names the event; the same event never writes two mails to one person.
        action: a button's words and the path it leads to.
        address: where to, if not to the user's own address.
        stops: the kind of event whose mails its unsubscribe link switches off; empty: it has no such link.
        not_before: it waits until then.
        is_for_digest: it becomes a part of the digest of that moment.
    """
    parts = {
        "paragraphs": [str(paragraph) for paragraph in paragraphs],
        "action_label": str(action[0]) if action else "",
        "action_url": settings.SITE_URL + action[1] if action else "",
    }
    unsubscribe_url = unsubscribing.link(user, stops) if stops else ""
    context = {"subject": subject, "unsubscribe_url": unsubscribe_url, **parts}
    mail = OutgoingMail(
        user=user,
        address=address,
        key=key,
        event=stops,
        subject=" ".join(subject.split())[:250],  # names that people type may have line breaks, subjects may not
        text=render_to_string("mail/message.txt", context),
        html=render_to_string("mail/message.html", context),
        parts=parts if is_for_digest else None,
        is_for_digest=is_for_digest,
    )
    if not_before is not None:
        mail.next_attempt_at = not_before
    OutgoingMail.objects.bulk_create([mail], ignore_conflicts=True)
    if not_before is None:
        soon("accounts.tasks.send_mails")


def queue_mail(*, address: str, user: User | None, subject: str, text: str, html: str = "") -> None:
    """Put a mail that is written already into the outbox: django-allauth's, which may go to an address without a user.

    It may hold a link that lets somebody in, so it is forgotten once it has been sent.
    """
    OutgoingMail.objects.create(
        user=user, address=address, key=f"{PRIVATE}{uuid7()}", subject=subject[:250], text=text, html=html
    )
    soon("accounts.tasks.send_mails")


def write_farewell(*, user: User, subject: str, paragraphs: Sequence[str]) -> None:
    """The last mail to somebody whose account is deleted in the caller's transaction: to the address that it had, and
    of nobody. It is forgotten altogether once it has been sent."""
    context = {"subject": subject, "paragraphs": [str(paragraph) for paragraph in paragraphs]}
    OutgoingMail.objects.create(
        address=user.email,
        key=f"{FAREWELL}{uuid7()}",
        subject=" ".join(subject.split())[:250],
        text=render_to_string("mail/message.txt", context),
        html=render_to_string("mail/message.html", context),
    )
    soon("accounts.tasks.send_mails")


def tidy(*, now: datetime) -> int:
    """Forget mails that are older than the settings say, those that never could be sent too. Returns how many."""
    oldest = now - timedelta(days=settings.MARKETPLACE_MAIL_DAYS)
    return delete_in_parts(OutgoingMail.objects.filter(created_at__lt=oldest))


def send_due(*, now: datetime, limit: int = 50) -> int:
    """Send what is due and return how many went out. Safe to run twice at once: whoever takes a mail has it for a while.

    Whatever is wrong with one mail, the others get their turn.
    """
    clock = Clock(now)
    due = OutgoingMail.objects.due(now=now).values_list("pk", flat=True)[:limit]
    return sum(_send(pk, now=clock.now()) for pk in due)


def _send(pk: UUID, *, now: datetime) -> bool:
    taken = (
        OutgoingMail.objects.due(now=now)
        .filter(pk=pk)
        .order_by()
        .update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    )
    if not taken:
        return False
    mail = OutgoingMail.objects.select_related("user").get(pk=pk)
    message = EmailMultiAlternatives(
        mail.subject, mail.text, settings.DEFAULT_FROM_EMAIL, [mail.recipient], headers=unsubscribing.headers(mail)
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    try:
        message.send()
    except Exception as error:
        log.warning("mail %s was not sent: %r", mail.pk, error)
        pause = growing_pause(mail.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        OutgoingMail.objects.filter(pk=pk).update(error=str(error)[:500], next_attempt_at=now + pause)
        return False
    if mail.key.startswith(FAREWELL):
        mail.delete()
        return True
    # Links that let somebody in are not kept once they are out.
    forgotten = {"text": "", "html": ""} if mail.is_private else {}
    OutgoingMail.objects.filter(pk=pk).update(sent_at=timezone.now(), error="", **forgotten)
    return True
