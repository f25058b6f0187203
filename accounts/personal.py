"""What this room holds about a person: their account, what lets them in, what they were told (:mod:`accounts.privacy`)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db.models import CASCADE, Model, Q, QuerySet
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import (
    FAREWELL,
    PRIVATE,
    Acting,
    ApiToken,
    ApiTokenUse,
    BillingDetails,
    DataExport,
    Decision,
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
from accounts.privacy import Export, Kept, Obstacle, Retention, Room, StoredFile, fields_of, rooms, table
from accounts.scrubbing import INSTEAD, scrub_facts
from accounts.services.memberships import why_one_stays
from accounts.services.verification_documents import file_name
from accounts.traces import addresses_of, words_of
from common.history.export import rows as history_rows
from common.history.forgetting import forget
from common.history.reading import History, Scope, scope_of
from common.history.tracking import kind_of, kinds
from common.queue import soon

#: Addresses that no mail reaches (RFC 2606) take the place of those that are gone.
NOWHERE = "deleted.invalid"


# A copy of it ---------------------------------------------------------------------------------------------


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


# Letting it go --------------------------------------------------------------------------------------------


def obstacles(user: User, now: datetime) -> Iterator[Obstacle]:
    if user.is_staff or user.is_platform_administrator:
        yield Obstacle(
            gettext("You administer the marketplace. Have another administrator take that role from you first."), ""
        )
    for membership in Membership.objects.current().filter(user=user).select_related("organization", "user"):
        if reason := why_one_stays(membership, by=user):
            where = f"{membership.organization.name}: "
            yield Obstacle(where + reason, reverse("organization_detail", args=[membership.organization_id]))


def erase(user: User, now: datetime) -> None:
    """Everything that is the person's alone goes; the row of the person stays, because others refer to it, and names nobody."""
    addresses = addresses_of(user)
    for session in UserSession.objects.filter(user=user):
        session.end()
    VerificationDocument.objects.filter(verification__user=user).update(verification=None, name="")
    soon("accounts.tasks.forget_documents")
    user.data_exports.open().update(failed_at=now)
    user.data_exports.update(expires_at=now)
    _forget_invitations(addresses, now)
    _forget_mails(addresses)
    SignOnUse.objects.filter(email__in=addresses).update(email="")
    _forget_where_invoices_went(addresses)
    _forget_decisions(user)
    Invitation.objects.waiting().filter(invited_by=user).update(revoked_at=now)
    Membership.objects.current().filter(user=user).update(left_at=now)
    _let_go_of_tokens(user, now)
    _delete_what_is_theirs(user)
    user.groups.clear()
    user.user_permissions.clear()
    user.email, user.name, user.organization_name = f"{user.pk.hex}@{NOWHERE}", "", ""
    user.timezone, user.language, user.country, user.roles = "", "", "", []
    user.is_active = user.is_staff = user.is_superuser = user.is_billing_account = False
    user.last_login = None
    user.set_unusable_password()
    user.save(update_fields=fields_of(User, "id", "signup_date"))
    for kind in kinds():
        if kind.within == "user" and kind.model._meta.app_label == "accounts":
            # What acted for an organization is in its records, too.
            theirs = Q(user=user.pk, organization=None) if "organization" in kind.fields else Q(user=user.pk)
            forget(kind, theirs, **blank(kind.model, kind.fields))


def _forget_invitations(addresses: Iterable[str], now: datetime) -> None:
    for number, invitation in enumerate(Invitation.objects.filter(email__in=addresses)):
        if invitation.accepted_at is None and invitation.revoked_at is None:
            invitation.revoked_at = now
        invitation.email = f"{invitation.pk.hex}-{number}@{NOWHERE}"
        invitation.save(update_fields=["email", "revoked_at"])
    if kind := kind_of(Invitation):
        forget(kind, Q(email__in=addresses), email=INSTEAD)


def _forget_mails(addresses: Iterable[str]) -> None:
    """Those to their addresses that are not in their account, as invitations. The last one to them is still to go out."""
    found = OutgoingMail.objects.annotate(to=Lower("address")).filter(to__in={one.lower() for one in addresses})
    mails = found.exclude(key__startswith=FAREWELL)
    mails.filter(sent_at=None).delete()
    mails.update(address=INSTEAD)


def _forget_where_invoices_went(addresses: Iterable[str]) -> None:
    """Those of organizations. Invoices that name the address already stay as they are."""
    BillingDetails.objects.exclude(organization=None).filter(invoice_email__in=addresses).update(invoice_email="")
    if kind := kind_of(BillingDetails):
        forget(kind, Q(user=None, invoice_email__in=addresses), invoice_email="")


