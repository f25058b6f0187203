"""What people are told of their organizations, by mail and in the page, in the transaction of what it tells of.

Each reads it in their own language, with their own times, whoever's doing it tells of.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from allauth.account.models import EmailAddress
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_stubs_ext import StrOrPromise

from accounts.event_kinds import EventKind
from accounts.models import EmailDomain, Invitation, Membership, Notification, Organization, OrganizationRole, User
from accounts.organization_words import WHAT_ROLES_DO
from accounts.outbox import queue_mail, written_for
from accounts.services.notifications import notify
from accounts.services.roles import administrators
from accounts.services.telling import tell
from common.formats import hours, lowered, when_both

#: A subject and paragraphs, in the language of whoever is to read them.
Words = Callable[[], tuple[str, list[str]]]


def invited(invitation: Invitation, *, token: str, now: datetime) -> None:
    """The letter, which goes to an address and is forgotten once it is sent; and in the page, if the address is known.

    Whoever is not known yet reads it in the language of whoever invites them.
    """
    organization, by = invitation.organization, invitation.invited_by
    known = EmailAddress.objects.filter(email__iexact=invitation.email, verified=True).select_related("user").first()
    with written_for(known.user if known else by):
        until = when_both(invitation.expires_at, now=now)
        words = {"organization": organization.name, "by": by.known_as, "role": _role(invitation.role), "until": until}
        subject = _("%(by)s invites you to %(organization)s") % words
        text = {
            "subject": subject,
            "by": words["by"],
            "paragraphs": [
                _("%(by)s invites you to join %(organization)s here, as %(role)s.") % words,
                what_it_does(invitation.role),
                _("The link is for you alone: it is good once, for %(hours)s, until %(until)s.")
                % {"hours": hours(settings.MARKETPLACE_INVITATION), "until": until},
                _("If you do not know them, do nothing: without you nothing happens."),
            ],
            "action_label": _("Open the invitation"),
            "action_url": settings.SITE_URL + reverse("invitation", args=[token]),
        }
        queue_mail(
            address=invitation.email,
            user=None,
            subject=" ".join(subject.split()),
            text=render_to_string("mail/invitation.txt", text),
            html=render_to_string("mail/invitation.html", text),
        )
        if known:
            notify(
                user=known.user,
                key=f"invited:{invitation.pk}:{now.isoformat()}",
                title=subject,
                text=_("As %(role)s. The invitation is good until %(until)s.") % words,
                link=reverse("organization_list"),
                event=EventKind.MEMBERSHIP,
                now=now,
            )


def joined(membership: Membership, *, now: datetime) -> None:
    """To its administrators."""
    organization, person = membership.organization, membership.user
    for administrator in _administrators(organization, but=person):
        _tell(
            administrator,
            f"member-joined:{membership.pk}",
            lambda: (
                _("%(name)s has joined %(organization)s")
                % {"name": person.known_as, "organization": organization.name},
                [_("They accepted your invitation, and are %(role)s now.") % {"role": _role(membership.role)}],
            ),
            organization=organization,
            label=gettext_lazy("See the members"),
            link=reverse("organization_members", args=[organization.pk]),
            tone=Notification.Tone.GOOD,
            now=now,
        )


def joined_by_sign_on(membership: Membership, *, now: datetime) -> None:
    """To its administrators: nobody has invited them."""
    organization, person = membership.organization, membership.user
    for administrator in _administrators(organization, but=person):
        _tell(
            administrator,
            f"member-joined:{membership.pk}",
            lambda: (
                _("%(name)s has joined %(organization)s")
                % {"name": person.known_as, "organization": organization.name},
                [
                    _("They signed in at your organization's provider for the first time, and are %(role)s now.")
                    % {"role": _role(membership.role)}
                ],
            ),
            organization=organization,
            label=gettext_lazy("See the members"),
            link=reverse("organization_members", args=[organization.pk]),
            tone=Notification.Tone.GOOD,
            now=now,
        )


def domain_asked(organization: Organization, asked: EmailDomain, *, now: datetime) -> None:
    """To the administrators of the marketplace, who find out whether it is the organization's."""
    for administrator in administrators():
        with written_for(administrator):
            tell(
                user=administrator,
                event=EventKind.NOTICE,
                key=f"domain-asked:{asked.pk}",
                subject=_("%(organization)s says that %(domain)s is its own")
                % {"organization": organization.name, "domain": asked.domain},
                paragraphs=[_("Find out whether it is, then approve it in the administration.")],
                action=(_("Look at it"), f"/admin/accounts/emaildomain/{asked.pk}/change/"),
                now=now,
            )


