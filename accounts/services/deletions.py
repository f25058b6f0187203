"""Letting an account go: asked for, reconsidered, then done by a sweep (see :mod:`accounts.privacy`)."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import privacy
from accounts.event_kinds import EventKind
from accounts.models import DeletionRequest, Membership, Notification, User
from accounts.outbox import write_farewell, written_for
from accounts.privacy import Obstacle
from accounts.scrubbing import scrub, scrub_history
from accounts.services.organizations import locked_organization
from accounts.services.roles import administrators, require_administrator
from accounts.services.telling import tell
from accounts.traces import traces_of, without_names_of_things
from common import formats
from common.errors import MarketplaceError
from common.history.facts import because
from common.leases import Clock

log = logging.getLogger(__name__)

#: What cannot be deleted because something came up meanwhile is tried again after this long.
LATER = timedelta(days=1)


class CannotGo(MarketplaceError):
    """Something has to be settled first."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        sentences = " ".join(str(obstacle.sentence) for obstacle in obstacles)
        super().__init__(_("This account cannot be deleted yet. %(why)s") % {"why": sentences})
        self.obstacles = obstacles


def ask_for_deletion(*, user: User, by: User, now: datetime, reason: str = "") -> DeletionRequest:
    """Begin the time after which the account is deleted. Asking again returns the request that there is.

    Args:
        by: the person, or a platform administrator on their request, who says why.

    Raises:
        CannotGo: something has to be settled first.
        NotAnAdministrator: it is somebody else's account.
    """
    if by.pk != user.pk:
        require_administrator(by)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        there = person.deletion_requests.exclude(taken_back_at__isnull=False).first()
        if there is not None:
            return there
        if obstacles := privacy.obstacles(person, now=now):
            raise CannotGo(obstacles)
        with because(reason):
            request = DeletionRequest.objects.create(
                user=person, asked_by=by, reason=reason, asked_at=now, due_at=now + settings.MARKETPLACE_DELETION
            )
        _tell_of_beginning(request, by=by, now=now)
    log.info("deletion %s of user %s asked for by user %s", request.pk, user.pk, by.pk)
    return request


def _tell_of_beginning(request: DeletionRequest, *, by: User, now: datetime) -> None:
    person = request.user
    with written_for(person):
        tell(
            user=person,
            event=EventKind.SECURITY,
            key=f"deletion-begun:{request.pk}",
            subject=_("Your account will be deleted"),
            paragraphs=[
                _("It happens on %(day)s. Until then everything works as before, and you can take it back.")
                % {"day": formats.when(request.due_at)},
                ""
                if by.pk == person.pk
                else _("An administrator has begun it at your request: %(why)s") % {"why": request.reason},
                _("If this was not you, sign in, take it back, and change your password."),
            ],
            action=(_("See it, or take it back"), reverse("deletion")),
            tone=Notification.Tone.WARN,
            now=now,
        )


def take_back(*, user: User, by: User, now: datetime, reason: str = "") -> bool:
    """Keep the account after all. Returns whether it was about to go; taking it back twice is quiet.

    Raises:
        NotAnAdministrator: it is somebody else's account.
    """
    if by.pk != user.pk:
        require_administrator(by)
    with transaction.atomic():
        request = DeletionRequest.objects.open().filter(user=user).select_for_update().first()
        if request is None:
            return False
        request.taken_back_at = now
        with because(reason):
            request.save(update_fields=["taken_back_at"])
        with written_for(user):
            tell(
                user=user,
                event=EventKind.SECURITY,
                key=f"deletion-taken-back:{request.pk}",
                subject=_("Your account stays"),
                paragraphs=[_("Its deletion was taken back. Nothing has changed.")],
                tone=Notification.Tone.GOOD,
                link=reverse("privacy"),
                now=now,
            )
    log.info("deletion %s of user %s taken back by user %s", request.pk, user.pk, by.pk)
    return True


def delete_due(*, now: datetime, limit: int = 20) -> int:
    """Delete the accounts whose time is over and return how many. Each in a transaction of its own."""
    clock, done = Clock(now), 0
    for pk in DeletionRequest.objects.due(now=now).values_list("pk", flat=True)[:limit]:
        try:
            done += _delete(pk, now=clock.now())
        except Exception:  # whatever is wrong with one, the others get their turn, and this one is met again
            log.exception("deletion %s was not done", pk)
            _tell_of_failure(pk, now=clock.now())
    return done


