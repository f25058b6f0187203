"""The demonstration's organization: an institute with a member, a project with its grant, a cost centre and a policy."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.models import BillingDetails, Organization, OrganizationKind, OrganizationRole, User
from accounts.services.billing_details import save_organization_details
from accounts.services.memberships import join
from accounts.services.organizations import Policy, create_organization, locked_organization, set_policy
from accounts.services.projects import add_cost_centre, add_project
from marketplace.demo import people

NAME = "Demo Institute"
PROJECT, GRANT = "Protein folding", "DEMO-2026-0042"
GRANT_LASTS = timedelta(days=365)
COST_CENTRE = "Computing"
POLICY = Policy(needs_project=True, approval_above=Decimal(500))


@transaction.atomic
def create(*, now: datetime) -> Organization:
    """By the services that the pages call, on the day on which its administrator signed up. Once: it is not made twice."""
    boss = User.objects.get(email=people.ORGADMIN)
    if made := Organization.objects.filter(owner=boss).first():
        return made
    since = boss.signup_date
    made = create_organization(
        by=boss, name=NAME, kind=OrganizationKind.UNIVERSITY, country=people.INSTITUTE["country"], now=since
    )
    member = User.objects.get(email=people.MEMBER)
    join(organization=locked_organization(made.pk), user=member, role=OrganizationRole.MEMBER, now=since)
    details = BillingDetails(organization=made, **people.INSTITUTE, cost_centre=COST_CENTRE)
    details.full_clean()
    save_organization_details(organization=made, by=boss, details=details)
    ends = (now + GRANT_LASTS).date()
    add_project(organization=made, by=boss, name=PROJECT, grant=GRANT, grant_ends_on=ends, now=since)
    add_cost_centre(organization=made, by=boss, code=COST_CENTRE, name="")
    return set_policy(organization=made, by=boss, policy=POLICY)
