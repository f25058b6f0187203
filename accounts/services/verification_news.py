"""What people and administrators are told about verifications, each in their own language and zone."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Verification, VerificationQuestion
from accounts.outbox import written_for
from accounts.services.roles import administrators
from accounts.services.telling import tell
from common.formats import day

PAGE = "/accounts/verification/"


def sent(row: Verification, *, now: datetime) -> None:
    with written_for(row.user):
        days = settings.MARKETPLACE_DOCUMENT_RETENTION.days
        _tell(
            row,
            key=f"verification-sent:{row.pk}",
            subject=_("Your request to be verified has been sent"),
            paragraphs=[
                _(
                    "You asked to be verified as %(name)s. An administrator looks at your documents, and you get a mail "
                    "when it is decided."
                )
                % {"name": row.legal_name},
                _("Nobody else sees the documents. They are deleted %(days)s days after the decision.")
                % {"days": days},
            ],
            tone="info",
            now=now,
        )
    _tell_administrators(row, key=f"verification-sent:{row.pk}", now=now)


def answered(row: Verification, question: VerificationQuestion, *, now: datetime) -> None:
    _tell_administrators(row, key=f"verification-answered:{question.pk}", now=now)


def approved(row: Verification, *, now: datetime) -> None:
    with written_for(row.user):
        words = _(
            "Your papers were checked and you are verified, until %(until)s. The badge is on everything you offer."
        )
        _tell(
            row,
            key=f"verification-approved:{row.pk}",
            subject=_("You are verified"),
            paragraphs=[words % {"until": day(row.valid_until)}, row.reason],
            tone="good",
            now=now,
        )


def rejected(row: Verification, *, now: datetime) -> None:
    with written_for(row.user):
        still = row.user.verifications.valid(now=now).first()
        _tell(
            row,
            key=f"verification-rejected:{row.pk}",
            subject=_("Your verification was not approved"),
            paragraphs=[
                _("Your verification was not approved."),
                _("Reason: %(reason)s") % {"reason": row.reason},
                _("You can correct it and ask again."),
                _("You stay verified until %(until)s.") % {"until": day(still.valid_until)} if still else "",
            ],
            tone="bad",
            now=now,
        )


def more_asked_for(row: Verification, question: VerificationQuestion, *, now: datetime) -> None:
    with written_for(row.user):
        words = _(
            "Add documents or answer on the page. If we do not hear from you within %(days)s days, the request is closed."
        )
        _tell(
            row,
            key=f"verification-more:{question.pk}",
            subject=_("Something is missing in your request to be verified"),
            paragraphs=[question.text, words % {"days": settings.MARKETPLACE_VERIFICATION_DRAFT.days}],
            tone="warn",
            now=now,
        )


def lapsed(row: Verification, *, now: datetime) -> None:
    with written_for(row.user):
        _tell(
            row,
            key=f"verification-lapsed:{row.pk}",
            subject=_("Your request to be verified is closed"),
            paragraphs=[
                _("We asked you for something and heard nothing for %(days)s days, so the request is closed.")
                % {"days": settings.MARKETPLACE_VERIFICATION_DRAFT.days},
                _("You can ask again whenever you like. What you wrote is still there."),
            ],
            tone="warn",
            now=now,
        )


def expiring(row: Verification, *, days: int, now: datetime) -> None:
    """It ends within so many days, and nothing follows it yet."""
    with written_for(row.user):
        _tell(
            row,
            key=f"verification-expires-{days}:{row.pk}",
            subject=_("Your verification ends on %(until)s") % {"until": day(row.valid_until)},
            paragraphs=[
                _("Renew it before that, with documents that are valid now. It takes a few minutes."),
                _(
                    "Without it your machines take no new bookings, and you can book only up to a limit. Bookings already made go on."
                ),
            ],
            tone="warn",
            now=now,
        )


def expired(row: Verification, *, now: datetime) -> None:
    with written_for(row.user):
        _tell(
            row,
            key=f"verification-expired:{row.pk}",
            subject=_("Your verification has ended"),
            paragraphs=[
                _(
                    "You are no longer verified. Your machines take no new bookings until you are again, and you can book only up to a limit."
                ),
                _("Bookings already made go on. Ask again, and everything comes back by itself once it is approved."),
            ],
            tone="bad",
            now=now,
        )


def _tell(row: Verification, *, key: str, subject: str, paragraphs: Sequence[str], tone: str, now: datetime) -> None:
    tell(
        user=row.user,
        event=EventKind.VERIFICATION,
        key=key,
        subject=subject,
        paragraphs=paragraphs,
        action=(_("Open your verification"), PAGE),
        tone=tone,
        about={"verification": str(row.pk), "status": row.status},
        now=now,
    )


def _tell_administrators(row: Verification, *, key: str, now: datetime) -> None:
    page = f"/admin/accounts/verification/{row.pk}/change/"
    for administrator in administrators().exclude(pk=row.user_id):
        with written_for(administrator):
            tell(
                user=administrator,
                event=EventKind.NOTICE,
                key=key,
                subject=_("To verify: %(name)s") % {"name": row.legal_name},
                paragraphs=[str(row.get_kind_display())],
                action=(_("Open the request"), page),
                now=now,
            )
