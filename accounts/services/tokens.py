"""API tokens: made, used, revoked, and how their uses are kept and forgotten (rules: Who)."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import tokens
from accounts.event_kinds import EventKind
from accounts.models import ApiToken, ApiTokenUse, Membership, Organization, Scope, User
from accounts.outbox import written_for
from accounts.permissions import OrganizationAction, membership_of, require_in
from accounts.services.organizations import locked_organization
from accounts.services.telling import tell
from common.errors import MarketplaceError
from common.formats import when_both
from common.languages import said_later
from common.redaction import redacted

#: Tokens that one person has at a time.
MOST = 50
#: ``last_used_at`` is to the minute: a program that asks often writes it no oftener.
NOTED_EVERY = timedelta(minutes=1)


class TokenError(MarketplaceError):
    """A token that cannot be made like this."""


class TokenRefused(MarketplaceError):
    """A token that does not let its program in. ``status`` and ``code`` are HTTP's and RFC 6750's."""

    def __init__(self, message: str, *, status: int = 401, code: str = "invalid_token", token: ApiToken | None = None):
        super().__init__(message)
        self.status, self.code, self.token = status, code, token


@dataclass(frozen=True)
class Bearer:
    """Who is let in: the token, and the membership that it acts by if it acts for an organization."""

    token: ApiToken
    membership: Membership | None

    @property
    def user(self) -> User:
        return self.token.user


# Making and revoking ------------------------------------------------------------------------------------


@transaction.atomic
def make_token(
    *,
    user: User,
    name: str,
    scopes: Collection[Scope],
    days: int,
    now: datetime,
    organization: Organization | None = None,
) -> tuple[ApiToken, str]:
    """The token and its secret, which is to be shown once.

    Args:
        days: how long it is good for.

    Raises:
        TokenError: it has no scope, lives too long, there are too many, or the person does not belong to the organization.
    """
    if not scopes or Scope.FEEDS in scopes:
        raise TokenError(_("Choose at least one thing that the token is for."), field="scopes")
    longest = settings.MARKETPLACE_TOKEN_DAYS
    if not 1 <= days <= longest:
        raise TokenError(
            ngettext("A token lives at most %(days)s day.", "A token lives at most %(days)s days.", longest)
            % {"days": longest},
            field="days",
        )
    # Its row is the lock: whoever is removed in this moment has none that would come back with them.
    if organization is not None and membership_of(user, locked_organization(organization.pk)) is None:
        raise TokenError(_("You do not belong to this organization any more."), field="acts_for")
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # of two at once the second counts the first
    if user.api_tokens.for_programs().current(now=now).count() >= MOST:
        raise TokenError(_("You have as many tokens as one can have. Revoke one that nothing uses any more."))
    token, secret = _make(
        user=user, organization=organization, name=name, scopes=scopes, lives=timedelta(days=days), now=now
    )
    _tell(token)
    return token, secret


def _make(
    *,
    user: User,
    organization: Organization | None,
    name: str,
    scopes: Collection[Scope],
    lives: timedelta,
    now: datetime,
) -> tuple[ApiToken, str]:
    secret = tokens.make_secret()
    token = ApiToken.objects.create(
        user=user,
        organization=organization,
        name=name,
        prefix=secret[: tokens.SHOWN],
        token_hash=tokens.digest(secret),
        scopes=[scope for scope in Scope if scope in scopes],
        created_at=now,
        expires_at=now + lives,
    )
    return token, secret


def _tell(token: ApiToken) -> None:
    with written_for(token.user):
        about = {"name": token.name, "prefix": token.prefix, "until": when_both(token.expires_at)}
        acts_for = _("It acts for %(organization)s.") % {"organization": token.organization}
        tell(
            user=token.user,
            event=EventKind.SECURITY,
            key=f"token-made:{token.pk}",
            subject=_("An API token was made: %(name)s") % about,
            paragraphs=[
                _("The token “%(name)s” (%(prefix)s…) was made in your account. It is good until %(until)s.") % about,
                *([acts_for] if token.organization else []),
                _("What it is for: %(scopes)s.") % {"scopes": "; ".join(str(label) for label in token.scope_labels())},
                _("If that was not you, revoke it and change your password."),
            ],
            action=(_("See your tokens"), "/accounts/tokens/"),
            now=token.created_at,
        )


@transaction.atomic
def revoke_token(*, token_id: UUID, by: User, now: datetime, reason: str = "") -> bool:
    """Let it in no more, from the next request on. Returns whether it was not revoked before.

    Its person is told when it was somebody else who revoked it.
    """
    token = ApiToken.objects.select_for_update(of=("self",), no_key=True).select_related("user").get(pk=token_id)
    if token.is_revoked:
        return False
    token.revoked_at, token.revoked_by = now, by
    token.save(update_fields=["revoked_at", "revoked_by"])
    if by.pk != token.user_id:
        _tell_of_revocation(token, reason, now=now)
    return True


@transaction.atomic
def revoke_token_of(*, organization: Organization, token_id: UUID, by: User, now: datetime) -> bool:
    """As :func:`revoke_token`, by an administrator of the organization that the token acts for.

    Raises:
        NotAllowed: they are none any more.
    """
    require_in(by, organization, OrganizationAction.EDIT_TOKENS)
    reason = said_later(lambda: _("It acted for %(organization)s.") % {"organization": organization})
    return revoke_token(token_id=token_id, by=by, now=now, reason=reason)


def revoke_tokens_for(*, organization: Organization, user: User, by: User, now: datetime) -> None:
    """As :func:`revoke_token`, all by which somebody acts for an organization that they do not belong to any more."""
    reason = said_later(
        lambda: (
            _("It acted for %(organization)s, to which you do not belong any more.") % {"organization": organization}
        )
    )
    for pk in user.api_tokens.filter(organization=organization, revoked_at=None).values_list("pk", flat=True):
        revoke_token(token_id=pk, by=by, now=now, reason=reason)


def _tell_of_revocation(token: ApiToken, reason: str, *, now: datetime) -> None:
    with written_for(token.user):
        about = {"name": token.name, "prefix": token.prefix}
        tell(
            user=token.user,
            event=EventKind.SECURITY,
            key=f"token-revoked:{token.pk}",
            subject=_("An API token was revoked: %(name)s") % about,
            paragraphs=[
                _("An administrator revoked the token “%(name)s” (%(prefix)s…). Whatever used it is let in no more.")
                % about,
                str(reason),  # in this person's language, where it is said later
                _("If you need one, make another."),
            ],
            action=(_("See your tokens"), "/accounts/tokens/"),
            now=now,
        )


@transaction.atomic
def renew_feed(*, user: User, now: datetime, organization: Organization | None = None) -> tuple[ApiToken, str]:
    """A new secret for the person's calendar feeds, or for their organization's. The one before stops at once.

    It lives for ``MARKETPLACE_FEED_DAYS`` after its last use: calendar programs ask for good, and who has left off does not.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    user.api_tokens.feeds().filter(organization=organization, revoked_at=None).update(revoked_at=now, revoked_by=user)
    return _make(
        user=user,
        organization=organization,
        name=_("Calendar feeds"),
        scopes=[Scope.FEEDS],
        lives=settings.MARKETPLACE_FEED,
        now=now,
    )


