"""Asking to be a verified individual or institution, step by step, and deciding it.

A request is a *draft* while its person writes it, *pending* once it is sent, *more* while they are asked for something,
and at last *approved* for a time, *rejected*, or *lapsed* because nobody answered (``services/verification_ends.py``).
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import events
from accounts.models import User, Verification, VerificationQuestion
from accounts.services import verification_news
from accounts.services.roles import require_administrator
from accounts.verification_needs import missing
from common.errors import MarketplaceError
from common.formats import day

Status = Verification.Status


class VerificationError(MarketplaceError):
    """A verification cannot be asked for or decided like this."""


# Where somebody stands ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What a person has: an approval that counts, a request that is open, and what became of the last one."""

    approval: Verification | None
    request: Verification | None
    last: Verification | None
    now: datetime

    @property
    def is_nothing(self) -> bool:
        return not (self.approval or self.request or self.last)

    @property
    def has_expired(self) -> bool:
        """Verified once, and not any more."""
        return self.approval is None and self.last is not None and self.last.is_approved

    @property
    def renewable_from(self) -> datetime | None:
        return _renewable_from(self.approval) if self.approval else None

    @property
    def other_kind(self) -> str:
        """The kind that the approval is not of."""
        kinds = Verification.Kind
        return kinds.INDIVIDUAL if self.approval and self.approval.is_institution else kinds.INSTITUTION

    @property
    def can_ask(self) -> bool:
        """Whether a request can be begun, or the one that is begun gone on with."""
        if self.request is not None:
            return self.request.is_writable
        return self.renewable_from is None or self.renewable_from <= self.now


def standing_of(user: User, *, now: datetime) -> Standing:
    """One query, unless the person's verifications are prefetched."""
    rows = sorted(user.verifications.all(), key=lambda row: row.submitted_at, reverse=True)
    valid = [row for row in rows if row.is_valid_at(now)]
    approval = max(valid, key=lambda row: row.valid_until or now, default=None)
    decided = [
        row for row in rows if not row.is_open and (approval is None or row.submitted_at > approval.submitted_at)
    ]
    return Standing(
        approval=approval,
        request=next((row for row in rows if row.is_open), None),
        last=next((row for row in decided if row is not approval), None),
        now=now,
    )


def _renewable_from(approval: Verification) -> datetime | None:
    return approval.valid_until and approval.valid_until - settings.MARKETPLACE_VERIFICATION_RENEWAL


# Asking ---------------------------------------------------------------------------------------------------


def start_request(*, user: User, kind: str, now: datetime) -> Verification:
    """Begin a request, or say of the one that is begun that it is of this kind. It starts with what was said before.

    Raises:
        VerificationError: a request waits for its review, or the approval is too young to be renewed.
    """
    standing = standing_of(user, now=now)
    approval, before = standing.approval, standing.request
    if before is None and not standing.can_ask and approval and approval.kind == kind and standing.renewable_from:
        raise VerificationError(
            _("You are verified until %(until)s. You can renew that from %(start)s on.")
            % {"until": day(approval.valid_until), "start": day(standing.renewable_from)}
        )
    if before is not None and before.is_writable:
        return _change_kind(user, kind)
    try:
        with transaction.atomic():
            return Verification.objects.create(
                user=user, kind=kind, status=Status.DRAFT, submitted_at=now, **_words_before(user, kind)
            )
    except IntegrityError as error:
        raise VerificationError(_("Your request is waiting for review already.")) from error


@transaction.atomic
def _change_kind(user: User, kind: str) -> Verification:
    row = writable(user)
    if row.kind != kind:
        row.kind = kind
        row.save(update_fields=["kind"])
    return row


def _words_before(user: User, kind: str) -> dict[str, str]:
    last = user.verifications.filter(kind=kind).order_by("-submitted_at").first()
    if last is not None:
        return {
            "legal_name": last.legal_name,
            "country": last.country.code,
            "acts_as": last.acts_as,
            "statement": last.statement,
        }
    name = user.organization_name if kind == Verification.Kind.INSTITUTION else user.name
    return {"legal_name": name, "country": user.country.code or ""}


@transaction.atomic
def save_details(*, user: User, legal_name: str, country: str, statement: str, acts_as: str = "") -> Verification:
    """What the request says, apart from its documents.

    Raises:
        VerificationError: there is none that could be changed.
    """
    row = writable(user)
    row.legal_name, row.country, row.statement = legal_name, country, statement
    row.acts_as = acts_as if row.is_institution else ""
    row.save(update_fields=["legal_name", "country", "statement", "acts_as"])
    return row


