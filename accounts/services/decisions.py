"""Two administrators for what is dangerous: one asks, with a reason, and another one confirms or declines."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.dangerous import Arguments, named
from accounts.event_kinds import EventKind
from accounts.models import Decision, DecisionState, Notification, User
from accounts.outbox import written_for
from accounts.services.roles import administrators, require_administrator
from accounts.services.telling import tell
from common.errors import MarketplaceError
from common.history.facts import because

log = logging.getLogger(__name__)


class DecisionError(MarketplaceError):
    """It cannot be asked for, confirmed or declined like this."""


class TakesTwo(DecisionError):
    """One administrator alone may not do it."""


def require_two(*, by: User, second: User | None) -> None:
    """For the services that do it, however they are called.

    Raises:
        NotAnAdministrator: one of the two is none, or none any more.
        TakesTwo: there is no second one, or it is the same person.
    """
    require_administrator(by)
    if second is None:
        raise TakesTwo(_("This takes two administrators: ask for it, and another one confirms it."))
    require_administrator(second)
    if second.pk == by.pk:
        raise TakesTwo(_("Whoever asked for it cannot confirm it. Another administrator has to."))


@transaction.atomic
def ask(*, action: str, arguments: Arguments, reason: str, by: User, now: datetime) -> Decision:
    """Ask for a dangerous action. Every other administrator is told.

    Args:
        action: its name in :mod:`accounts.dangerous`.

    Raises:
        NotAnAdministrator: ``by`` is none.
        DecisionError: there is no reason, nobody who could confirm, or the same waits already.
        MarketplaceError: it could not be done even now.
    """
    require_administrator(by)
    if not reason.strip():
        raise DecisionError(_("Say why: the second administrator reads it."), field="reason")
    others = list(administrators().exclude(pk=by.pk))
    if not others:
        raise DecisionError(_("There is no other administrator who could confirm it. Give the role to somebody first."))
    wanted = named(action)
    about = wanted.about(arguments)
    _close_lapsed(action, about, now=now)
    try:
        with transaction.atomic():
            row = Decision.objects.create(
                action=action,
                about=about,
                arguments=dict(arguments),
                shown=[list(pair) for pair in wanted.show(arguments)],
                reason=reason.strip()[:1000],
                asked_by=by,
                asked_at=now,
                expires_at=now + settings.MARKETPLACE_SECOND_PERSON,
            )
    except IntegrityError as error:
        raise DecisionError(_("This has been asked for already, and waits for a second administrator.")) from error
    for user in others:
        _tell_to_confirm(row, user, now=now)
    log.info("decision %s: %s of %s asked for by %s", row.pk, action, about, by.pk)
    return row


@transaction.atomic
def confirm(*, decision: Decision, by: User, now: datetime) -> Decision:
    """Do it, as it was asked for, in the same transaction. If it cannot be done any more, nothing has been decided.

    Raises:
        NotAnAdministrator: one of the two is none, or none any more.
        TakesTwo: ``by`` is who asked for it.
        DecisionError: it does not wait any more.
        MarketplaceError: what was asked for cannot be done now.
    """
    row = _waiting(decision, now=now)
    require_two(by=row.asked_by, second=by)
    with because(row.reason):
        named(row.action).do(row.arguments, by=row.asked_by, second=by, reason=row.reason, now=now)
    _decide(row, DecisionState.DONE, by=by, now=now)
    _tell_who_asked(row, now=now)
    return row


@transaction.atomic
def decline(*, decision: Decision, by: User, reason: str, now: datetime) -> Decision:
    """Say no; whoever asked for it takes it back by this.

    Raises:
        NotAnAdministrator: ``by`` is none.
        DecisionError: it does not wait any more, or there is no reason.
    """
    require_administrator(by)
    row = _waiting(decision, now=now)
    if by == row.asked_by:
        _decide(row, DecisionState.WITHDRAWN, by=by, now=now, answer=reason)
        return row
    if not reason.strip():
        raise DecisionError(_("Say why not: whoever asked for it reads it."), field="reason")
    _decide(row, DecisionState.DECLINED, by=by, now=now, answer=reason)
    _tell_who_asked(row, now=now)
    return row


def _waiting(decision: Decision, *, now: datetime) -> Decision:
    """Under a lock: of two who confirm at once, the second one finds it done."""
    row = Decision.objects.select_for_update(of=("self",)).select_related("asked_by").get(pk=decision.pk)
    if row.state != DecisionState.WAITING:
        raise DecisionError(_("This does not wait any more: %s.") % str(row.get_state_display()).lower())
    if row.expires_at <= now:
        raise DecisionError(_("Nobody confirmed this in time. It has to be asked for again."))
    return row


def _decide(row: Decision, state: str, *, by: User, now: datetime, answer: str = "") -> None:
    row.state, row.decided_by, row.decided_at, row.answer = state, by, now, answer.strip()[:1000]
    row.save(update_fields=["state", "decided_by", "decided_at", "answer"])
    log.info("decision %s: %s by %s", row.pk, state, by.pk)


def _close_lapsed(action: str, about: str, *, now: datetime) -> None:
    Decision.objects.lapsed(now=now).filter(action=action, about=about).update(
        state=DecisionState.EXPIRED, decided_at=now
    )


def _link(row: Decision) -> str:
    return reverse("admin:accounts_decision_change", args=[row.pk])


def _tell_to_confirm(row: Decision, user: User, *, now: datetime) -> None:
    with written_for(user):
        subject = _("To confirm: %s") % row.words
        said = [
            _("%(who)s asks for it: %(why)s") % {"who": row.asked_by, "why": row.reason},
            *(f"{label}: {value}" for label, value in row.details),
            _("It takes a second administrator. Look at it, then confirm or decline it."),
        ]
        key, link = f"decision:{row.pk}", _link(row)
        tell(
            user=user,
            event=EventKind.TROUBLE,
            key=key,
            subject=subject,
            paragraphs=said,
            action=(_("Look at it"), link),
            tone=Notification.Tone.WARN,
            now=now,
        )


def _tell_who_asked(row: Decision, *, now: datetime) -> None:
    with written_for(row.asked_by):
        tell(
            user=row.asked_by,
            event=EventKind.NOTICE,
            key=f"decided:{row.pk}",
            subject=f"{row.get_state_display()}: {row.words}",
            paragraphs=[" ".join(filter(None, [_("By %s.") % row.decided_by, row.answer]))],
            action=(_("Look at it"), _link(row)),
            tone=Notification.Tone.GOOD if row.state == DecisionState.DONE else Notification.Tone.WARN,
            now=now,
        )
