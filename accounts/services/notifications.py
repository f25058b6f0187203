"""Telling a person something in the page. Mail is written beside it, not instead."""

from datetime import datetime

from django.utils import timezone

from accounts.models import Notification, User


def notify(
    *,
    user: User,
    key: str,
    title: str,
    text: str = "",
    link: str = "",
    tone: str = Notification.Tone.INFO,
    now: datetime | None = None,
) -> None:
    """Tell it inside the caller's transaction.

    Args:
        key: names the event; the same event is told to one person once.
        link: a path of this site.
        now: when it happened, if not at this moment.
    """
    told = Notification(
        user=user,
        key=key,
        title=" ".join(title.split())[:200],
        text=text[:500],
        link=link,
        tone=tone,
        at=now or timezone.now(),
    )
    Notification.objects.bulk_create([told], ignore_conflicts=True)


def read_all(*, user: User, until: datetime, now: datetime) -> int:
    """What had been told to this person by ``until``, when they looked, has been read. Returns how many that were."""
    return user.notifications.unread().filter(at__lte=until).update(read_at=now)
