"""What the roles in an organization do, in a sentence each. :mod:`accounts.permissions` has the table that counts."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import OrganizationRole

WHAT_ROLES_DO: Mapping[OrganizationRole, str | Promise] = {
    OrganizationRole.ADMINISTRATOR: _(
        "looks after members, projects, budgets and approvals, and may do all that others may"
    ),
    OrganizationRole.BILLING: _(
        "sees bookings, spend and invoices, and keeps billing details and cost centres; books nothing"
    ),
    OrganizationRole.MEMBER: _("books servers for the organization, within its budgets"),
    OrganizationRole.VIEWER: _("looks at bookings, machines and spend, and changes nothing"),
}
