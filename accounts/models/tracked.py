"""What of people and organizations history keeps. Neither secrets and their hashes, nor when somebody was last seen."""

from accounts.models.acting import Acting
from accounts.models.billing import BillingDetails
from accounts.models.decision import Decision, words_of
from accounts.models.organization import CostCentre, Invitation, Membership, Organization, Project
from accounts.models.privacy import DeletionRequest
from accounts.models.single_sign_on import EmailDomain, SignOnUse, SingleSignOn
from accounts.models.ssh_key import SSHKey
from accounts.models.token import ApiToken
from accounts.models.user import User
from accounts.models.verification import Verification
from accounts.models.webhook import WebhookEndpoint
from common.history.tracking import tracked

UserChange = tracked(User, "roles", "is_active", "is_staff", "is_superuser")
VerificationChange = tracked(
    Verification,
    "status",
    "kind",
    "legal_name",
    "country",
    "submitted_at",
    "decided_at",
    "decided_by",
    "reason",
    "valid_until",
    "expired_at",
    within="user",
    called="legal_name",
)
OrganizationChange = tracked(
    Organization,
    "name",
    "kind",
    "country",
    "owner",
    "needs_project",
    "needs_purchase_order",
    "needs_cost_centre",
    "needs_grant",
    "needs_member_budget",
    "approval_above",
    organization="pgh_obj",
    called="name",
)
MembershipChange = tracked(
    Membership,
    "user",
    "role",
    "joined_at",
    "left_at",
    "removed_by",
    within="organization",
    organization="organization",
    called="user",
)
InvitationChange = tracked(
    Invitation,
    "email",
    "role",
    "invited_by",
    "sent_at",
    "expires_at",
    "accepted_at",
    "accepted_by",
    "revoked_at",
    within="organization",
    organization="organization",
    called="email",
)
ProjectChange = tracked(
    Project,
    "name",
    "grant",
    "grant_ends_on",
    "archived_at",
    within="organization",
    organization="organization",
    called="name",
)
CostCentreChange = tracked(
    CostCentre, "code", "name", "archived_at", within="organization", organization="organization", called="code"
)
BillingDetailsChange = tracked(
    BillingDetails,
    "organization",
    "kind",
    "name",
    "street",
    "postal_code",
    "city",
    "country",
    "vat_id",
    "invoice_email",
    "purchase_order",
    "cost_centre",
    within="user",
    organization="organization",
    called="name",
)
SSHKeyChange = tracked(
    SSHKey,
    "organization",
    "added_by",
    "name",
    "key_type",
    "fingerprint",
    within="user",
    organization="organization",
    called="name",
)
ApiTokenChange = tracked(
    ApiToken,
    "organization",
    "name",
    "prefix",
    "scopes",
    "expires_at",
    "revoked_at",
    "revoked_by",
    within="user",
    organization="organization",
    called="name",
)
DeletionRequestChange = tracked(
    DeletionRequest, "asked_by", "due_at", "taken_back_at", "held_up_at", "done_at", within="user", called="user"
)
WebhookEndpointChange = tracked(
    WebhookEndpoint,
    "organization",
    "kind",
    "name",
    "events",
    "created_by",
    "disabled_at",
    "disabled_because",
    within="user",
    organization="organization",
    called="name",
)
SingleSignOnChange = tracked(
    SingleSignOn,
    "slug",
    "kind",
    "issuer",
    "client_id",
    "sign_in_url",
    "certificates",
    "first_role",
    "is_required",
    "proved_at",
    within="organization",
    organization="organization",
    called="issuer",
)
EmailDomainChange = tracked(
    EmailDomain,
    "domain",
    "asked_by",
    "approved_at",
    "approved_by",
    within="organization",
    organization="organization",
    called="domain",
)
SignOnUseChange = tracked(
    SignOnUse, "user", "outcome", "reason", within="organization", organization="organization", called="user"
)
DecisionChange = tracked(
    Decision,
    "action",
    "about",
    "reason",
    "state",
    "asked_by",
    "expires_at",
    "decided_by",
    "decided_at",
    "answer",
    written={"action": words_of},
)
ActingChange = tracked(Acting, "administrator", "user", "reason", "began_at", "ends_at", "ended_at", "ended_by")
