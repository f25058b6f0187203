"""The link in a mail that switches mails of its kind off: signed, good without signing in (RFC 8058)."""

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import OutgoingMail, User
from common.errors import MarketplaceError

#: What stands for the digest where a kind of event would.
DIGEST = "digest"

_signer = Signer(salt="accounts.unsubscribing")


class BadLink(MarketplaceError):
    """The link was cut off, or is not ours."""


def link(user: User, what: str) -> str:
    """The whole address. ``what``: a kind of event, or :data:`DIGEST`."""
    return _link(user.pk, what)


def _link(user_id: UUID, what: str) -> str:
    token = _signer.sign_object([str(user_id), what])
    return f"{settings.SITE_URL}{reverse('unsubscribe', args=[token])}"


def headers(mail: OutgoingMail) -> dict[str, str]:
    """What lets a mail program offer to unsubscribe with one click; nothing for mails that are always sent."""
    if not mail.event or mail.user_id is None:
        return {}
    return {
        "List-Unsubscribe": f"<{_link(mail.user_id, mail.event)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def opened(token: str) -> tuple[User, str]:
    """Whose mails, and which.

    Raises:
        BadLink: it is not whole, not ours, or names what cannot be switched off.
    """
    try:
        user_id, what = _signer.unsign_object(token)
        user = User.objects.get(pk=user_id)
    except (BadSignature, ValueError, TypeError, User.DoesNotExist) as error:
        raise BadLink(_("This link is not whole. Copy all of it from the mail.")) from error
    if what != DIGEST and not (what in EventKind.values and EventKind(what).can_be_stopped):
        raise BadLink(_("These mails cannot be switched off."))
    return user, what
