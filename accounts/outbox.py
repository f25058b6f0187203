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

from accounts.models import PRIVATE, OutgoingMail, User
from common.formats import in_region
from common.ids import uuid7
from common.leases import Clock, growing_pause
from common.queue import soon

log = logging.getLogger(__name__)

#: Longer than a mail server may take for one mail.
LEASE = timedelta(minutes=2)
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


@contextmanager
def written_for(user: User) -> Iterator[None]:
    """Format times, numbers and money for this person: in their own zone, or in UTC, and as in their own country."""
    with timezone.override(zoneinfo.ZoneInfo(user.timezone or "UTC")), in_region(user.country.code or ""):
        yield


def write_mail(
    *,
    user: User,
    key: str,
    subject: str,
    paragraphs: Sequence[str],
    action: tuple[str, str] | None = None,
    address: str = "",
) -> None:
    """Put a mail into the outbox, inside the caller's transaction.

    Args:
        key: names the event; the same event never writes two mails to one person.
        action: a button's words and the path it leads to.
        address: where to, if not to the user's own address.
    """
    context = {
        "subject": subject,
        "paragraphs": paragraphs,
        "action_label": action[0] if action else "",
        "action_url": settings.SITE_URL + action[1] if action else "",
    }
    mail = OutgoingMail(
        user=user,
        address=address,
        key=key,
        subject=" ".join(subject.split()),  # names that people type may have line breaks, subjects may not
        text=render_to_string("mail/message.txt", context),
        html=render_to_string("mail/message.html", context),
    )
    OutgoingMail.objects.bulk_create([mail], ignore_conflicts=True)
    soon("accounts.tasks.send_mails")


def queue_mail(*, address: str, user: User | None, subject: str, text: str, html: str = "") -> None:
    """Put a mail that is written already into the outbox: django-allauth's, which may go to an address without a user.

    It may hold a link that lets somebody in, so it is forgotten once it has been sent.
    """
    OutgoingMail.objects.create(
        user=user, address=address, key=f"{PRIVATE}{uuid7()}", subject=subject[:250], text=text, html=html
    )
    soon("accounts.tasks.send_mails")


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
    message = EmailMultiAlternatives(mail.subject, mail.text, settings.DEFAULT_FROM_EMAIL, [mail.recipient])
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    try:
        message.send()
    except Exception as error:
        log.warning("mail %s was not sent: %r", mail.pk, error)
        pause = growing_pause(mail.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        OutgoingMail.objects.filter(pk=pk).update(error=str(error)[:500], next_attempt_at=now + pause)
        return False
    # Links that let somebody in are not kept once they are out.
    forgotten = {"text": "", "html": ""} if mail.is_private else {}
    OutgoingMail.objects.filter(pk=pk).update(sent_at=timezone.now(), error="", **forgotten)
    return True
