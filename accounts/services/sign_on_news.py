"""What people are told of single sign-on: who looks after the organization, and whom its provider may sign in from now on.

By it whoever chooses the provider may come in as others do, so it is told as what concerns security is: always, and at once.
"""

from collections.abc import Callable
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.event_kinds import EventKind
from accounts.models import Notification, Organization, SingleSignOn, User
from accounts.outbox import written_for
from accounts.services.telling import tell

#: A subject and paragraphs, in the language of whoever is to read them.
Words = Callable[[], tuple[str, list[str]]]


def saved(sign_on: SingleSignOn, *, by: User, now: datetime) -> None:
    """To its administrators and its owner, also to whoever did it: it may have been somebody else in their name."""
    organization = sign_on.organization
    words = {"organization": organization.name, "by": by.known_as, "provider": str(sign_on)}
    _tell_all(
        organization,
        f"sign-on-saved:{sign_on.pk}:{now.isoformat()}",
        lambda: (
            _("The provider at which %(organization)s signs in was changed") % words,
            [
                _("%(by)s set it up like this: %(provider)s.") % words,
                _(
                    "Whoever has the say at that provider can sign in as members. If you did not expect this, look at it now."
                ),
            ],
        ),
        now=now,
    )


def removed(organization: Organization, *, by: User, now: datetime) -> None:
    """To its administrators and its owner."""
    words = {"organization": organization.name, "by": by.known_as}
    _tell_all(
        organization,
        f"sign-on-removed:{organization.pk}:{now.isoformat()}",
        lambda: (
            _("%(organization)s has no single sign-on any more") % words,
            [_("%(by)s removed the provider. Whoever has no password gets one by “Forgot your password?”.") % words],
        ),
        now=now,
    )


def required(sign_on: SingleSignOn, *, by: User, now: datetime) -> None:
    """To its administrators and its owner: that it is required now, or not any more."""
    organization, is_required = sign_on.organization, sign_on.is_required
    words = {"organization": organization.name, "by": by.known_as}
    _tell_all(
        organization,
        f"sign-on-required:{sign_on.pk}:{now.isoformat()}",
        lambda: (
            _("%(organization)s requires single sign-on now") % words
            if is_required
            else _("%(organization)s does not require single sign-on any more") % words,
            [_("%(by)s decided so. It is about members with addresses of your domains.") % words],
        ),
        now=now,
    )


def linked(sign_on: SingleSignOn, user: User, *, now: datetime) -> None:
    """To the person: from now on the provider opens their account."""
    words = {"organization": sign_on.organization.name, "provider": str(sign_on)}
    with written_for(user):
        tell(
            user=user,
            event=EventKind.SECURITY,
            key=f"sign-on-linked:{sign_on.pk}:{now.isoformat()}",
            subject=_("The provider of %(organization)s signs you in from now on") % words,
            paragraphs=[
                _("Somebody signed in there with your address, and your account was linked to it: %(provider)s.")
                % words,
                _(
                    "If it was not you, write to us, and set up a second factor: it is asked for after that provider, too."
                ),
            ],
            action=(_("Open security"), reverse("security")),
            tone=Notification.Tone.WARN,
            now=now,
        )


def _tell_all(organization: Organization, key: str, words: Words, *, now: datetime) -> None:
    found = organization.memberships.administrators().filter(user__is_active=True).select_related("user")
    for person in {organization.owner, *(membership.user for membership in found)}:
        with written_for(person):
            subject, paragraphs = words()
            tell(
                user=person,
                event=EventKind.SECURITY,
                key=key,
                subject=subject,
                paragraphs=paragraphs,
                action=(_("Open single sign-on"), reverse("organization_sign_on", args=[organization.pk])),
                tone=Notification.Tone.WARN,
                organization=organization,
                about={"organization": str(organization.pk)},
                now=now,
            )
