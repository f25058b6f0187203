"""Decisions that take two administrators: turning a verification around, and who is an administrator."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import events
from accounts.models import Role, User, Verification
from accounts.services import verification_news
from accounts.services.decisions import DecisionError, require_two
from accounts.services.roles import administrators
from accounts.services.verifications import VerificationError

log = logging.getLogger(__name__)


@transaction.atomic
def override_verification(
    *, verification: Verification, approve: bool, by: User, second: User | None, reason: str, now: datetime
) -> Verification:
    """Approve what was rejected, or reject what was approved. The person is told, with the reason.

    Raises:
        NotAnAdministrator, TakesTwo: not two administrators.
        VerificationError: it has not been decided the other way, another one of the person's counts, or it is one of
            the administrators' own.
    """
    require_two(by=by, second=second)
    # All of the person's, in one order: another one may be decided in this moment.
    theirs = Verification.objects.select_for_update(of=("self",)).select_related("user").order_by("pk")
    row = next(one for one in theirs.filter(user=verification.user_id) if one.pk == verification.pk)
    check_override(row, approve=approve, now=now)
    if row.user in (by, second):
        raise VerificationError(_("You cannot decide about yourself. Another administrator has to."))
    status = Verification.Status.APPROVED if approve else Verification.Status.REJECTED
    row.status, row.decided_at, row.decided_by, row.reason = status, now, by, reason.strip()
    row.valid_until = now + settings.MARKETPLACE_VERIFICATION_VALID if approve else None
    row.expired_at, row.warned_days = None, None
    changed = ["status", "decided_at", "decided_by", "reason", "valid_until", "expired_at", "warned_days"]
    row.save(update_fields=changed)
    (verification_news.approved if approve else verification_news.rejected)(row, now=now)
    events.verification_changed.send(Verification, user=row.user, now=now)
    return row


def check_override(verification: Verification, *, approve: bool, now: datetime) -> None:
    """Whether it may be turned around. An approval is taken back whatever else there is: it may be forged like others.

    Raises:
        VerificationError: it has not been decided the other way; or it is to be approved, and another one of the
            person's is approved now, or a newer one was decided.
    """
    before = Verification.Status.REJECTED if approve else Verification.Status.APPROVED
    if verification.status != before:
        raise VerificationError(
            _("Only what was decided the other way is turned around. This is: %s.")
            % str(verification.get_status_display()).lower()
        )
    others = Verification.objects.filter(user=verification.user_id).exclude(pk=verification.pk)
    if approve and others.valid(now=now).exists():
        raise VerificationError(_("Another request of this person is approved. That one counts."))
    newer = others.filter(submitted_at__gt=verification.submitted_at)
    if approve and newer.filter(status__in=[Verification.Status.APPROVED, before]).exists():
        raise VerificationError(_("A newer request of this person has been decided. Turn that one around instead."))


@transaction.atomic
def set_administrator(*, user: User, holds: bool, by: User, second: User | None, reason: str, now: datetime) -> User:
    """Make a person a platform administrator, or take that from them. With the role goes the way into the administration.

    Raises:
        NotAnAdministrator, TakesTwo: not two administrators.
        DecisionError: it is so already, or fewer than two administrators would be left.
    """
    require_two(by=by, second=second)
    # All of them, in one order: two who take the role from each other at once see each other.
    everyone = administrators().values_list("pk", flat=True).select_for_update(no_key=True)
    left = set(everyone) | {user.pk} if holds else set(everyone) - {user.pk}
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check_administrator(row, holds=holds)
    if len(left) < 2:
        raise DecisionError(_("Two administrators have to be left: what is dangerous takes two."))
    others = [role for role in row.roles if role != Role.PLATFORM_ADMINISTRATOR]
    row.roles = [*others, Role.PLATFORM_ADMINISTRATOR.value] if holds else others
    row.is_staff = row.is_superuser = holds
    row.save(update_fields=["roles", "is_staff", "is_superuser"])
    log.warning("administrator %s: %s, by %s and %s", row.pk, holds, by.pk, second.pk if second else None)
    return row


def check_administrator(user: User, *, holds: bool) -> None:
    """
    Raises:
        DecisionError: it is so already, or the account is closed.
    """
    if user.is_platform_administrator == holds:
        raise DecisionError(_("It is so already."))
    if holds and not user.is_active:
        raise DecisionError(_("This account is closed."))
