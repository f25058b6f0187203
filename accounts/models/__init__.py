"""Who: people, their roles, their verification, their keys, whom invoices name, and the mail that waits for them."""

from accounts.models.billing import BillingDetails, BillingKind
from accounts.models.mail import PRIVATE, OutgoingMail, OutgoingMailQuerySet
from accounts.models.notification import Notification, NotificationQuerySet
from accounts.models.ssh_key import SSHKey
from accounts.models.user import CaseInsensitiveEmailField, Role, User, UserManager, check_timezone
from accounts.models.verification import Verification, VerificationQuerySet

__all__ = [
    "PRIVATE",
    "BillingDetails",
    "BillingKind",
    "CaseInsensitiveEmailField",
    "Notification",
    "NotificationQuerySet",
    "OutgoingMail",
    "OutgoingMailQuerySet",
    "Role",
    "SSHKey",
    "User",
    "UserManager",
    "Verification",
    "VerificationQuerySet",
    "check_timezone",
]
