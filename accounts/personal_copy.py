"""What this room holds about a person, as it goes into the copy of their data: a table for each kind of row."""

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import (
    PRIVATE,
    Acting,
    ApiToken,
    ApiTokenUse,
    BillingDetails,
    DataExport,
    DeletionRequest,
    Invitation,
    Membership,
    MessagePreferences,
    Notification,
    Organization,
    OutgoingMail,
    SignOnUse,
    SSHKey,
    User,
    Verification,
    VerificationDocument,
    VerificationQuestion,
    WebhookDelivery,
    WebhookEndpoint,
)
from accounts.privacy import Export, StoredFile, fields_of, table
from accounts.services.verification_documents import file_name
from accounts.traces import addresses_of
from common.history.export import rows as history_rows
from common.history.reading import History, Scope, scope_of
from common.history.tracking import kinds


def _history(user: User) -> History:
    """The changes of their account and of what is a part of it."""
    parts = [Scope(kind, Q(user=user.pk), frozenset({"user"})) for kind in kinds() if kind.within == "user"]
    return History([scope_of(user), *parts], viewer=user)


def _webhooks(user: User) -> Iterator[Mapping[str, Any]]:
    """Addresses that nobody but their owner may know whole are left out: who has one can write there."""
    for row in WebhookEndpoint.objects.filter(user=user).order_by("pk"):
        yield {
            "id": row.pk,
            "kind": row.kind,
            "name": row.name,
            "url": row.shown_url,
            "events": row.events,
            "created_at": row.created_at,
            "disabled_at": row.disabled_at,
        }


def _made_or_owned(user: User) -> "QuerySet[Organization]":
    return Organization.objects.filter(Q(owner=user) | Q(created_by=user))


def _belongs_to(user: User) -> "QuerySet[Any]":
    """Ids. What an organization asks of bookings, its members alone may know."""
    return Membership.objects.current().filter(user=user).values("organization")


def _document(row: VerificationDocument) -> Iterator[StoredFile]:
    if row.file:
        yield StoredFile(file_name(row), row.file)


