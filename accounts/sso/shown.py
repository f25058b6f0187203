"""Who has shown a password or passkey of their own, and was sent to the provider because their organization requires it.

The provider's answer may then be linked to their account as if they were signed in, which they could not be before
(docs/decisions/0045). Kept in the session, for as long as it takes to sign in there, and for one answer.
"""

import time

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.models import SingleSignOn, User
from accounts.services.sign_on_members import required_of

KEY = "shown_before_sign_on"
#: Seconds that somebody has to sign in at the provider.
GOOD_FOR = 10 * 60


def keep(request: HttpRequest, user: User) -> None:
    """They are not signed in by it. The session gets another key: whoever knew it before has nothing of this."""
    request.session.cycle_key()
    request.session[KEY] = {"user": str(user.pk), "hash": user.get_session_auth_hash(), "at": time.time()}


def take(request: HttpRequest, sign_on: SingleSignOn) -> User | None:
    """Who it was, if they were sent to this very provider just now and have not changed their password since."""
    kept = request.session.pop(KEY, None)
    if kept is None or time.time() - kept["at"] > GOOD_FOR:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept["hash"]):
        return None
    return user if required_of(user) == sign_on else None
