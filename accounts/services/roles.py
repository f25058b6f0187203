"""What people come for. Administrators' roles are given in the administration, never here."""

import logging
from collections.abc import Collection

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Membership, Role, User
from common.errors import MarketplaceError

log = logging.getLogger(__name__)

#: The roles that anyone may take on and lay down.
PURPOSES = (Role.BUYER, Role.PROVIDER)


class NotAnAdministrator(MarketplaceError):
    """Only a platform administrator decides this."""


def require_administrator(user: User) -> None:
    """
    Raises:
        NotAnAdministrator: the person is none, or their account is switched off.
    """
    if not (user.is_platform_administrator and user.is_active):
        raise NotAnAdministrator(_("Only a platform administrator decides this."))


def administrators() -> QuerySet[User]:
    """Everybody who is to be told when something needs a platform administrator."""
    return User.objects.filter(roles__contains=[Role.PLATFORM_ADMINISTRATOR], is_active=True).order_by("pk")


@transaction.atomic
def set_purposes(*, user: User, purposes: Collection[str]) -> None:
    """Make ``purposes`` the ones of :data:`PURPOSES` that the person holds. Every other role stays as it is."""
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    kept = [role for role in row.roles if role not in PURPOSES]
    roles = [*(role.value for role in PURPOSES if role in purposes), *kept]
    if set(roles) == set(row.roles):
        return
    log.info("roles of user %s: %s, before %s, changed by themselves", user.pk, roles, row.roles)
    row.roles = user.roles = roles
    row.save(update_fields=["roles"])


def become_provider(*, user: User) -> None:
    """Add the provider role. Doing so twice is quiet."""
    set_purposes(user=user, purposes={*user.roles, Role.PROVIDER})


@transaction.atomic
def follow_memberships(*, user: User) -> None:
    """Make the person an Organizational Administrator if they are an administrator of any organization, else not.

    The person's row is locked before their memberships are read: where two organizations change at once, the later one
    sees what the earlier did.
    """
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    is_one = Membership.objects.administrators().filter(user=row).exists()
    if is_one == (Role.ORGANIZATIONAL_ADMINISTRATOR in row.roles):
        user.roles = row.roles
        return
    others = [role for role in row.roles if role != Role.ORGANIZATIONAL_ADMINISTRATOR]
    roles = [*others, Role.ORGANIZATIONAL_ADMINISTRATOR.value] if is_one else others
    log.info("roles of user %s: %s, before %s, by their memberships", user.pk, roles, row.roles)
    row.roles = user.roles = roles
    row.save(update_fields=["roles"])
