"""What bookings do about what agents report. Runs inside the report's transaction, with the booking's row locked."""

from datetime import datetime
from typing import Any

from bookings.services import erasure, provision
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
