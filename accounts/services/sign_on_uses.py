"""What is written down of each use of single sign-on: an organization's administrators see it in its history."""

from datetime import datetime

from accounts.models import SignOnOutcome, SignOnUse, SingleSignOn, User
from common.history.facts import also
from common.rates import TooManyRequests, spend

#: So many failures of an organization are written down; whoever makes more of them by hand fills no table.
FAILURES = "60/hour"


def note(
    sign_on: SingleSignOn,
    outcome: str,
    *,
    user: User | None = None,
    email: str = "",
    reason: str = "",
    now: datetime,
) -> None:
    """Somebody came back from the provider.

    Args:
        email: as the provider said it.
        reason: why it was refused, in English.
    """
    if user is not None:
        also(user=user.pk)
    SignOnUse.objects.create(
        organization=sign_on.organization, user=user, email=email[:254], outcome=outcome, reason=reason[:300], at=now
    )


def note_failure(*, sign_on: SingleSignOn, reason: str, now: datetime) -> None:
    """What came back was not what the protocol wants: for the organization's administrators to find out why."""
    try:
        spend(FAILURES, "sign-on-failures", str(sign_on.pk))
    except TooManyRequests:
        return
    note(sign_on, SignOnOutcome.REFUSED, reason=reason, now=now)
