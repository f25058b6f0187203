"""Asking to be a verified individual or institution, and deciding it."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import User, Verification
from accounts.outbox import write_mail
from accounts.services.roles import require_administrator
from common.errors import MarketplaceError


class VerificationError(MarketplaceError):
    """A verification cannot be asked for or decided like this."""


def request_verification(
    *, user: User, kind: str, legal_name: str, country: str, statement: str, now: datetime
) -> Verification:
    """
    Raises:
        VerificationError: the person is verified already, or a request is waiting.
    """
    if user.verifications.approved().exists():
        raise VerificationError("You are verified already.")
    try:
        with transaction.atomic():
            return Verification.objects.create(
                user=user, kind=kind, legal_name=legal_name, country=country, statement=statement, submitted_at=now
            )
    except IntegrityError as error:
        raise VerificationError("Your request is waiting for review already.") from error


@transaction.atomic
def decide_verification(
    *, verification: Verification, approve: bool, by: User, reason: str, now: datetime
) -> Verification:
    """Approve or reject, with a reason that the person reads. Deciding the same way twice is quiet.

    Raises:
        VerificationError: it has been decided the other way, or a rejection gives no reason.
        NotAnAdministrator: ``by`` may not decide.
    """
    require_administrator(by)
    status = Verification.Status.APPROVED if approve else Verification.Status.REJECTED
    row = Verification.objects.select_for_update().select_related("user").get(pk=verification.pk)
    if row.status == status:
        return row
    if row.status != Verification.Status.PENDING:
        raise VerificationError(f"This was decided already: {row.get_status_display().lower()}.")
    if not approve and not reason.strip():
        raise VerificationError("A rejection needs a reason that the person can act on.", field="reason")
    row.status, row.decided_at, row.decided_by, row.reason = status, now, by, reason.strip()
    row.save(update_fields=["status", "decided_at", "decided_by", "reason"])
    paragraphs = (
        ["Your papers were checked and you are verified. The badge is on everything you offer."]
        if approve
        else ["Your verification was not approved.", f"Reason: {row.reason}", "You can correct it and ask again."]
    )
    write_mail(
        user=row.user,
        key=f"verification-{status}:{row.pk}",
        subject="You are verified" if approve else "Your verification was not approved",
        paragraphs=paragraphs,
        action=("Open your account", "/accounts/profile/"),
    )
    return row