def domain_approved(organization: Organization, domain: str, *, now: datetime) -> None:
    """To its administrators: from now on its provider may speak for addresses of this domain."""
    for membership in organization.memberships.administrators().select_related("user"):
        _tell(
            membership.user,
            f"domain-approved:{organization.pk}:{domain}:{now.isoformat()}",
            lambda: (
                _("%(domain)s is approved for %(organization)s")
                % {"domain": domain, "organization": organization.name},
                [
                    _(
                        "Whoever has an address there can sign in at your organization's provider, once you have set it up."
                    )
                ],
            ),
            organization=organization,
            label=gettext_lazy("Open single sign-on"),
            link=reverse("organization_sign_on", args=[organization.pk]),
            tone=Notification.Tone.GOOD,
            now=now,
        )


def role_changed(membership: Membership, *, before: str, by: User, now: datetime) -> None:
    """To the member."""
    organization = membership.organization
    _tell(
        membership.user,
        f"member-role:{membership.pk}:{now.isoformat()}",
        lambda: (
            _("Your role in %(organization)s is %(role)s now")
            % {"organization": organization.name, "role": _role(membership.role)},
            [
                _("%(by)s changed it. It was %(before)s.") % {"by": by.known_as, "before": _role(before)},
                what_it_does(membership.role),
            ],
        ),
        organization=organization,
        label=gettext_lazy("Open the organization"),
        link=reverse("organization_detail", args=[organization.pk]),
        tone=Notification.Tone.INFO,
        now=now,
    )


def removed(membership: Membership, *, by: User, now: datetime) -> None:
    """To whoever is a member no more."""
    organization = membership.organization
    _tell(
        membership.user,
        f"member-removed:{membership.pk}",
        lambda: (
            _("You do not belong to %(organization)s any more") % {"organization": organization.name},
            [
                _("%(by)s has removed you. Its pages are closed to you from now on.") % {"by": by.known_as},
                _("What you booked for it stays its own. Bookings, keys and payments of your own are not touched."),
            ],
        ),
        organization=organization,
        label=gettext_lazy("Open your account"),
        link=reverse("organization_list"),
        tone=Notification.Tone.WARN,
        now=now,
    )


def left(membership: Membership, *, now: datetime) -> None:
    """To its administrators."""
    organization, person = membership.organization, membership.user
    for administrator in _administrators(organization, but=person):
        _tell(
            administrator,
            f"member-left:{membership.pk}",
            lambda: (
                _("%(name)s has left %(organization)s") % {"name": person.known_as, "organization": organization.name},
                [_("What they booked for it stays its own.")],
            ),
            organization=organization,
            label=gettext_lazy("See the members"),
            link=reverse("organization_members", args=[organization.pk]),
            tone=Notification.Tone.INFO,
            now=now,
        )


def transferred(organization: Organization, *, before: User, after: User, by: User, now: datetime) -> None:
    """To all of its administrators; the two whom it concerns most learn what it means."""
    words = {"organization": organization.name, "before": before.known_as, "after": after.known_as, "by": by.known_as}
    meaning: dict[object, StrOrPromise] = {}
    if organization.machines.exists():
        meaning = {
            after.pk: gettext_lazy("Its machines are in your account from now on, and its invoices reach you."),
            before.pk: gettext_lazy(
                "Its machines are not in your account any more. What they earned until now is still paid out to you."
            ),
        }

    def told(person: User) -> tuple[str, list[str]]:
        yours, theirs = _("You own %(organization)s now"), _("%(after)s owns %(organization)s now")
        return (yours if person.pk == after.pk else theirs) % words, [
            _("%(by)s made %(after)s its owner, who was %(before)s before.") % words,
            str(meaning.get(person.pk, "")),
        ]

    for person in _administrators(organization, but=by):
        _tell(
            person,
            f"organization-owner:{organization.pk}:{now.isoformat()}",
            partial(told, person),
            organization=organization,
            label=gettext_lazy("Open the organization"),
            link=reverse("organization_detail", args=[organization.pk]),
            tone=Notification.Tone.INFO,
            now=now,
        )


def _administrators(organization: Organization, *, but: User) -> list[User]:
    found = organization.memberships.administrators().filter(user__is_active=True).exclude(user=but)
    return [membership.user for membership in found.select_related("user")]


def _tell(
    user: User,
    key: str,
    words: Words,
    *,
    organization: Organization,
    label: StrOrPromise,
    link: str,
    tone: str,
    now: datetime,
) -> None:
    with written_for(user):
        subject, paragraphs = words()
        tell(
            user=user,
            event=EventKind.MEMBERSHIP,
            key=key,
            subject=subject,
            paragraphs=paragraphs,
            action=(str(label), link),
            tone=tone,
            organization=organization,
            about={"organization": str(organization.pk)},
            now=now,
        )


def what_it_does(role: str) -> str:
    """As a sentence: “Member: books servers for the organization, within its budgets.”"""
    return f"{OrganizationRole(role).label}: {WHAT_ROLES_DO[OrganizationRole(role)]}."


def _role(role: str) -> str:
    return lowered(OrganizationRole(role).label)
