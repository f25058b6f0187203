"""What bookings do about what agents report, and when somebody's part in an organization changes.

Both run inside the transaction in which it is written down.
"""

from datetime import datetime
from typing import Any

from accounts.models import Membership, User
from bookings.services import erasure, keys, provision
from machines.models import Report, Work, WorkKind


def take_report(sender: Any, *, work: Work, report: Report | None, now: datetime, **_: Any) -> None:
    """
    Raises:
        machines.services.errors.Implausible: the report says what cannot be.
    """
    if work.kind in (WorkKind.PROVISION, WorkKind.REVOKE):
        provision.record(work, now=now)
    elif work.kind == WorkKind.WIPE:
        erasure.record_evidence(work=work, report=report, now=now)


def follow_membership(sender: Any, *, membership: Membership, before: str, by: User, now: datetime, **_: Any) -> None:
    """Whoever may not book for an organization any more is not let in on its bookings."""
    keys.follow_membership(membership=membership, before=before, by=by, now=now)
