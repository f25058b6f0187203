"""Organizations, those who belong to them, and what these have: made as rows, as ``tests/people.py`` makes machines.

``tests/accounts/test_organizations.py`` and its neighbours make them by the services.
"""

from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress

from accounts.models import (
    BillingDetails,
    BillingKind,
    CostCentre,
    Membership,
    Organization,
    OrganizationRole,
    Project,
    Role,
    User,
)
from bookings.models import Booking
from bookings.services.purposes import Purpose
from bookings.services.request import request_booking
from machines.models import Listing
from tests.people import DAY, HOUR, mark_paid, minute


def make_organization(owner: User, name: str = "Institute of Computing", **fields: Any) -> Organization:
    """Its owner is its administrator, too."""
    values: dict[str, Any] = {"kind": "university", "country": "DE", "created_by": owner}
    organization = Organization.objects.create(owner=owner, name=name, **(values | fields))
    make_member(organization, owner, OrganizationRole.ADMINISTRATOR)
    return organization


def make_member(
    organization: Organization, user: User, role: str = OrganizationRole.MEMBER, **fields: Any
) -> Membership:
    """Belongs to it from now on. Administrators have the role on the whole site, too."""
    if role == OrganizationRole.ADMINISTRATOR and Role.ORGANIZATIONAL_ADMINISTRATOR not in user.roles:
        user.roles = [*user.roles, Role.ORGANIZATIONAL_ADMINISTRATOR]
        user.save(update_fields=["roles"])
    return Membership.objects.create(organization=organization, user=user, role=role, **fields)


def make_project(organization: Organization, name: str = "Protein folding", **fields: Any) -> Project:
    return Project.objects.create(organization=organization, name=name, **fields)


def make_cost_centre(organization: Organization, code: str = "4711", **fields: Any) -> CostCentre:
    return CostCentre.objects.create(organization=organization, code=code, **fields)


def make_organization_details(organization: Organization, **fields: Any) -> BillingDetails:
    """An institution in Berlin."""
    values = {
        "kind": BillingKind.BUSINESS,
        "name": organization.name,
        "street": "Invalidenstraße 44",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
    }
    return BillingDetails.objects.create(organization=organization, **(values | fields))


def confirm_address(user: User, address: str = "") -> EmailAddress:
    """The address, or the person's own, is confirmed as django-allauth does it."""
    email = address or user.email
    return EmailAddress.objects.update_or_create(
        user=user, email=email, defaults={"verified": True, "primary": email == user.email}
    )[0]


def leave(membership: Membership, *, at: datetime) -> Membership:
    """Does not belong to it any more."""
    membership.left_at = at
    membership.save(update_fields=["left_at"])
    return membership


def book(
    listing: Listing,
    membership: Membership,
    now: datetime,
    *,
    hours: float = 4,
    start: datetime | None = None,
    **purpose: Any,
) -> Booking:
    """The member books for the organization, for tomorrow; ``purpose``: project, purchase_order, cost_centre, reason."""
    begin = minute(start or now + DAY)
    return request_booking(
        listing=listing,
        buyer=membership.user,
        start=begin,
        end=begin + hours * HOUR,
        now=now,
        purpose=Purpose(organization=membership.organization, **purpose),
    )


def book_for(
    organization: Organization,
    member: User,
    listing: Listing,
    *,
    start: datetime,
    hours: float = 4,
    asked: datetime,
    paid: bool = True,
    **purpose: Any,
) -> Booking:
    """As :func:`book`, of a member, at any time; ``paid``: and paid at once."""
    membership = (
        Membership.objects.current().select_related("user", "organization").get(organization=organization, user=member)
    )
    booking = book(listing, membership, asked, hours=hours, start=start, **purpose)
    return mark_paid(booking, now=asked) if paid else booking