EXPORTS = [
    table(
        "accounts/profile",
        _("Profile"),
        lambda user: User.objects.filter(pk=user.pk),
        fields_of(User, "password"),
    ),
    table(
        "accounts/email-addresses",
        _("E-mail addresses"),
        lambda user: EmailAddress.objects.filter(user=user),
        ["email", "verified", "primary"],
        covers=["account.EmailAddress.user"],
    ),
    table(
        "accounts/second-factors",
        _("Second factors, without their secrets"),
        lambda user: Authenticator.objects.filter(user=user),
        ["type", "created_at", "last_used_at"],
        covers=["mfa.Authenticator.user"],
    ),
    table(
        "accounts/single-sign-on",
        _("As whom the providers of your organizations know you"),
        lambda user: SocialAccount.objects.filter(user=user),
        ["provider", "uid", "date_joined", "last_login"],
        covers=["socialaccount.SocialAccount.user"],
    ),
    table(
        "accounts/single-sign-on-uses",
        _("When you came from the provider of an organization"),
        lambda user: SignOnUse.objects.filter(Q(user=user) | Q(email__in=addresses_of(user))),
        ["organization__name", "email", "outcome", "reason", "at"],
        covers=["accounts.SignOnUse.user"],
    ),
    table(
        "accounts/sessions",
        _("Where you are signed in"),
        lambda user: UserSession.objects.filter(user=user),
        ["created_at", "last_seen_at", "ip", "user_agent"],
        covers=["usersessions.UserSession.user"],
    ),
    table(
        "accounts/billing-details",
        _("Billing details"),
        lambda user: BillingDetails.objects.filter(user=user),
        fields_of(BillingDetails),
        covers=["accounts.BillingDetails.user"],
    ),
    table(
        "accounts/ssh-keys",
        _("SSH keys"),
        lambda user: SSHKey.objects.filter(Q(user=user) | Q(added_by=user)),
        fields_of(SSHKey),
        covers=["accounts.SSHKey.user", "accounts.SSHKey.added_by"],
    ),
    table(
        "accounts/tokens",
        _("API tokens and calendar feeds, without their secrets"),
        lambda user: ApiToken.objects.filter(user=user),
        fields_of(ApiToken, "token_hash"),
        covers=["accounts.ApiToken.user"],
    ),
    table(
        "accounts/token-uses",
        _("Uses of API tokens"),
        lambda user: ApiTokenUse.objects.filter(token__user=user),
        fields_of(ApiTokenUse),
    ),
    table(
        "accounts/verifications",
        _("Verifications"),
        lambda user: Verification.objects.filter(user=user),
        fields_of(Verification, "decided_by"),
        covers=["accounts.Verification.user"],
    ),
    table(
        "accounts/verification-questions",
        _("Questions about your verifications"),
        lambda user: VerificationQuestion.objects.filter(verification__user=user),
        fields_of(VerificationQuestion, "asked_by"),
    ),
    table(
        "accounts/verification-documents",
        _("Documents of your verifications that are still there"),
        lambda user: VerificationDocument.objects.filter(verification__user=user),
        fields_of(VerificationDocument, "file"),
        files=_document,
    ),
    table(
        "accounts/organizations",
        _("Organizations that you made or own"),
        lambda user: _made_or_owned(user).filter(pk__in=_belongs_to(user)),
        fields_of(Organization),
        covers=["accounts.Organization.owner", "accounts.Organization.created_by"],
    ),
    table(
        "accounts/organizations-left",
        _("Organizations that you made and have left"),
        lambda user: _made_or_owned(user).exclude(pk__in=_belongs_to(user)),
        ["name", "created_at"],
    ),
    table(
        "accounts/memberships",
        _("Memberships"),
        lambda user: Membership.objects.filter(user=user),
        ["organization__name", "role", "joined_at", "left_at"],
        covers=["accounts.Membership.user"],
    ),
    table(
        "accounts/invitations",
        _("Invitations to you, and those that you sent"),
        lambda user: Invitation.objects.filter(
            Q(email__in=addresses_of(user)) | Q(accepted_by=user) | Q(invited_by=user)
        ),
        fields_of(Invitation, "token_hash", "invited_by", "accepted_by"),
        covers=["accounts.Invitation.invited_by", "accounts.Invitation.accepted_by"],
    ),
    table(
        "accounts/notifications",
        _("Notifications"),
        lambda user: Notification.objects.filter(user=user),
        fields_of(Notification),
        covers=["accounts.Notification.user"],
    ),
    table(
        "accounts/mails",
        _("Mails to you"),
        # One that still waits to be sent may hold what lets its reader in.
        lambda user: OutgoingMail.objects.filter(user=user).exclude(key__startswith=PRIVATE, sent_at=None),
        ["subject", "text", "address", "event", "created_at", "sent_at"],
        covers=["accounts.OutgoingMail.user"],
    ),
    table(
        "accounts/message-preferences",
        _("How you want to be told"),
        lambda user: MessagePreferences.objects.filter(user=user),
        fields_of(MessagePreferences),
        covers=["accounts.MessagePreferences.user"],
    ),
    Export(
        "accounts/webhooks",
        _("Webhooks, without their secrets"),
        lambda user: WebhookEndpoint.objects.filter(user=user).count(),
        _webhooks,
        ["accounts.WebhookEndpoint.user"],
    ),
    table(
        "accounts/webhook-deliveries",
        _("What webhooks were told"),
        lambda user: WebhookDelivery.objects.filter(endpoint__user=user),
        ["endpoint__name", "event", "title", "body", "created_at", "status", "delivered_at", "response_code"],
    ),
    table(
        "accounts/looked-at",
        _("When an administrator looked at the site as you"),
        lambda user: Acting.objects.filter(user=user),
        ["reason", "began_at", "ends_at", "ended_at"],
        covers=["accounts.Acting.user"],
    ),
    table(
        "accounts/exports",
        _("Copies of your data that you asked for"),
        lambda user: DataExport.objects.filter(user=user),
        ["asked_at", "ready_at", "expires_at", "size"],
        covers=["accounts.DataExport.user"],
    ),
    table(
        "accounts/deletions",
        _("Deletions that were asked for"),
        lambda user: DeletionRequest.objects.filter(user=user),
        fields_of(DeletionRequest, "asked_by"),
        covers=["accounts.DeletionRequest.user"],
    ),
    Export(
        "accounts/history",
        _("Changes of your account and of what is a part of it"),
        lambda user: len(_history(user)),
        lambda user: history_rows(_history(user)),
    ),
]

DECIDED = "Which administrator did it concerns the administrator's work, not their person."
COLLEAGUE = "What they did for an organization is in the organization's own records."

NOT_EXPORTED = {
    "accounts.Acting.administrator": DECIDED,
    "accounts.ApiToken.revoked_by": "Of a person's own tokens it is the person, or an administrator.",
    "accounts.Decision.asked_by": DECIDED,
    "accounts.Decision.decided_by": DECIDED,
    "accounts.DeletionRequest.asked_by": "The person, or an administrator; the request itself is in it.",
    "accounts.DocumentOpening.by": DECIDED,
    "accounts.EmailDomain.approved_by": DECIDED,
    "accounts.EmailDomain.asked_by": COLLEAGUE,
    "accounts.Membership.removed_by": COLLEAGUE,
    "accounts.User_groups.user": "Rights in the administration; nobody else has any.",
    "accounts.User_user_permissions.user": "Rights in the administration; nobody else has any.",
    "accounts.Verification.decided_by": DECIDED,
    "accounts.VerificationQuestion.asked_by": DECIDED,
    "accounts.WebhookEndpoint.created_by": "Of a person's own webhooks it is the person; others are their organization's.",
    "admin.LogEntry.user": DECIDED,
    "pghistory.MiddlewareEvents.user": "A view of other tables, which nothing writes to.",
}
