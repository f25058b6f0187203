"""Adding SSH keys to a person's account or to an organization, and removing them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import ssh
from accounts.event_kinds import EventKind
from accounts.models import Organization, SSHKey, User
from accounts.outbox import written_for
from accounts.permissions import OrganizationAction, require_in
from accounts.services.telling import tell


@transaction.atomic
def add_key(*, user: User, text: str, name: str = "") -> SSHKey:
    """A key of the person's own. They are told, in case it was not them.

    Raises:
        accounts.ssh.BadKey: the text is no usable public key, or the person has it already.
    """
    key = _add(ssh.parse(text), name, twice=_("You have added this key already."), user=user)
    _tell_its_owner(key, user)
    return key


@transaction.atomic
def add_shared_key(*, organization: Organization, by: User, text: str, name: str = "", now: datetime) -> SSHKey:
    """Let a key in on every booking for an organization, also on those that run. Its administrators are told, also whoever
    adds it, in case it was not them.

    Raises:
        accounts.permissions.NotAllowed: the person may not, or not any more.
        accounts.ssh.BadKey: the text is no usable public key, or the organization has it already.
    """
    require_in(by, organization, OrganizationAction.EDIT_KEYS)
    twice = _("The organization has this key already.")
    key = _add(ssh.parse(text), name, twice=twice, organization=organization, added_by=by, created_at=now)
    for membership in organization.memberships.administrators().select_related("user"):
        _tell(membership.user, organization, key, by)
    return key


@transaction.atomic
def remove_shared_key(*, organization: Organization, by: User, key_id: UUID) -> SSHKey | None:
    """Take an organization's key away, also from machines that run with an agent. ``None``: it is gone already.

    Raises:
        accounts.permissions.NotAllowed: the person may not, or not any more.
    """
    require_in(by, organization, OrganizationAction.EDIT_KEYS)
    key = SSHKey.objects.select_for_update().filter(organization=organization, pk=key_id).first()
    if key is not None:
        SSHKey.objects.filter(pk=key.pk).delete()
    return key


def _add(key: ssh.PublicKey, name: str, *, twice: str, **owner: Any) -> SSHKey:
    try:
        with transaction.atomic():
            return SSHKey.objects.create(
                name=name or key.comment[:80] or key.key_type,
                public_key=key.line,
                key_type=key.key_type,
                fingerprint=key.fingerprint,
                **owner,
            )
    except IntegrityError as error:
        raise ssh.BadKey(twice) from error


def _tell_its_owner(key: SSHKey, user: User) -> None:
    with written_for(user):
        tell(
            user=user,
            event=EventKind.SECURITY,
            key=f"key-added:{key.pk}",
            subject=_("An SSH key was added: %(name)s") % {"name": key.name},
            paragraphs=[
                _("The key “%(name)s” was added to your account. It is let in on what you book.") % {"name": key.name},
                key.fingerprint,
                _("If that was not you, remove it and change your password."),
            ],
            action=(_("See your keys"), "/accounts/keys/"),
            now=key.created_at,
        )


def _tell(user: User, organization: Organization, key: SSHKey, by: User) -> None:
    is_own = user.pk == by.pk
    with written_for(user):
        about = {"by": by.known_as, "name": key.name, "organization": organization.name}
        tell(
            user=user,
            event=EventKind.SECURITY,
            key=f"shared-key:{key.pk}",
            subject=_("%(organization)s: an SSH key was added") % about,
            paragraphs=[
                (
                    _("You added the key “%(name)s”. It is let in on every booking for %(organization)s.")
                    if is_own
                    else _("%(by)s added the key “%(name)s”. It is let in on every booking for %(organization)s.")
                )
                % about,
                key.fingerprint,
                _("If that was not you, remove it and change your password.")
                if is_own
                else _("If nobody of you knows it, remove it."),
            ],
            action=(_("See the keys"), f"/organizations/{organization.pk}/keys/"),
        )
