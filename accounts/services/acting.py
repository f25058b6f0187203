"""An administrator looks at the site as somebody else does: for a reason, for a time, and the person is told."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Acting, ActingEnd, Notification, User
from accounts.outbox import written_for
from accounts.services.roles import require_administrator
from accounts.services.telling import tell
from common import formats
from common.errors import MarketplaceError

log = logging.getLogger(__name__)


class ActingError(MarketplaceError):
    """Nobody can act as this person like this."""


def may_be_acted_as(user: User) -> bool:
    """Administrators are left out: nobody borrows what they may do."""
    return user.is_active and not (user.is_platform_administrator or user.is_staff or user.is_superuser)


@transaction.atomic
def begin_acting(*, administrator: User, user: User, reason: str, now: datetime, minutes: int | None = None) -> Acting:
    """Begin; the person is told at once, by mail and in the page.

    Args:
        minutes: how long, at most and by default ``MARKETPLACE_ACTING``.

    Raises:
        NotAnAdministrator: ``administrator`` is none.
        ActingError: it would be another administrator, a closed account, or there is no reason.
    """
    require_administrator(administrator)
    if not reason.strip():
        raise ActingError(_("Say why: the person reads it."), field="reason")
    if not may_be_acted_as(user):
        raise ActingError(_("Nobody acts as an administrator, or as somebody whose account is closed."))
    longest: timedelta = settings.MARKETPLACE_ACTING
    length = longest if minutes is None else min(timedelta(minutes=max(minutes, 1)), longest)
    row = Acting.objects.create(
        administrator=administrator, user=user, reason=reason.strip()[:1000], began_at=now, ends_at=now + length
    )
    _tell(row, now=now)
    log.info("acting %s: administrator %s as user %s until %s", row.pk, administrator.pk, user.pk, row.ends_at)
    return row


def acting_of(*, pk: str, administrator: User, now: datetime) -> Acting | None:
    """The one that goes on: looked at again at every request. What may not go on any more is ended here."""
    try:
        row = (
            Acting.objects.select_related("user", "administrator")
            .filter(pk=UUID(pk), administrator=administrator)
            .first()
        )
    except ValueError:
        return None
    if row is None or row.ended_at is not None:
        return None
    if row.ends_at <= now:
        end_acting(acting=row, how=ActingEnd.TIME, now=row.ends_at)
        return None
    if not (administrator.is_active and administrator.is_platform_administrator and may_be_acted_as(row.user)):
        end_acting(acting=row, how=ActingEnd.REFUSED, now=now)
        return None
    return row


def end_acting(*, acting: Acting, how: str, now: datetime) -> None:
    """It is over. Ending it twice is quiet."""
    if Acting.objects.filter(pk=acting.pk, ended_at=None).update(ended_at=now, ended_by=how):
        log.info("acting %s ended: %s", acting.pk, how)


def _tell(row: Acting, *, now: datetime) -> None:
    with written_for(row.user):
        subject = _("An administrator looks at your account")
        said = [
            _("To help you, an administrator of the marketplace sees the site as you see it, until %(until)s.")
            % {"until": formats.when_both(row.ends_at)},
            _("The reason: %(why)s") % {"why": row.reason},
            _(
                "They can look, and change nothing: no booking, no payment, no password, no key. It stands in your history."
            ),
        ]
        key, link = f"acting:{row.pk}", "/accounts/history/"
        tell(
            user=row.user,
            event=EventKind.SECURITY,
            key=key,
            subject=subject,
            paragraphs=said,
            action=(_("Your history"), link),
            text=" ".join(said[:2]),
            tone=Notification.Tone.WARN,
            now=now,
        )
