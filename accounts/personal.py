"""What this room holds about a person: their account, what lets them in, what they were told (:mod:`accounts.privacy`)."""

from django.utils.translation import gettext_lazy as _

from accounts.personal_copy import EXPORTS, NOT_EXPORTED
from accounts.privacy import Kept, Retention, Room
from accounts.services.erasing import erase, obstacles

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
