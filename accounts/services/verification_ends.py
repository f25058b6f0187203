"""What time does to verifications: approvals end, and requests that nobody goes on with are closed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts import events
from accounts.models import Verification, VerificationQuerySet, VerificationQuestion
from accounts.services import verification_news

Status = Verification.Status


def follow(*, now: datetime) -> int:
    """Warn, expire and close what is due. Returns how many requests changed. Safe to run twice at once."""
    expired = _each(Verification.objects.approved().filter(expired_at=None, valid_until__lte=now), _expire, now=now)
    warned = sum(
        _each(_to_warn(days, now=now), _warn, now=now, days=days)
        for days in sorted(settings.MARKETPLACE_VERIFICATION_WARNINGS)  # the last one first: it makes the others late
    )
    return expired + warned + _each(_abandoned(now=now), _close, now=now)


def _each(rows: VerificationQuerySet, step: object, **more: object) -> int:
    """``step`` for each of them, in a transaction of its own, with its row locked and looked at again."""
    done = 0
    for pk in list(rows.values_list("pk", flat=True).order_by("pk")):
        with transaction.atomic():
            row = rows.select_for_update(of=("self",), skip_locked=True).select_related("user").filter(pk=pk).first()
            if row is not None:
                step(row, **more)  # type: ignore[operator]
                done += 1
    return done


# Approvals ------------------------------------------------------------------------------------------------


def _followed_by_another() -> Exists:
    """Whether its person has an approval that lasts longer."""
    others = Verification.objects.approved().filter(user=OuterRef("user"), valid_until__gt=OuterRef("valid_until"))
    return Exists(others)


def _to_warn(days: int, *, now: datetime) -> VerificationQuerySet:
    """Those that end within so many days, nothing follows, and whose person has not been told of so few days."""
    return (
        Verification.objects.approved()
        .filter(~_followed_by_another(), valid_until__gt=now, valid_until__lte=now + timedelta(days=days))
        .filter(Q(warned_days=None) | Q(warned_days__gt=days))
    )


def _warn(row: Verification, *, now: datetime, days: int) -> None:
    row.warned_days = days
    row.save(update_fields=["warned_days"])
    verification_news.expiring(row, days=days, now=now)


def _expire(row: Verification, *, now: datetime) -> None:
    row.expired_at = now
    row.save(update_fields=["expired_at"])
    if not row.user.verifications.approved().filter(valid_until__gt=row.valid_until).exists():
        verification_news.expired(row, now=now)
        events.verification_changed.send(Verification, user=row.user, now=now)


# Requests -------------------------------------------------------------------------------------------------


def _abandoned(*, now: datetime) -> VerificationQuerySet:
    """Begun, or asked for more, and left alone for too long."""
    before = now - settings.MARKETPLACE_VERIFICATION_DRAFT
    unanswered = VerificationQuestion.objects.filter(verification=OuterRef("pk"), answered_at=None, asked_at__lt=before)
    return Verification.objects.filter(
        Q(status=Status.DRAFT, submitted_at__lt=before) | Q(Exists(unanswered), status=Status.MORE)
    )


def _close(row: Verification, *, now: datetime) -> None:
    if row.is_draft:
        row.delete()
        return
    row.status, row.decided_at = Status.LAPSED, now
    row.save(update_fields=["status", "decided_at"])
    verification_news.lapsed(row, now=now)
