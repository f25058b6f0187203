from django.http import HttpRequest

from accounts.models import Membership, Organization, User


class AuthenticatedRequest(HttpRequest):
    """A request behind ``login_required``: its user is a person, who may act for an organization."""

    user: User
    membership: Membership | None
    organization: Organization | None
