"""Who: people and organizations, their roles, verification and keys, whom invoices name, and the mail that waits."""

from accounts.models import tracked  # noqa: F401  # history: its triggers, and the tables that they write
from accounts.models.acting import Acting, ActingEnd
from accounts.models.billing import BillingDetails, BillingKind
from accounts.models.decision import Decision, DecisionQuerySet, DecisionState
from accounts.models.mail import FAREWELL, PRIVATE, OutgoingMail, OutgoingMailQuerySet
from accounts.models.notification import Notification, NotificationQuerySet
from accounts.models.organization import (
    CostCentre,
    Invitation,
    InvitationQuerySet,
    Membership,
    MembershipQuerySet,
    Organization,
    OrganizationKind,
    OrganizationQuerySet,
    OrganizationRole,
    Project,
)
from accounts.models.preference import DigestPace, MailWish, MessagePreferences
from accounts.models.privacy import DataExport, DataExportQuerySet, DeletionRequest, DeletionRequestQuerySet
from accounts.models.single_sign_on import (
    EmailDomain,
    EmailDomainQuerySet,
    SignOnKind,
    SignOnOutcome,
    SignOnUse,
    SingleSignOn,
)
from accounts.models.ssh_key import SSHKey
from accounts.models.token import ApiToken, ApiTokenQuerySet, ApiTokenUse, Scope
from accounts.models.user import CaseInsensitiveEmailField, Role, User, UserManager, check_timezone
from accounts.models.verification import (
    DocumentKind,
    DocumentOpening,
    Verification,
    VerificationDocument,
    VerificationQuerySet,
    VerificationQuestion,
)
from accounts.models.webhook import WebhookDelivery, WebhookDeliveryQuerySet, WebhookEndpoint, WebhookKind

__all__ = [
    "FAREWELL",
    "PRIVATE",
    "Acting",
    "ActingEnd",
    "ApiToken",
    "ApiTokenQuerySet",
    "ApiTokenUse",
    "BillingDetails",
    "BillingKind",
    "CaseInsensitiveEmailField",
    "CostCentre",
    "DataExport",
    "DataExportQuerySet",
    "Decision",
    "DecisionQuerySet",
    "DecisionState",
    "DeletionRequest",
    "DeletionRequestQuerySet",
    "DigestPace",
    "DocumentKind",
    "DocumentOpening",
    "EmailDomain",
    "EmailDomainQuerySet",
    "Invitation",
    "InvitationQuerySet",
    "MailWish",
    "Membership",
    "MembershipQuerySet",
    "MessagePreferences",
    "Notification",
    "NotificationQuerySet",
    "Organization",
    "OrganizationKind",
    "OrganizationQuerySet",
    "OrganizationRole",
    "OutgoingMail",
    "OutgoingMailQuerySet",
    "Project",
    "Role",
    "SSHKey",
    "Scope",
    "SignOnKind",
    "SignOnOutcome",
    "SignOnUse",
    "SingleSignOn",
    "User",
    "UserManager",
    "Verification",
    "VerificationDocument",
    "VerificationQuerySet",
    "VerificationQuestion",
    "WebhookDelivery",
    "WebhookDeliveryQuerySet",
    "WebhookEndpoint",
    "WebhookKind",
    "check_timezone",
]
