"""What of this room is forgotten in time. The table of how long what is kept: :func:`accounts.privacy.retention`."""

import logging
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, ProtectedError, RestrictedError

from accounts import outbox
from accounts.models import SignOnUse, User
from accounts.services.deletions import take_out
from common.clearing import delete_in_parts
from common.history.facts import because

log = logging.getLogger(__name__)


def forget_old(*, now: datetime) -> int:
    """Mails, sessions, addresses that providers said, and accounts that nobody ever used. Returns how many rows went."""
    gone = outbox.tidy(now=now) + forget_sessions(now=now) + forget_said_addresses(now=now)
    return gone + forget_unconfirmed(now=now)


def forget_said_addresses(*, now: datetime) -> int:
    """What the providers of organizations said of who came: that somebody came, stays."""
    oldest = now - timedelta(days=settings.MARKETPLACE_SIGN_ON_DAYS)
    return SignOnUse.objects.filter(at__lt=oldest).exclude(email="").update(email="")


def forget_sessions(*, now: datetime) -> int:
    """Sessions that have ended, and their places in the lists of where people are signed in."""
    oldest = now - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    over = delete_in_parts(Session.objects.filter(expire_date__lt=now))
    alive = Session.objects.filter(session_key=OuterRef("session_key"))
    return over + delete_in_parts(UserSession.objects.filter(~Exists(alive), last_seen_at__lt=oldest))


def forget_unconfirmed(*, now: datetime, limit: int = 200) -> int:
    """Accounts whose address was never confirmed and that were never used. What anything hangs on, stays."""
    addresses = EmailAddress.objects.filter(user=OuterRef("pk"))
    never = User.objects.filter(
        Exists(addresses),
        ~Exists(addresses.filter(verified=True)),
        last_login=None,
        is_staff=False,
        signup_date__lt=now - timedelta(days=settings.MARKETPLACE_UNCONFIRMED_DAYS),
    )
    return sum(forget_account(person, now=now) for person in never.order_by("signup_date")[:limit])


def forget_account(person: User, *, now: datetime) -> bool:
    """Whether the account is gone: nobody has ever confirmed its address or come in, and nothing hangs on it."""
    try:
        with transaction.atomic(), because("Its address was never confirmed."):
            row = User.objects.select_for_update().get(pk=person.pk)
            if row.last_login is not None or EmailAddress.objects.filter(user=row, verified=True).exists():
                return False  # somebody has just come after all
            take_out(row, now=now)
            row.data_exports.all().delete()
            row.delete()
    except (ProtectedError, RestrictedError) as error:
        log.info("user %s never confirmed an address, and stays: %s", person.pk, error)
        return False
    return True