# Letting in ---------------------------------------------------------------------------------------------


def admit(*, secret: str, scope: Scope, now: datetime) -> Bearer:
    """Who is let in by this secret to do what the scope says. Nothing is written: :func:`record_use` does that.

    Raises:
        TokenRefused: nobody. It names the token if there is one, so that the use is kept.
    """
    token = _find(secret)
    if token is None:
        raise TokenRefused(_("There is no such token. Make one under Account, API tokens."))
    if not token.user.is_active:
        raise TokenRefused(_("The account that this token belongs to is closed."), token=token)
    if token.is_revoked:
        raise TokenRefused(_("This token was revoked. Make another one."), token=token)
    if not token.is_current(now=now):
        raise TokenRefused(_("This token has expired. Make another one."), token=token)
    if not token.allows(scope):
        raise TokenRefused(
            _("This token is not for that. It would need: %(scope)s.") % {"scope": scope.value},
            status=403,
            code="insufficient_scope",
            token=token,
        )
    membership = membership_of(token.user, token.organization) if token.organization else None
    if token.organization and membership is None:
        words = _("The person who made this token does not belong to %(organization)s any more.")
        raise TokenRefused(
            words % {"organization": token.organization}, status=403, code="insufficient_scope", token=token
        )
    token.user.is_limited = True  # nobody administers by a token: it has seen no second factor
    return Bearer(token, membership)


def _find(secret: str) -> ApiToken | None:
    """By its digest. What comes out of the index is compared once more, in a time that does not depend on it."""
    if not tokens.is_well_formed(secret):
        return None
    digest = tokens.digest(secret)
    token = ApiToken.objects.select_related("user", "organization").filter(token_hash=digest).first()
    return token if token is not None and hmac.compare_digest(token.token_hash, digest) else None


def record_use(
    *, token: ApiToken, method: str, path: str, status: int, address: str | None, now: datetime
) -> ApiTokenUse:
    """Keep that the token was used, whatever was answered. A feed that is asked for goes on living."""
    use = ApiTokenUse.objects.create(
        token=token, at=now, method=method[:10], path=redacted(path)[:300], status=status, address=address
    )
    changes: dict[str, datetime] = {"last_used_at": now}
    if token.is_feed and status < 400:
        changes["expires_at"] = max(token.expires_at, now + settings.MARKETPLACE_FEED)
    ApiToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=now - NOTED_EVERY), pk=token.pk, revoked_at=None
    ).update(**changes)
    return use


def forget_uses(*, now: datetime) -> int:
    """Sweep: uses are kept for ``MARKETPLACE_TOKEN_USES_DAYS``. Returns how many were forgotten."""
    count, _by_model = ApiTokenUse.objects.filter(
        at__lt=now - timedelta(days=settings.MARKETPLACE_TOKEN_USES_DAYS)
    ).delete()
    return count