def _forget_decisions(user: User) -> None:
    """What two administrators read of them: names are in the words that they were shown, the arguments are ids."""
    verifications = [str(pk) for pk in user.verifications.values_list("pk", flat=True)]
    about = Decision.objects.filter(Q(arguments__user=str(user.pk)) | Q(arguments__verification__in=verifications))
    scrub_facts(about, "shown", words_of(user))


def _let_go_of_tokens(user: User, now: datetime) -> None:
    """Those that act for organizations let nobody in any more, and stay: what was done with them is in the uses."""
    user.api_tokens.filter(organization=None).delete()
    user.api_tokens.filter(revoked_at=None).update(revoked_at=now, revoked_by=user)


def _delete_what_is_theirs(user: User) -> None:
    """Every row that would go with the person's row, of whatever table; those to come are among them."""
    outliving = {label for room in rooms() for label in room.outlive}
    for relation in User._meta.related_objects:
        model: type[Model] = relation.related_model
        if relation.on_delete is CASCADE and model._meta.label not in outliving and not model._meta.auto_created:
            model._base_manager.filter(**{relation.field.name: user}).delete()


def blank(model: type[Model], fields: Iterable[str]) -> dict[str, str]:
    """Nothing, for each of these columns that holds words of a person's own."""
    found = (model._meta.get_field(name) for name in fields)
    texts = ("CharField", "TextField", "EmailField")
    return {one.name: "" for one in found if one.get_internal_type() in texts and not one.choices}  # type: ignore[union-attr]


ROOM = Room(
    "accounts",
    exports=EXPORTS,
    not_exported=NOT_EXPORTED,
    obstacles=obstacles,
    erase=erase,
    goes=[
        _("Your name, your e-mail addresses, your password, passkeys and second factors. You are signed out everywhere."),
        _("Your SSH keys, API tokens, calendar feeds and webhooks."),
        _("Your verification with its documents, your billing details, and the copies of your data."),
        _("What you were told: notifications and mails. Your full name and your addresses go from what others were told."),
        _("Your memberships in organizations end. What you booked for them stays theirs."),
    ],
    outlive=["admin.LogEntry", "accounts.ApiToken", "accounts.DataExport"],
    texts={
        "accounts.Notification": ["title", "text"],
        "accounts.OutgoingMail": ["subject", "text", "html", "parts", "error"],
        "accounts.WebhookDelivery": ["title", "body", "response_excerpt", "error"],
        "accounts.Decision": ["shown", "reason", "answer"],
        "accounts.Verification": ["reason"],
        "accounts.Acting": ["reason"],
        "accounts.SSHKey": ["name"],
        "accounts.ApiToken": ["name"],
        "admin.LogEntry": ["object_repr", "change_message"],
    },
    names={"accounts.Organization": ["name"], "accounts.Project": ["name"], "accounts.CostCentre": ["name"]},
    kept=[
        Kept(
            _("A row without a name, under which bookings and payments stay together"),
            _("Others have booked, paid or earned with it; it tells nobody who you were."),
        ),
        Kept(
            _("API tokens that acted for an organization, revoked, and what was done with them"),
            _("The organization has to be able to see what was done in its name."),
        ),
    ],
    retention=[
        Retention(_("Accounts whose address was never confirmed"), "MARKETPLACE_UNCONFIRMED_DAYS",
                  _("Somebody may have typed another person's address.")),
        Retention(_("Sessions, and the list of where you are signed in"), "MARKETPLACE_SESSION_DAYS",
                  _("So that you need not sign in at every visit, and see who else does as you. From the last visit on.")),
        Retention(_("Verification documents, after the decision"), "MARKETPLACE_DOCUMENT_RETENTION",
                  _("So that a decision can be looked at again.")),
        Retention(_("Mails that were sent to you"), "MARKETPLACE_MAIL_DAYS",
                  _("So that we can tell you what you were told.")),
        Retention(_("Notifications, unless you keep them"), "MARKETPLACE_NOTIFICATION_DAYS",
                  _("So that you can read again what happened.")),
        Retention(_("What was sent to your webhooks"), "MARKETPLACE_WEBHOOK_DAYS",
                  _("So that you can see why one failed.")),
        Retention(_("Uses of API tokens, with the address they came from"), "MARKETPLACE_TOKEN_USES_DAYS",
                  _("So that you can see who used a token that was lost.")),
        Retention(_("The address that an organization's provider said when you came from there"),
                  "MARKETPLACE_SIGN_ON_DAYS",
                  _("So that the organization's administrators find out why somebody did not come in.")),
        Retention(_("Copies of your data that you asked for"), "MARKETPLACE_EXPORT",
                  _("So that you have time to download one.")),
        Retention(_("An account that is to be deleted"), "MARKETPLACE_DELETION",
                  _("So that you can take it back.")),
    ],
)  # fmt: skip
