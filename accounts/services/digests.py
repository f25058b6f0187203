"""Digests: mails that could wait, gathered into one."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import ngettext

from accounts import quiet, unsubscribing
from accounts.event_kinds import EventKind
from accounts.models import OutgoingMail, User
from accounts.outbox import written_for
from accounts.services.telling import preferences_of
from common.queue import soon

log = logging.getLogger(__name__)

#: More are told of in the next digest, which comes with the next sweep.
MOST_ITEMS = 100


def gather_due(*, now: datetime) -> int:
    """Make a mail of what waits for each person whose digest is due. Returns how many digests were made."""
    due = OutgoingMail.objects.to_gather().filter(next_attempt_at__lte=now).order_by()
    made = 0
    for user_id in due.values_list("user", flat=True).distinct():
        try:
            made += _gather(user_id, now=now)
        except Exception:
            log.exception("the digest of %s could not be made", user_id)
    return made


@transaction.atomic
def _gather(user_id: UUID, *, now: datetime) -> bool:
    """One person's. Whoever else gathers at the same time leaves these rows alone, and finds them gathered afterwards."""
    due = OutgoingMail.objects.to_gather().filter(user=user_id, next_attempt_at__lte=now)
    rows = list(due.select_for_update(skip_locked=True, of=("self",)).order_by("created_at", "pk")[:MOST_ITEMS])
    if not rows:
        return False
    user = User.objects.get(pk=user_id)
    digest = _written(user, rows)
    digest.next_attempt_at = quiet.quiet_hours_end(preferences_of(user), user, now=now) or now
    digest.save()
    OutgoingMail.objects.filter(pk__in=[row.pk for row in rows]).update(sent_at=now, digest=digest)
    soon("accounts.tasks.send_mails")
    return True


def _written(user: User, rows: Sequence[OutgoingMail]) -> OutgoingMail:
    """Sorted by what they are about, in the order of the catalogue."""
    order = list(EventKind.values)
    ranked = sorted(rows, key=lambda row: order.index(row.event) if row.event in order else len(order))
    items = [{"subject": row.subject, **(row.parts or {})} for row in ranked]
    with written_for(user):
        count = len(rows)
        subject = ngettext("%(count)s message for you", "%(count)s messages for you", count) % {"count": count}
        context = {
            "subject": subject,
            "items": items,
            "unsubscribe_url": unsubscribing.link(user, unsubscribing.DIGEST),
            "settings_url": f"{settings.SITE_URL}{reverse('message_settings')}",
        }
        text = render_to_string("mail/digest.txt", context)
        html = render_to_string("mail/digest.html", context)
    return OutgoingMail(
        user=user, key=f"digest:{rows[0].pk}", event=unsubscribing.DIGEST, subject=subject, text=text, html=html
    )