@transaction.atomic
def _delete(pk: UUID, *, now: datetime) -> bool:
    request = DeletionRequest.objects.due(now=now).select_for_update(skip_locked=True).filter(pk=pk).first()
    if request is None:
        return False
    person = _locked_with_organizations(request.user_id)
    if person is None:
        return False
    if obstacles := privacy.obstacles(person, now=now):
        _hold_up(request, person, obstacles, now=now)
        return False
    with written_for(person):
        write_farewell(
            user=person,
            subject=_("Your account is deleted"),
            paragraphs=[
                _(
                    "As you asked, your account and what belonged to you alone are gone. Nobody can sign in to it any more."
                ),
                _("What the law makes us keep, such as invoices, stays for as long as it says and for nothing else."),
                _("This is our last mail to you. With this address you can sign up anew."),
            ],
        )
    erase(person, now=now)
    request.done_at, request.reason = now, ""
    request.save(update_fields=["done_at", "reason"])
    log.info("user %s deleted", person.pk)
    return True


def _locked_with_organizations(pk: UUID) -> User | None:
    """The person, and every organization that they belong to: none of them changes before it is all over.

    Organizations come first, as everywhere. ``None``: they joined another one meanwhile, and the next sweep begins anew.
    """
    before = list(_organizations_of(pk))
    for organization in before:
        locked_organization(organization)
    person = User.objects.select_for_update().get(pk=pk)
    return person if list(_organizations_of(pk)) == before else None


def _organizations_of(pk: UUID) -> "QuerySet[Membership, UUID]":
    """Ids, in the order in which they are locked."""
    memberships = Membership.objects.current().filter(user=pk).order_by("organization")
    return memberships.values_list("organization", flat=True)


def erase(person: User, *, now: datetime) -> None:
    """Take a person out of every room, the uppermost first, and out of what others keep. In a transaction."""
    traces = traces_of(person)
    take_out(person, now=now)
    traces = without_names_of_things(traces)  # after their own things have lost theirs
    texts = {label: columns for room in privacy.rooms() for label, columns in room.texts.items()}
    for label, columns in texts.items():
        scrub(label, columns, traces)
    scrub_history(texts, traces)


def take_out(person: User, *, now: datetime) -> None:
    """Out of the tables of every room, the uppermost first. In a transaction."""
    with because(_("The account was deleted.")):
        for room in reversed(privacy.rooms()):
            room.erase(person, now)


@transaction.atomic
def _tell_of_failure(pk: UUID, *, now: datetime) -> None:
    """Once: it is tried again at every sweep."""
    for user in administrators():
        with written_for(user):
            tell(
                user=user,
                event=EventKind.TROUBLE,
                key=f"deletion-failed:{pk}",
                subject=_("An account could not be deleted"),
                paragraphs=[
                    _(
                        "Its time is over, and something went wrong. What it was is in the server's log: deletion %(id)s."
                    )
                    % {"id": pk},
                    _("It is tried again by itself every few minutes."),
                ],
                action=(_("Look at it"), reverse("admin:accounts_deletionrequest_change", args=[pk])),
                tone=Notification.Tone.BAD,
                now=now,
            )


def _hold_up(request: DeletionRequest, person: User, obstacles: Sequence[Obstacle], *, now: datetime) -> None:
    """Something came up since it was asked for: tried again every day, and told once."""
    is_news = request.held_up_at is None
    request.held_up_at, request.due_at = request.held_up_at or now, now + LATER
    request.save(update_fields=["held_up_at", "due_at"])
    if is_news:
        with written_for(person):
            tell(
                user=person,
                event=EventKind.SECURITY,
                key=f"deletion-held-up:{request.pk}",
                subject=_("Your account cannot be deleted yet"),
                paragraphs=[*(str(obstacle.sentence) for obstacle in obstacles), _("We try again every day.")],
                action=(_("See what is left to do"), reverse("deletion")),
                tone=Notification.Tone.WARN,
                now=now,
            )