@transaction.atomic
def send_request(*, user: User, now: datetime, answer: str = "") -> Verification:
    """Hand it to the administrators; of one that more was asked for, with what the person answers.

    Raises:
        VerificationError: something of it is missing, or it has been sent.
    """
    row = writable(user)
    if lacks := missing(row):
        raise VerificationError(" ".join(lacks))
    if row.needs_more:
        return _answer(row, answer.strip(), now=now)
    row.status, row.submitted_at = Status.PENDING, now
    row.save(update_fields=["status", "submitted_at"])
    verification_news.sent(row, now=now)
    return row


def _answer(row: Verification, answer: str, *, now: datetime) -> Verification:
    if not answer:
        raise VerificationError(_("Say what you have added, or answer what was asked."), field="answer")
    question = row.questions.get(answered_at=None)
    question.answer, question.answered_at = answer, now
    question.save(update_fields=["answer", "answered_at"])
    row.status = Status.PENDING
    row.save(update_fields=["status"])
    verification_news.answered(row, question, now=now)
    return row


@transaction.atomic
def discard_draft(*, user: User) -> bool:
    """Throw away what has not been sent, with its documents. Returns whether there was anything."""
    row = user.verifications.select_for_update(no_key=True).filter(status=Status.DRAFT).first()
    if row is not None:
        row.delete()  # its documents stay without it until their files are gone: verification_documents.forget_due
    return row is not None


def writable(user: User) -> Verification:
    """The person's request that they can still change, locked. In a transaction.

    Raises:
        VerificationError: there is none.
    """
    row = user.verifications.select_for_update(no_key=True).filter(status__in=Verification.WRITABLE).first()
    if row is None:
        raise VerificationError(
            _("There is no request that you could change. Begin a new one, or wait for the decision.")
        )
    row.user = user
    return row


# Deciding -------------------------------------------------------------------------------------------------


@transaction.atomic
def decide_verification(
    *, verification: Verification, approve: bool, by: User, reason: str, now: datetime
) -> Verification:
    """Approve or reject, with a reason that the person reads. Deciding the same way twice is quiet.

    Raises:
        VerificationError: it has been decided the other way, a rejection gives no reason, or it is the
            administrator's own.
        NotAnAdministrator: ``by`` may not decide.
    """
    row = _to_decide(verification, by=by)
    status = Status.APPROVED if approve else Status.REJECTED
    if row.status == status:
        return row
    if row.status not in (Status.PENDING, Status.MORE):
        raise _decided_already(row)
    if not approve and not reason.strip():
        raise VerificationError(_("A rejection needs a reason that the person can act on."), field="reason")
    row.status, row.decided_at, row.decided_by, row.reason = status, now, by, reason.strip()
    row.valid_until = now + settings.MARKETPLACE_VERIFICATION_VALID if approve else None
    row.save(update_fields=["status", "decided_at", "decided_by", "reason", "valid_until"])
    if approve:
        verification_news.approved(row, now=now)
        events.verification_changed.send(Verification, user=row.user, now=now)
    else:
        verification_news.rejected(row, now=now)
    return row


@transaction.atomic
def ask_for_more(*, verification: Verification, by: User, question: str, now: datetime) -> Verification:
    """Let the person add what is missing before it is decided. Asking the same twice is quiet.

    Raises:
        VerificationError: it does not wait for a decision, nothing is asked, or it is the administrator's own.
        NotAnAdministrator: ``by`` may not decide.
    """
    row = _to_decide(verification, by=by)
    question = question.strip()
    if row.needs_more and row.questions.filter(answered_at=None, text=question).exists():
        return row
    if row.needs_more:
        raise VerificationError(_("Somebody has asked for more already, and the person has not answered yet."))
    if not row.is_pending:
        raise _decided_already(row)
    if not question:
        raise VerificationError(_("Say what is missing, in words that the person can act on."), field="reason")
    asked = VerificationQuestion.objects.create(verification=row, text=question, asked_at=now, asked_by=by)
    row.status = Status.MORE
    row.save(update_fields=["status"])
    verification_news.more_asked_for(row, asked, now=now)
    return row


def _to_decide(verification: Verification, *, by: User) -> Verification:
    """The request, locked, so that of two administrators one decides and the other reads what was decided."""
    require_administrator(by)
    row = Verification.objects.sent().select_for_update(of=("self",)).select_related("user").get(pk=verification.pk)
    if row.user_id == by.pk:
        raise VerificationError(_("You cannot decide about yourself. Another administrator has to."))
    return row


def _decided_already(row: Verification) -> VerificationError:
    return VerificationError(
        _("This was decided already: %(status)s.") % {"status": str(row.get_status_display()).lower()}
    )
