"""What a person is told in the page: written here by :mod:`accounts.services.telling`, read, kept and tidied away."""

from datetime import datetime, timedelta

from django.conf import settings
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
    event: str = "",
    now: datetime | None = None,
) -> None:
    """Tell it inside the caller's transaction.

    Args:
        key: names the event; the same event is told to one person once.
        link: a path of this site.
        event: what kind it is, by which the page filters.
        now: when it happened, if not at this moment.
    """
    told = Notification(
        user=user,
        key=key,
        title=" ".join(title.split())[:200],
        text=text[:500],
        link=link[:300],
        tone=tone,
        event=event,
        at=now or timezone.now(),
    )
    Notification.objects.bulk_create([told], ignore_conflicts=True)


def read_all(*, user: User, until: datetime, now: datetime) -> int:
    """What had been told to this person by ``until``, when they looked, has been read. Returns how many that were."""
    return user.notifications.unread().filter(at__lte=until).update(read_at=now)


def read_one(*, notification: Notification, now: datetime) -> None:
    """It has been read; when, stays as it was if it had been before."""
    Notification.objects.unread().filter(pk=notification.pk).update(read_at=now)


def keep(*, notification: Notification, keeps: bool, now: datetime) -> None:
    """Keep it, so that it is not tidied away, or let it go."""
    notification.kept_at = (notification.kept_at or now) if keeps else None
    notification.save(update_fields=["kept_at"])


def tidy(*, now: datetime) -> int:
    """Delete what is older than the settings say, read or not, unless its reader keeps it. Returns how many."""
    oldest = now - timedelta(days=settings.MARKETPLACE_NOTIFICATION_DAYS)
    return Notification.objects.filter(at__lt=oldest, kept_at=None).delete()[0]
